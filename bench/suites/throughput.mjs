// iperf3 through every contender, in three shapes: one flow each way and eight together. CPU time beside each. Needs root.
import { CONTENDERS, KEPT_ON_CORES, OVER_TLS } from '../contenders/index.mjs'
import { flow, iperfVersion, startIperf, withoutIperf } from '../lib/iperf.mjs'
import { spread } from '../lib/measure.mjs'
import { notRoot, rounds, versionsOf } from '../lib/rounds.mjs'

const FLOWS = {
  forward: {},
  reverse: { reverse: true },
  eight: { parallel: 8 },
}

export async function run({ quick, only, rounds: count = quick ? 1 : 5 }) {
  const iperf3 = await iperfVersion()
  const reason = notRoot() ?? withoutIperf(iperf3)
  if (reason !== undefined) return { rows: [], notes: [reason] }
  const seconds = quick ? 2 : 5
  const controls = new Set()
  const among = [...CONTENDERS, ...OVER_TLS, ...KEPT_ON_CORES]
  const { entries, notes } = await rounds({ rounds: count, only, among }, async (ends, address) => {
    await startIperf(ends, address)
    // The first seconds of ours are compilation; everybody has one.
    await flow(ends, address, { seconds: 1 })
    const figures = {}
    for (const [name, how] of Object.entries(FLOWS)) figures[name] = await flow(ends, address, { ...how, seconds })
    controls.add(figures.forward.congestionControl)
    return figures
  })
  return {
    iperf3,
    rounds: count,
    seconds,
    congestionControl: [...controls].join(', '),
    peers: versionsOf(entries),
    rows: entries.map(row),
    notes,
  }
}

function row({ contender: { name, group, outer, labels }, missing, figures }) {
  if (missing !== undefined) return { name, group, outer, ...labels, missing }
  const flows = Object.fromEntries(
    Object.keys(FLOWS).map((flowName) => {
      const of = (key) => spread(figures.map((round) => round[flowName][key]))
      const retransmits = figures.reduce((sum, round) => sum + round[flowName].retransmits, 0)
      return [flowName, { gigabits: of('gigabits'), cpu: of('cpu'), machineCpu: of('machineCpu'), retransmits }]
    }),
  )
  return { name, group, outer, ...labels, flows }
}
