// Several TCP flows through a link that loses packets: in one tunnel, and in as many tunnels (an IKE SA, a Child SA and a TCP connection each) as
// there are flows. Needs root.

import { bareLink } from '../contenders/bare-link.mjs'
import { needs, TUN } from '../contenders/installed.mjs'
import { underpass } from '../contenders/underpass.mjs'
import { iperfVersion, withoutIperf } from '../lib/iperf.mjs'
import { LossyEnds, MEGABITS } from '../lib/lossy-ends.mjs'
import { progress } from '../lib/progress.mjs'
import { notRoot, openLab } from '../lib/rounds.mjs'

const CONTROL = 'cubic'
const ROUND_TRIP = 40
/** Percent of the packets of each direction. */
const LOSSES = [0, 1, 3]
const LANES = ['first', 'second', 'third', 'fourth']

const PLAIN = { who: 'plain', contender: bareLink }
const TUNNELS = LANES.map((lane) => ({ who: lane, contender: underpass({ runtime: 'node', transport: 'tcp', lane }) }))

/** Whose flows go where. */
const WAYS = [
  { way: 'plain', name: 'plain TCP', flows: [{ who: 'plain', parallel: LANES.length }] },
  { way: 'one', name: 'one tunnel, one connection', flows: [{ who: 'first', parallel: LANES.length }] },
  { way: 'each', name: 'a tunnel and a connection for each flow', flows: LANES.map((who) => ({ who, parallel: 1 })) },
]

export async function run({ quick, rounds: wanted }) {
  const iperf3 = await iperfVersion()
  const reason = notRoot() ?? withoutIperf(iperf3) ?? needs({}, TUN) ?? TUNNELS[0].contender.isInstalled()
  if (reason !== undefined) return { rows: [], notes: [reason] }
  const { rounds, seconds } = quick ? { rounds: 1, seconds: 5 } : { rounds: wanted ?? 3, seconds: 20 }
  const rows = LOSSES.flatMap((loss) => WAYS.map(({ way, name }) => ({ way, name, loss, values: [] })))
  const notes = []
  await openLab().in({ congestionControl: CONTROL, hasLink: false }, async (ends) => {
    const lossy = await LossyEnds.start(ends, { carriers: [PLAIN, ...TUNNELS], roundTrip: ROUND_TRIP })
    await lossy.warmUp()
    for (const loss of LOSSES)
      for (let round = 0; round < rounds; round++)
        for (const { way, name, flows } of WAYS) {
          progress(`${loss} %, round ${round + 1} of ${rounds}: ${name}`)
          await lossy.configure({ roundTrip: ROUND_TRIP, pattern: 'random', loss: loss / 100, seed: 2 + 2 * round })
          try {
            const megabits = await lossy.together(flows, { seconds, omit: 1, roundTrip: ROUND_TRIP })
            rows.find((row) => row.way === way && row.loss === loss).values.push(Number(megabits.toPrecision(4)))
          } catch (error) {
            notes.push(`${name}, ${loss} %, round ${round + 1}: ${error.message.split('\n')[0]}`)
          }
        }
  })
  const how = { megabits: MEGABITS, roundTrip: ROUND_TRIP, control: CONTROL, flows: LANES.length, seconds, rounds, iperf3 }
  return { ...how, rows: rows.map((row) => ({ ...row, megabits: mean(row.values) })), notes }
}

const mean = (values) =>
  values.length === 0 ? undefined : Number((values.reduce((sum, value) => sum + value, 0) / values.length).toPrecision(4))
