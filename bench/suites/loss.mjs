// TCP through a link that loses packets: by itself, in our tunnels, in OpenVPN's. The link is emulated (link-emulator.mjs) and checked with UDP
// before each condition. What has been measured is in a journal, so that a run can be gone on with. Needs root.
import { readFileSync } from 'node:fs'
import { needs, TUN } from '../contenders/installed.mjs'
import { iperfVersion, withoutIperf } from '../lib/iperf.mjs'
import { digestOfPrograms, journal } from '../lib/loss-journal.mjs'
import { measureInLabs } from '../lib/loss-labs.mjs'
import { describe, FULL, keyOf, QUICK, selection, seriesOf } from '../lib/loss-plan.mjs'
import { BURST } from '../lib/losses.mjs'
import { CARRIERS, MEGABITS } from '../lib/lossy-ends.mjs'
import { notRoot, versionsOf } from '../lib/rounds.mjs'

/** A full run ends here, whatever is still to come. */
const MOST_SECONDS = 3_600

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
  const pending = all.map((points) => points.filter((point) => isSelected(point) && !kept.entries.has(keyOf(point))))
  await measureInLabs(longestFirst(pending.filter((points) => points.length > 0)), {
    // Whose outer connection has that congestion control in any case is somebody else's row.
    who: ([{ control }]) => taking.filter(({ outerControl }) => outerControl !== control).map(({ who }) => who),
    until: Date.now() + MOST_SECONDS * 1000,
    onEntry: (point, entry) => (entry.isWhole ? kept.add(keyOf(point), entry) : kept.entries.set(keyOf(point), entry)),
    onFailure: ([{ control, roundTrip }], why) => notes.push(`${control}, ${roundTrip} ms: ${why}`),
  })
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

/** Whoever is free takes the next: a long one at the end would be alone. */
function longestFirst(series) {
  const length = (points) => points.reduce((sum, { omit, seconds, repeats }) => sum + repeats * (omit + seconds), 0)
  return series.sort((one, other) => length(other) - length(one))
}

/** Without plain TCP there is nothing to compare with. */
function isWanted(name, group, only) {
  const words = only?.toLowerCase().split(',')
  return words === undefined || group === 'bare' || words.some((word) => name.toLowerCase().includes(word))
}
