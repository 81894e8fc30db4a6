// Round-trip times of ping through every contender: idle, and beside a TCP flow that fills a link of 50 Mbit/s. Needs root.
import { setTimeout as sleep } from 'node:timers/promises'
import { needs } from '../contenders/installed.mjs'
import { flow, iperfVersion, startIperf, withoutIperf } from '../lib/iperf.mjs'
import { spread } from '../lib/measure.mjs'
import { pings } from '../lib/pings.mjs'
import { notRoot, rounds, versionsOf } from '../lib/rounds.mjs'

const RATE = '50mbit'
/**
 * Octets that may wait for the link: 6 ms of its rate. What TCP needs to fill it without a round trip, and so short that whoever waits
 * longer waits in a contender's own queues.
 */
const QUEUE = 37_500
const MEGABITS = 50
const PER_SECOND = 20
/** What TwoEnds sets; checked beside each flow. */
const CONTROL = 'cubic'
/** How much longer than the queue the bare link's pings may take: their own time on it, and the machine's. */
const TOLERANCE_MILLISECONDS = 1

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
    unlimited = await ends.limit({ rate: RATE, queue: QUEUE }).then(
      () => undefined,
      (error) => `Under load: not measured, the kernel has no tbf (${error.message.split('\n')[0]}).`,
    )
    return { idle, loaded: unlimited === undefined ? await loaded(ends, address, loadedSeconds) : undefined }
  })
  if (unlimited !== undefined) notes.push(unlimited)
  const queueMilliseconds = (QUEUE * 8) / (MEGABITS * 1000)
  const rows = entries.map(row)
  notes.push(...wrongControls(rows), ...wrongLink(rows, queueMilliseconds))
  return {
    rounds: count,
    rate: RATE,
    queue: { octets: QUEUE, milliseconds: queueMilliseconds },
    congestionControl: CONTROL,
    perSecond: PER_SECOND,
    idleSeconds,
    loadedSeconds,
    peers: versionsOf(entries),
    rows,
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
  const measured = sleep(1_200).then(async () => {
    const controls = await ends.congestionControls(address)
    return { ...(await pings(ends, address, { count: seconds * PER_SECOND, interval: 1 / PER_SECOND })), controls }
  })
  const [{ gigabits, retransmits }, times] = await Promise.all([flowing, measured])
  return { ...times, megabits: gigabits * 1000, retransmits }
}

function row({ contender: { name, group, outer, labels }, missing, figures }) {
  if (missing !== undefined) return { name, group, outer, ...labels, missing }
  const of = (which) => {
    const known = figures.map((round) => round[which]).filter((one) => one !== undefined)
    if (known.length === 0) return undefined
    const names = Object.keys(known[0]).filter((key) => key !== 'controls')
    return Object.fromEntries(names.map((key) => [key, spread(known.map((one) => one[key]))]))
  }
  return { name, group, outer, ...labels, controls: controlsOf(figures), idle: of('idle'), loaded: of('loaded') }
}

/** As ss(8) saw them beside the flow, over all rounds. */
function controlsOf(figures) {
  const seen = (which) => [...new Set(figures.flatMap(({ loaded: one }) => one?.controls[which] ?? []))].join('+')
  return { outer: seen('outer') || undefined, inner: seen('inner') || undefined }
}

const wrongControls = (rows) =>
  rows.flatMap(({ name, controls = {} }) =>
    Object.entries(controls)
      .filter(([, control]) => control !== undefined && control !== CONTROL)
      .map(([which, control]) => `${name}: the ${which} connection used ${control}, not ${CONTROL}.`),
  )

function wrongLink(rows, queueMilliseconds) {
  const bare = rows.find(({ group }) => group === 'bare')?.loaded?.p99.median
  if (bare === undefined || bare <= queueMilliseconds + TOLERANCE_MILLISECONDS) return []
  return [`The bare link's pings took ${bare} ms beside a full flow: more than its queue of ${queueMilliseconds} ms.`]
}
