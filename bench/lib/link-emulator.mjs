// A link with a rate, a round trip and losses, between two TUN devices; a helper (helper.mjs). For kernels without netem. The devices are
// made here and moved into the namespaces of the two ends by whoever asked for them.
import { argv } from 'node:process'
import { openTun } from '@underpass/tun-device'
import { answer } from './helper-end.mjs'
import { LinkDirection } from './link-direction.mjs'
import { losses } from './losses.mjs'

const MTU = 1500

const devices = argv.slice(2).map((name) => openTun({ name, mtu: MTU, offload: false }))
const directions = devices.map(() => new LinkDirection())
let isTicking = false

answer({
  start() {
    for (const [i, device] of devices.entries())
      device.start((batch) => {
        directions[i].arrive(batch, performance.now())
        if (!isTicking) tick()
      })
  },

  /**
   * Direction 0 is from the first device to the second, direction 1 the way back, which may have another rate. `roundTrip` in milliseconds; the
   * queue of each direction holds one round trip's worth, and ten packets at least.
   */
  configure({ megabits, megabitsBack = megabits, roundTrip, pattern, loss, seed }) {
    for (const [i, direction] of directions.entries()) {
      const octetsPerMillisecond = ((i === 0 ? megabits : megabitsBack) * 1e6) / 8 / 1000
      const queueOctets = Math.max(octetsPerMillisecond * roundTrip, 10 * MTU)
      const isLost = losses({ pattern, loss, seed: seed + i })
      direction.configure({ octetsPerMillisecond, delay: roundTrip / 2, queueOctets, isLost })
    }
  },

  counters: () => directions.map(({ counters }) => counters),
})
console.log('ready')

/** Once a millisecond while anything is under way. */
function tick() {
  const now = performance.now()
  for (const [i, direction] of directions.entries()) direction.deliver(devices[1 - i], now)
  isTicking = directions.some(({ isIdle }) => !isIdle)
  if (isTicking) setTimeout(tick, 1)
}
