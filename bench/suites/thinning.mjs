// One TCP flow on a link whose way back is slow, so that its acknowledgements are what limits it: by itself, in our tunnel, in our tunnel with
// fewer of them (`[tcp] thin_acks`), in OpenVPN's. Needs root.
import { bareLink } from '../contenders/bare-link.mjs'
import { needs, TUN } from '../contenders/installed.mjs'
import { openvpn } from '../contenders/openvpn.mjs'
import { underpass } from '../contenders/underpass.mjs'
import { iperfVersion, withoutIperf } from '../lib/iperf.mjs'
import { LossyEnds, MEGABITS } from '../lib/lossy-ends.mjs'
import { spread } from '../lib/measure.mjs'
import { progress } from '../lib/progress.mjs'
import { notRoot, openLab, versionsOf } from '../lib/rounds.mjs'

const CONTROL = 'cubic'
const ROUND_TRIP = 40
/** Mbit/s of the way back. */
const BACK = [50, 1, 0.5, 0.25]

const CARRIERS = [
  { who: 'plain', name: 'plain TCP', contender: bareLink },
  { who: 'tcp', name: 'Underpass TCP', port: 4500, contender: underpass({ runtime: 'node', transport: 'tcp' }) },
  {
    ...{ who: 'thin', name: 'Underpass TCP, acknowledgements thinned', port: 4501 },
    contender: underpass({ runtime: 'node', transport: 'tcp', lane: 'second', thinAcks: true }),
  },
  { who: 'openvpn', name: 'OpenVPN TCP', port: 1194, contender: openvpn },
]

export async function run({ quick, rounds: wanted }) {
  const iperf3 = await iperfVersion()
  const reason = notRoot() ?? withoutIperf(iperf3) ?? needs({}, TUN)
  if (reason !== undefined) return { rows: [], notes: [reason] }
  const { rounds, seconds } = quick ? { rounds: 1, seconds: 4 } : { rounds: wanted ?? 3, seconds: 10 }
  const carriers = CARRIERS.map((carrier) => ({ ...carrier, missing: carrier.contender.isInstalled() }))
  const notes = carriers.filter(({ missing }) => missing !== undefined).map(({ name, missing }) => `${name}: ${missing}.`)
  const taking = carriers.filter(({ missing }) => missing === undefined)
  const figures = new Map(BACK.flatMap((back) => taking.map(({ who }) => [`${who} ${back}`, []])))
  await openLab().in({ congestionControl: CONTROL, hasLink: false }, async (ends) => {
    const lossy = await LossyEnds.start(ends, { carriers: taking, roundTrip: ROUND_TRIP })
    await lossy.warmUp()
    for (const back of BACK)
      for (let round = 1; round <= rounds; round++)
        for (const carrier of taking) {
          progress(`way back of ${back} Mbit/s, round ${round} of ${rounds}: ${carrier.name}`)
          await lossy.configure({ roundTrip: ROUND_TRIP, pattern: 'random', loss: 0, seed: 1, megabitsBack: back })
          try {
            figures.get(`${carrier.who} ${back}`).push(await lossy.measure(carrier, { seconds, omit: 2, roundTrip: ROUND_TRIP }))
          } catch (error) {
            notes.push(`${carrier.name}, ${back} Mbit/s back, round ${round}: ${error.message.split('\n')[0]}`)
          }
        }
  })
  const rows = BACK.flatMap((back) =>
    taking.map(({ who, name }) => {
      const of = figures.get(`${who} ${back}`)
      return { who, name, back, ...(of.length === 0 ? { missing: 'failed' } : { megabits: spread(of.map(({ megabits }) => megabits)) }) }
    }),
  )
  return { megabits: MEGABITS, roundTrip: ROUND_TRIP, control: CONTROL, seconds, rounds, iperf3, peers: versionsOf(taking), rows, notes }
}
