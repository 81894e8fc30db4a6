// One pair of ends with a lossy link, in a process of its own beside others: it is told what to measure and answers with an entry a condition.
import { argv, exit } from 'node:process'
import { measured } from './loss-points.mjs'
import { CARRIERS, LossyEnds } from './lossy-ends.mjs'
import { openLab } from './rounds.mjs'

/** `who`: of the carriers; `points`: of one congestion control and one round trip; `until`: on the clock of `Date.now`. */
const { points, who, until } = JSON.parse(argv[2])
const [{ control, roundTrip }] = points
const taking = CARRIERS.filter((carrier) => who.includes(carrier.who))
// Whoever asked is gone: nobody would end this one.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
try {
  await openLab().in({ congestionControl: control, hasLink: false }, async (ends) => {
    const lossy = await LossyEnds.start(ends, { carriers: taking, roundTrip })
    await lossy.warmUp()
    for (const point of points) {
      if (Date.now() > until) return
      const entry = await measured(lossy, point, taking)
      await new Promise((resolve) => process.send({ point, entry }, resolve))
    }
  })
  exit(0)
} catch (error) {
  process.send({ failed: error.message.split('\n')[0] }, () => exit(1))
}
