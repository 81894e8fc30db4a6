// The suite `pauses` in tables and in one line.
import { count, digits } from './words.mjs'

export const pausesTable = (rows) => [
  [
    ...['carried in', 'flow', 'end', 'Gbit/s', 'collections', 'longest, ms', 'median, ms', 'over 5 ms', 'of the time'],
    ...['heap, octets a packet', 'by the sampling profiler'],
  ],
  ...rows.map((row) => [
    ...[row.transport.toUpperCase(), row.flow, row.end, digits(row.gigabits), count(row.collections), digits(row.longest)],
    ...[digits(row.median), count(row.long), `${(100 * row.share).toFixed(2)} %`],
    ...[digits(row.octetsPerPacket), digits(row.sampledOctetsPerPacket)],
  ]),
]

/** Who allocates at least an octet a packet, at an end that has such. */
export function pausesMoreTables({ rows }) {
  const lines = rows.flatMap((row) =>
    row.functions
      .filter(({ octetsPerPacket }) => octetsPerPacket >= 1)
      .map(({ name, octetsPerPacket }) => [row.transport.toUpperCase(), row.flow, row.end, name, digits(octetsPerPacket)]),
  )
  return lines.length === 0
    ? []
    : [{ title: 'Where it is allocated', head: ['carried in', 'flow', 'end', 'function', 'octets a packet'], rows: lines }]
}

/** Over all ends and flows. `longestMilliseconds` and `long` (pauses over 5 ms) are those of the runs together. */
export function pausesSummary(rows) {
  const most = (key) => (rows.length === 0 ? null : Math.max(...rows.map((row) => row[key])))
  return {
    contenders: [],
    ratios: {
      longestMilliseconds: most('longest'),
      long: rows.length === 0 ? null : rows.reduce((sum, { long }) => sum + long, 0),
      octetsPerPacket: most('octetsPerPacket'),
    },
    ends: rows.map(({ transport, flow, end, collections, longest, long, octetsPerPacket }) => ({
      ...{ transport, flow, end, collections, longest, long, octetsPerPacket },
    })),
  }
}
