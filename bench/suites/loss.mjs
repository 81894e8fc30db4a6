// TCP through a link that loses packets: by itself, in our tunnels, in OpenVPN's. The link is emulated (link-emulator.mjs) and checked with UDP
// before each condition. Needs root.
import { readFileSync } from 'node:fs'
import { needs, TUN } from '../contenders/installed.mjs'
import { iperfVersion, withoutIperf } from '../lib/iperf.mjs'
import { BURST } from '../lib/losses.mjs'
import { CARRIERS, LossyEnds, MEGABITS } from '../lib/lossy-ends.mjs'
import { progress } from '../lib/progress.mjs'
import { notRoot, openLab, versionsOf } from '../lib/rounds.mjs'

const FULL = {
  controls: ['cubic', 'bbr'],
  roundTrips: [10, 40, 100],
  losses: [0, 0.1, 0.5, 1, 2, 3, 5],
  patterns: ['random', 'bursty'],
  omit: 1,
  seconds: 3,
}
const QUICK = { controls: ['cubic'], roundTrips: [40], losses: [0, 1, 3], patterns: ['random'], omit: 1, seconds: 5 }
/** A full run ends here, whatever is still to come. */
const MOST_SECONDS = 2_100

/** How far a checked link may be from what it is to be before it is said: milliseconds, a share. */
const TOLERANCE = { delay: 3, rate: 0.05 }

export async function run({ quick, only }) {
  const iperf3 = await iperfVersion()
  const reason = notRoot() ?? withoutIperf(iperf3) ?? needs({}, TUN)
  if (reason !== undefined) return { rows: [], notes: [reason] }
  const plan = quick ? QUICK : FULL
  const notes = []
  const carriers = CARRIERS.map((carrier) => ({ ...carrier, missing: carrier.contender.isInstalled() })).filter(({ name, group }) =>
    isWanted(name, group, only),
  )
  for (const { name, missing } of carriers) if (missing !== undefined) notes.push(`${name}: ${missing}.`)
  const taking = carriers.filter(({ missing }) => missing === undefined)
  const rows = []
  const checks = []
  const deadline = performance.now() + MOST_SECONDS * 1000
  const lab = openLab()
  const isLate = () => performance.now() > deadline
  for (const series of seriesOf(plan, notes)) {
    if (isLate()) {
      notes.push(`Not measured for want of time: ${series.control}, ${series.roundTrip} ms, ${series.pattern}.`)
      continue
    }
    try {
      await lab.in({ congestionControl: series.control, hasLink: false }, async (ends) => {
        const lossy = await LossyEnds.start(ends, { carriers: taking, roundTrip: series.roundTrip })
        await lossy.warmUp()
        for (const loss of series.losses) {
          if (isLate()) return notes.push(`Not measured for want of time: ${describe({ ...series, loss })}.`)
          await condition(lossy, { ...series, loss, ...plan, taking }, { rows, checks, notes })
        }
      })
    } catch (error) {
      notes.push(`${series.control}, ${series.roundTrip} ms, ${series.pattern}: ${error.message.split('\n')[0]}`)
    }
  }
  return {
    ...{ megabits: MEGABITS, seconds: plan.seconds, omit: plan.omit, burst: BURST, iperf3, peers: versionsOf(taking) },
    rows,
    checks,
    notes,
  }
}

/** Losses ascend within a series: what an outer connection has learnt of a worse link is not a better one's. */
function seriesOf({ controls, roundTrips, losses, patterns }, notes) {
  const available = readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8').trim().split(' ')
  const here = controls.filter((control) => available.includes(control))
  for (const control of controls) if (!here.includes(control)) notes.push(`This kernel has no ${control}: not measured.`)
  return here.flatMap((control) =>
    roundTrips.flatMap((roundTrip) =>
      // Without a loss the pattern is of nothing.
      patterns.map((pattern, i) => ({ control, roundTrip, pattern, losses: i === 0 ? losses : losses.filter((loss) => loss > 0) })),
    ),
  )
}

async function condition(lossy, { control, roundTrip, pattern, loss, taking, omit, seconds }, { rows, checks, notes }) {
  const link = { roundTrip, pattern, loss: loss / 100 }
  const labels = { control, roundTrip, pattern, loss }
  progress(describe(labels))
  await lossy.configure({ ...link, seed: 1 })
  const check = await lossy.check(link)
  checks.push({ ...labels, measured: { loss: round(100 * check.loss), delay: rounded(check.delay), megabits: round(check.megabits) } })
  const late = Math.abs(check.delay.p50 - roundTrip / 2)
  const slow = Math.abs(check.megabits / (MEGABITS * (1 - loss / 100)) - 1)
  if (late > TOLERANCE.delay || slow > TOLERANCE.rate)
    notes.push(
      `The link at ${describe(labels)} took ${round(check.delay.p50)} ms one way and carried ${round(check.megabits)} Mbit/s: a busy machine.`,
    )
  for (const { who, name, group } of taking) {
    try {
      // The same losses for everybody, counted in packets.
      await lossy.configure({ ...link, seed: 2 })
      const { megabits, retransmits, delay, burst, probesLost } = await lossy.measure(who, { seconds, omit, roundTrip })
      rows.push({
        ...labels,
        who,
        name,
        group,
        megabits: round(megabits),
        retransmits,
        delay: rounded(delay),
        burst,
        probesLost: round(probesLost),
      })
    } catch (error) {
      rows.push({ ...labels, who, name, group, missing: 'failed' })
      notes.push(`${name}, ${describe(labels)}: ${error.message.split('\n')[0]}`)
    }
  }
}

/** Without plain TCP there is nothing to compare with. */
function isWanted(name, group, only) {
  return (
    only === undefined ||
    group === 'bare' ||
    only
      .toLowerCase()
      .split(',')
      .some((word) => name.toLowerCase().includes(word))
  )
}

const describe = ({ control, roundTrip, pattern, loss }) => `${control}, ${roundTrip} ms, ${loss} %${loss > 0 ? ` ${pattern}` : ''}`

const round = (value) => (value === undefined ? undefined : Number(value.toPrecision(4)))

const rounded = (figures) => Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, round(value)]))
