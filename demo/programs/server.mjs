// An ordinary server that knows of no tunnel: a file and a page over HTTP, and over UDP a counterpart for burst.mjs.
// server.mjs ADDRESS HTTP-PORT UDP-PORT FILE
import { createSocket } from 'node:dgram'
import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { pipeline } from 'node:stream'

const [address, httpPort, udpPort, file] = process.argv.slice(2)

const http = createServer((request, response) => {
  if (request.url === '/file') {
    response.setHeader('content-length', statSync(file).size)
    pipeline(createReadStream(file), response, () => {})
  } else response.end(`Hello from behind the gateway. Here you are ${request.socket.remoteAddress}.\n`)
})

/** Datagrams of a burst so far, by the sender. */
const counts = new Map()
const udp = createSocket('udp4')
udp.on('message', (message, { address: from, port }) => {
  const sender = `${from} ${port}`
  const word = message.length < 100 ? message.toString().split(' ') : []
  if (word[0] === 'count') udp.send(`count ${counts.get(sender) ?? 0}`, port, from)
  else if (word[0] === 'send') {
    const payload = Buffer.alloc(Number(word[2]), 'x')
    for (let i = 0; i < Number(word[1]); i++) udp.send(payload, port, from)
  } else counts.set(sender, (counts.get(sender) ?? 0) + 1)
})

await Promise.all([
  new Promise((resolve) => http.listen(Number(httpPort), address, resolve)),
  new Promise((resolve) => udp.bind(Number(udpPort), address, resolve)),
])
console.log(JSON.stringify({ kind: 'serving', http: http.address().port, udp: udp.address().port }))
