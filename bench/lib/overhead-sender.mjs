// UDP datagrams one at a time or at a rate; a helper (helper.mjs).
import { createSocket } from 'node:dgram'
import { setTimeout as sleep } from 'node:timers/promises'
import { answer } from './helper-end.mjs'

const PORT = 5301
const socket = createSocket('udp4')

answer({
  /** With `milliseconds` between each and the next, or `perSecond`; answers how many were sent. */
  async send({ address, octets, count, milliseconds, perSecond }) {
    const started = performance.now()
    for (let sent = 0; sent < count; ) {
      const due = milliseconds === undefined ? Math.min(count, ((performance.now() - started) * perSecond) / 1000) : sent + 1
      for (; sent < due; sent++) await new Promise((resolve) => socket.send(Buffer.alloc(octets), PORT, address, resolve))
      await sleep(milliseconds ?? 1)
    }
    return count
  },
})
console.log('ready')
