// One end of a bulk transfer, run inside a namespace: a plain TCP connection, hashed as it passes.
//   stream-end.mjs listen-send FILE ADDRESS PORT      stream-end.mjs listen-receive ADDRESS PORT
//   stream-end.mjs connect-send FILE ADDRESS PORT     stream-end.mjs connect-receive ADDRESS PORT
// Prints LISTENING when it listens, and at the end {"octets", "sha256", "seconds"}.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { connect, createServer } from 'node:net'

const [mode, ...rest] = process.argv.slice(2)
const [how, what] = (mode ?? '').split('-')
const file = what === 'send' ? rest.shift() : undefined
const [address, port] = rest

function transfer(socket) {
  const started = process.hrtime.bigint()
  const hash = createHash('sha256')
  let octets = 0
  const count = (chunk) => {
    hash.update(chunk)
    octets += chunk.length
  }
  const report = () => {
    const seconds = Number(process.hrtime.bigint() - started) / 1e9
    console.log(JSON.stringify({ octets, sha256: hash.digest('hex'), seconds: Number(seconds.toFixed(2)) }))
    process.exit(0)
  }
  socket.on('error', (error) => {
    console.error(String(error))
    process.exit(1)
  })
  if (file === undefined) {
    socket.on('data', count)
    socket.on('end', () => {
      socket.end()
      report()
    })
  } else {
    const source = createReadStream(file, { highWaterMark: 256 * 1024 })
    source.on('data', count)
    source.pipe(socket)
    socket.resume()
    socket.on('close', report)
  }
}

if (how === 'listen') {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    server.close()
    transfer(socket)
  })
  server.listen(Number(port), address, () => console.log('LISTENING'))
} else {
  const socket = connect({ host: address, port: Number(port), allowHalfOpen: true }, () => transfer(socket))
  socket.on('error', (error) => {
    console.error(String(error))
    process.exit(1)
  })
}
