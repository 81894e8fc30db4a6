// TCP through a link that loses packets: by itself, in our tunnels, in OpenVPN's. The link is emulated (link-emulator.mjs) and checked with UDP
// before each condition. What has been measured is in a journal, so that a run can be gone on with. Needs root.
import { readFileSync } from 'node:fs'
import { needs, TUN } from '../contenders/installed.mjs'
import { percentiles } from '../lib/arrivals.mjs'
import { iperfVersion, withoutIperf } from '../lib/iperf.mjs'
import { digestOfPrograms, journal } from '../lib/loss-journal.mjs'
import { describe, FULL, keyOf, QUICK, selection, seriesOf } from '../lib/loss-plan.mjs'
import { BURST } from '../lib/losses.mjs'
import { CARRIERS, LossyEnds, MEGABITS } from '../lib/lossy-ends.mjs'
import { progress } from '../lib/progress.mjs'
import { notRoot, openLab, versionsOf } from '../lib/rounds.mjs'

/** A full run ends here, whatever is still to come. */
const MOST_SECONDS = 4_200

/** How far a link may be from what it is to be before it is said: milliseconds, a share, the share of packets that it hands on late. */
const TOLERANCE = { delay: 3, rate: 0.05, late: 0.02 }

/** `part`: 'must' or 'rest'; `at`: the conditions to measure, see `selection`; `resume`: go on with what the journal has. */
export async function run({ quick, only, part, at, resume = false }) {
  const iperf3 = await iperfVersion()
  const reason = notRoot() ?? withoutIperf(iperf3) ?? needs({}, TUN)
  if (reason !== undefined) return { rows: [], notes: [reason] }
  const notes = []
  const plan = planned(quick ? QUICK : FULL, notes)
  const carriers = CARRIERS.map((carrier) => ({ ...carrier, missing: carrier.contender.isInstalled() })).filter(({ name, group }) =>
    isWanted(name, group, only),
  )
  for (const { name, missing } of carriers) if (missing !== undefined) notes.push(`${name}: ${missing}.`)
  const taking = carriers.filter(({ missing }) => missing === undefined)
  const isSelected = selection(at, part)
  const all = seriesOf(plan)
  const isPassing = quick || only !== undefined || (at !== undefined && !resume)
  const entriesHere = new Map()
  const kept = isPassing ? { entries: entriesHere, add: (key, entry) => entriesHere.set(key, entry) } : openJournal(taking, resume)
  const deadline = performance.now() + MOST_SECONDS * 1000
  const lab = openLab()
  for (const series of all.map((points) => points.filter((point) => isSelected(point) && !kept.entries.has(keyOf(point))))) {
    if (series.length === 0 || performance.now() > deadline) continue
    const [{ control, roundTrip }] = series
    // Whose outer connection has that congestion control in any case is somebody else's row.
    const its = taking.filter(({ outerControl }) => outerControl !== control)
    try {
      await lab.in({ congestionControl: control, hasLink: false }, async (ends) => {
        const lossy = await LossyEnds.start(ends, { carriers: its, roundTrip })
        await lossy.warmUp()
        for (const point of series) {
          if (performance.now() > deadline) return
          const entry = await measured(lossy, point, its)
          if (entry.isWhole) kept.add(keyOf(point), entry)
          else kept.entries.set(keyOf(point), entry)
        }
      })
    } catch (error) {
      notes.push(`${control}, ${roundTrip} ms: ${error.message.split('\n')[0]}`)
    }
  }
  const points = all.flat()
  const entries = points.flatMap((point) => kept.entries.get(keyOf(point)) ?? [])
  const left = points.filter((point) => !kept.entries.has(keyOf(point)))
  if (left.length > 0)
    notes.push(
      `Not measured: ${left.length} of ${points.length} conditions (from ${describe(left[0])} on)${isPassing ? '' : '; --resume goes on'}.`,
    )
  return {
    ...{ megabits: MEGABITS, burst: BURST, iperf3, peers: versionsOf(taking), plan },
    rows: entries.flatMap(({ rows }) => rows),
    closer: entries.flatMap(({ closer }) => closer),
    checks: entries.map(({ check }) => check),
    notes: [...notes, ...entries.flatMap((entry) => entry.notes)],
  }
}

/** Points that were measured of other programs, or with somebody else, are no part of this run. */
function openJournal(taking, resume) {
  return journal({
    about: { programs: digestOfPrograms(), megabits: MEGABITS, burst: BURST, peers: versionsOf(taking), who: taking.map(({ who }) => who) },
    resume,
  })
}

/** What of a plan this machine can do. */
function planned({ controls, focus: { closer, ...focus }, ...plan }, notes) {
  const known = readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8').trim().split(' ')
  for (const control of controls) if (!known.includes(control)) notes.push(`This kernel has no ${control}: not measured.`)
  const withoutTcpdump = needs({ tcpdump: 'tcpdump' })
  if (withoutTcpdump !== undefined) notes.push(`No closer look: tcpdump is ${withoutTcpdump}.`)
  return {
    ...plan,
    controls: controls.filter((control) => known.includes(control)),
    focus: { ...focus, ...(withoutTcpdump === undefined ? { closer } : {}) },
  }
}

/** One condition: the link checked, everybody's flows in turn, and where the plan says so the closer look. */
async function measured(lossy, point, taking) {
  const { control, roundTrip, pattern, loss, omit, seconds, repeats, closer } = point
  const labels = { control, roundTrip, pattern, loss }
  const link = { roundTrip, pattern, loss: loss / 100 }
  const began = performance.now()
  progress(`${describe(labels)}${repeats > 1 ? `, ${repeats} times` : ''}`)
  const entry = { rows: [], closer: [], notes: [], isWhole: true }
  const failed = (name, error) => {
    entry.isWhole = false
    entry.notes.push(`${name}, ${describe(labels)}: ${error.message.split('\n')[0]}`)
  }
  await lossy.configure({ ...link, seed: 1 })
  entry.check = { ...labels, measured: checked(await lossy.check(link), labels, entry.notes) }
  const figures = new Map(taking.map(({ who }) => [who, []]))
  for (let turn = 0; turn < repeats; turn++)
    for (const carrier of taking) {
      try {
        // The same losses for everybody, counted in packets.
        const once = async () => {
          await lossy.configure({ ...link, seed: 2 + 2 * turn })
          return await lossy.measure(carrier, { seconds, omit, roundTrip })
        }
        // One turn less would be other losses than everybody else's.
        figures.get(carrier.who).push(await once().catch(once))
      } catch (error) {
        failed(carrier.name, error)
      }
    }
  for (const { who, name, group } of taking) {
    const row = { ...labels, who, name, group, seconds, ...combined(figures.get(who)) }
    entry.rows.push(row)
    if (row.late > TOLERANCE.late)
      entry.notes.push(
        `${name}, ${describe(labels)}: the link was late with ${(100 * row.late).toFixed(1)} % of the packets: a busy machine.`,
      )
  }
  if (closer !== undefined)
    for (const carrier of taking) {
      try {
        await lossy.configure({ ...link, seed: 2 })
        const { who, name, group } = carrier
        entry.closer.push({
          ...labels,
          who,
          name,
          group,
          seconds: closer,
          ...compact(await lossy.closer(carrier, { seconds: closer, roundTrip })),
        })
      } catch (error) {
        failed(`${carrier.name}, closer`, error)
      }
    }
  entry.check.took = round((performance.now() - began) / 1000)
  return entry
}

/** What a link does, as UDP saw it; far from what it is to do, it is a note. */
function checked({ loss, delay, megabits }, labels, notes) {
  const late = Math.abs(delay.p50 - labels.roundTrip / 2)
  const slow = Math.abs(megabits / (MEGABITS * (1 - labels.loss / 100)) - 1)
  if (late > TOLERANCE.delay || slow > TOLERANCE.rate)
    notes.push(`The link at ${describe(labels)} took ${round(delay.p50)} ms one way and carried ${round(megabits)} Mbit/s: a busy machine.`)
  return { loss: round(100 * loss), delay: rounded(delay), megabits: round(megabits) }
}

/** Goodput is the mean, which is that of one long run; of percentiles the median over the turns. */
function combined(figures) {
  if (figures.length === 0) return { missing: 'failed' }
  const values = figures.map(({ megabits }) => round(megabits))
  const middle = (pick) => percentiles(figures.map(pick)).p50
  const over = (name) => Object.fromEntries(Object.keys(figures[0][name]).map((key) => [key, middle((one) => one[name][key])]))
  return {
    megabits: round(values.reduce((sum, value) => sum + value, 0) / values.length),
    ...(values.length > 1 ? { values } : {}),
    retransmits: figures.reduce((sum, one) => sum + one.retransmits, 0),
    delay: over('delay'),
    burst: over('burst'),
    probesLost: round(figures.reduce((sum, one) => sum + one.probesLost, 0) / figures.length),
    controls: figures[0].controls,
    late: round(Math.max(...figures.map(({ late }) => late))),
  }
}

/** A connection's samples as columns: seconds, then octets of window, of threshold (-1: none yet), that wait unsent; segments sent again; ms. */
function compact({ connections, delay, ...rest }) {
  const columns = (samples) => ({
    mss: samples.at(-1)?.mss,
    at: samples.map(({ at }) => at),
    cwnd: samples.map(({ cwnd, mss }) => cwnd * mss),
    ssthresh: samples.map(({ ssthresh, mss }) => (ssthresh === undefined ? -1 : ssthresh * mss)),
    notSent: samples.map(({ notSent }) => notSent),
    sent: samples.map(({ sent }) => sent),
    resent: samples.map(({ resent }) => resent),
    rtt: samples.map(({ rtt }) => round(rtt)),
  })
  const named = Object.entries(connections).map(([which, samples]) => [which, columns(samples)])
  return { ...rest, megabits: round(rest.megabits), delay: rounded(delay), connections: Object.fromEntries(named) }
}

/** Without plain TCP there is nothing to compare with. */
function isWanted(name, group, only) {
  const words = only?.toLowerCase().split(',')
  return words === undefined || group === 'bare' || words.some((word) => name.toLowerCase().includes(word))
}

const round = (value) => (value === undefined ? undefined : Number(value.toPrecision(4)))

const rounded = (figures) => Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, round(value)]))
