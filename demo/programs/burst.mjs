// An ordinary program that sends UDP datagrams to server.mjs and asks how many came, then has as many sent back and counts them.
// burst.mjs ADDRESS PORT COUNT OCTETS
import { createSocket } from 'node:dgram'
import { setTimeout as sleep } from 'node:timers/promises'
import { sendBurst } from './datagrams.mjs'

const [address, port, count, octets] = process.argv.slice(2)
const wanted = Number(count)
let told
let came = 0
let lastCame = 0

const udp = createSocket('udp4')
udp.on('message', (message) => {
  if (message.length < 100) told = Number(message.toString().split(' ')[1])
  else {
    came++
    lastCame = performance.now()
  }
})
udp.on('error', (error) => {
  console.error(error.message)
  process.exit(1)
})
await new Promise((resolve) => udp.bind(0, resolve))
udp.setRecvBufferSize(4_194_304)

let started = performance.now()
await sendBurst(udp, wanted, Number(octets), Number(port), address)
for (let tries = 0; (told ?? 0) < wanted && tries < 40; tries++) {
  udp.send('count', Number(port), address)
  await sleep(50)
}
const out = { arrived: told ?? 0, seconds: (performance.now() - started) / 1000 }

started = performance.now()
udp.send(`send ${wanted} ${octets}`, Number(port), address)
for (let tries = 0; came < wanted && tries < 60; tries++) await sleep(50)
const back = { arrived: came, seconds: (lastCame - started) / 1000 }
udp.close()
console.log(JSON.stringify({ out, back }))
