// An ordinary program that sends UDP datagrams to server.mjs, then has as many sent back. In volleys, each counted before the next:
// what is missing then was lost on the way, not in the buffer of a busy reader. burst.mjs ADDRESS PORT COUNT OCTETS
import { createSocket } from 'node:dgram'
import { setTimeout as sleep } from 'node:timers/promises'

const VOLLEY = 50

const [address, port, count, octets] = process.argv.slice(2)
const payload = Buffer.alloc(Number(octets), 'x')
let counted = 0
let came = 0

const udp = createSocket('udp4')
udp.on('message', (message) => {
  if (message.length === payload.length) came++
  else counted = Number(message.toString().split(' ')[1])
})
await new Promise((resolve) => udp.bind(0, resolve))

let started = performance.now()
for (let sent = 0; sent < Number(count); ) {
  for (let i = 0; i < VOLLEY && sent < Number(count); i++, sent++) udp.send(payload, Number(port), address)
  await until(() => counted >= sent, 'count')
}
const out = { arrived: counted, seconds: (performance.now() - started) / 1000 }

started = performance.now()
for (let asked = 0; asked < Number(count); ) {
  const volley = Math.min(VOLLEY, Number(count) - asked)
  asked += volley
  udp.send(`send ${volley} ${octets}`, Number(port), address)
  await until(() => came >= asked)
}
const back = { arrived: came, seconds: (performance.now() - started) / 1000 }
udp.close()
console.log(JSON.stringify({ out, back }))

/** Or until 200 ms have gone without it. Asks `question` now and then. */
async function until(isSo, question) {
  const deadline = performance.now() + 200
  while (!isSo() && performance.now() < deadline) {
    if (question !== undefined) udp.send(question, Number(port), address)
    await sleep(2)
  }
}
