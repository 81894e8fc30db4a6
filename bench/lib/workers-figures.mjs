// The suite `workers` in a table, in words and in one line.
import { digits, fixed } from './words.mjs'

export const workersTable = (rows) => [
  [
    ...['carried in', 'gateway', 'cores', 'Gbit/s', 'of one worker', 'gateway, CPU s a GB', 'load, CPU s a GB', 'load to gateway'],
    ...['gateway, of a core', 'load, of a core', "gateway's threads, of a core", 'lost'],
  ],
  ...rows.map((row) => [
    ...[row.transport.toUpperCase(), row.name, String(row.cores), fixed(row.gigabits)],
    ...[times(quotient(row, one(rows, row.transport), 'gigabits')), fixed(row.gatewayCpu)],
    ...[fixed(row.generatorCpu), percent(row.generatorCpu.median / row.gatewayCpu.median), percent(row.gatewayShare.median)],
    ...[percent(row.generatorShare.median), row.threadShares.slice(0, 4).map(percent).join(', ')],
    row.lost > 0 ? `${(100 * row.lost).toFixed(2)} %` : '0',
  ]),
]

/** The arithmetic, with the figures of this run. */
export function workersMoreTables({ rows }) {
  return transportsOf(rows).flatMap((transport) => {
    const ratios = ratiosOf(rows, transport)
    if (ratios.twoWorkersToOne === null) return []
    const [alone, both] = [one(rows, transport), two(rows, transport)]
    const [cost, load] = [alone.gatewayCpu.median, both.generatorCpu.median].map(digits)
    const lines = [
      ['as measured, the load on the same two cores', ratios.twoWorkersToOne, 'Gbit/s by Gbit/s'],
      [
        'the most that two cores allow with this load on them',
        ratios.mostWithThisLoad,
        `2 cores / (${cost} + ${load} s a GB), by 1 core / ${cost} s a GB`,
      ],
      ['if the load were free', ratios.ifTheLoadWereFree, `2 cores / ${digits(both.gatewayCpu.median)} s a GB, by 1 core / ${cost} s a GB`],
      ['two cores to one, gateway and load on them', ratios.twoCoresToOne, 'Gbit/s by Gbit/s, both with their load'],
    ]
    return [
      {
        title: `Two workers to one, over ${transport.toUpperCase()}`,
        head: ['', 'ratio', 'how'],
        rows: lines.map(([what, ratio, how]) => [what, times(ratio ?? Number.NaN), how]),
      },
    ]
  })
}

/**
 * `twoWorkersToOne`: as measured. `mostWithThisLoad`: what two workers at one worker's cost could reach beside the load. `ifTheLoadWereFree`:
 * what their CPU time says of two cores for the gateway alone. `twoCoresToOne`: measured, each side paying for its own load. `ratios` are TCP's.
 */
export const workersSummary = (rows) => ({
  contenders: rows.map((row) => ({
    ...{ name: `${row.transport.toUpperCase()}, ${row.name}`, gbits: row.gigabits.median, cpuSecondsPerGB: row.gatewayCpu.median },
    ...{ loadCpuSecondsPerGB: row.generatorCpu.median, gatewayCores: row.gatewayShare.median, loadCores: row.generatorShare.median },
  })),
  ratios: ratiosOf(rows, 'tcp'),
  udp: ratiosOf(rows, 'udp'),
})

function ratiosOf(rows, transport) {
  const [alone, both] = [one(rows, transport), two(rows, transport)]
  const oneCore = rows.find((row) => row.transport === transport && row.cores === 1)
  const cost = (row) => row?.gatewayCpu.median
  const ratios = {
    twoWorkersToOne: quotient(both, alone, 'gigabits'),
    mostWithThisLoad: (2 * cost(alone)) / (cost(alone) + both?.generatorCpu.median),
    ifTheLoadWereFree: (2 * cost(alone)) / cost(both),
    twoCoresToOne: quotient(both, oneCore, 'gigabits'),
  }
  return Object.fromEntries(
    Object.entries(ratios).map(([name, value]) => [name, Number.isFinite(value) ? Number(value.toPrecision(4)) : null]),
  )
}

const transportsOf = (rows) => [...new Set(rows.map(({ transport }) => transport))]
const one = (rows, transport) => rows.find((row) => row.transport === transport && row.workers === 1 && row.cores > 1)
const two = (rows, transport) => rows.find((row) => row.transport === transport && row.workers === 2)
const quotient = (row, other, key) => row?.[key].median / other?.[key].median
const times = (value) => (Number.isFinite(value) ? `${digits(value)}×` : '–')
const percent = (share) => `${(100 * share).toFixed(0)} %`
