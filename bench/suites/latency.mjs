// Round-trip times of ping through every contender: idle, and beside a TCP flow that fills a link of 50 Mbit/s. Needs root.
import { setTimeout as sleep } from 'node:timers/promises'
import { needs } from '../contenders/installed.mjs'
import { flow, iperfVersion, startIperf, withoutIperf } from '../lib/iperf.mjs'
import { spread } from '../lib/measure.mjs'
import { pings } from '../lib/pings.mjs'
import { notRoot, rounds, versionsOf } from '../lib/rounds.mjs'

const RATE = '50mbit'
const PER_SECOND = 20

export async function run({ quick, only, rounds: count = quick ? 1 : 5 }) {
  const reason = notRoot() ?? withoutIperf(await iperfVersion()) ?? withoutPing()
  if (reason !== undefined) return { rows: [], notes: [reason] }
  const idleSeconds = quick ? 3 : 8
  const loadedSeconds = quick ? 3 : 6
  // Without tbf the idle figures are still to be had.
  let unlimited
  const takesPart = ({ labels }) => labels?.cipher !== 'chacha'
  const { entries, notes } = await rounds({ rounds: count, only, takesPart }, async (ends, address) => {
    await startIperf(ends, address)
    await flow(ends, address, { seconds: 1 })
    const idle = await pings(ends, address, { count: idleSeconds * PER_SECOND, interval: 1 / PER_SECOND })
    unlimited = await ends.limit(RATE).then(
      () => undefined,
      (error) => `Under load: not measured, the kernel has no tbf (${error.message.split('\n')[0]}).`,
    )
    return { idle, loaded: unlimited === undefined ? await loaded(ends, address, loadedSeconds) : undefined }
  })
  if (unlimited !== undefined) notes.push(unlimited)
  return {
    rounds: count,
    rate: RATE,
    perSecond: PER_SECOND,
    idleSeconds,
    loadedSeconds,
    peers: versionsOf(entries),
    rows: entries.map(row),
    notes,
  }
}

const withoutPing = () => {
  const missing = needs({ ping: 'iputils-ping' })
  return missing && `ping is ${missing}; there are no figures.`
}

/** The flow has a second to fill the link before the first ping, and goes on a second after the last. */
async function loaded(ends, address, seconds) {
  const flowing = flow(ends, address, { seconds: seconds + 2 })
  const measured = sleep(1_200).then(() => pings(ends, address, { count: seconds * PER_SECOND, interval: 1 / PER_SECOND }))
  const [{ gigabits }, times] = await Promise.all([flowing, measured])
  return { ...times, megabits: gigabits * 1000 }
}

function row({ contender: { name, group, outer, labels }, missing, figures }) {
  if (missing !== undefined) return { name, group, outer, ...labels, missing }
  const of = (which) => {
    const known = figures.map((round) => round[which]).filter((one) => one !== undefined)
    if (known.length === 0) return undefined
    return Object.fromEntries(Object.keys(known[0]).map((key) => [key, spread(known.map((one) => one[key]))]))
  }
  return { name, group, outer, ...labels, idle: of('idle'), loaded: of('loaded') }
}
