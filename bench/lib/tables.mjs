// A benchmark's result as tables of text, for the terminal and for the page.

import { comingUpTable } from './coming-up-figures.mjs'
import { COMPARISONS } from './comparisons.mjs'
import { connectionsTable } from './connections-figures.mjs'
import { closerTables } from './loss-closer.mjs'
import { overheadTable } from './overhead-figures.mjs'
import { pausesMoreTables, pausesTable } from './pauses-figures.mjs'
import { repairTable } from './repair-figures.mjs'
import { scaleMoreTables, scaleTable } from './scale-figures.mjs'
import { thinningTable } from './thinning-figures.mjs'
import { count, gigabits, octets, ranged, ratio } from './words.mjs'
import { workersMoreTables, workersTable } from './workers-figures.mjs'

/**
 * @typedef {{ title: string, head: string[], rows: string[][] }} Table
 * @returns {Table[]} one for each runtime that was measured, and where a benchmark has more to say, more
 */
export function tables(result) {
  return result.runs.flatMap((run) => {
    const { runtime, rows } = run
    if (rows.length === 0) return []
    const [head, ...cells] = (COMPARISONS[result.benchmark]?.table ?? TABLES[result.benchmark])(rows)
    const more = MORE_TABLES[result.benchmark]?.(run) ?? []
    return [{ title: result.runs.length > 1 ? `On ${runtime}` : '', head, rows: cells }, ...more]
  })
}

const MORE_TABLES = {
  scale: scaleMoreTables,
  workers: workersMoreTables,
  pauses: pausesMoreTables,
  loss: ({ closer }) => closerTables(closer),
}

const TABLES = {
  'coming-up': comingUpTable,
  repair: repairTable,
  connections: connectionsTable,
  thinning: thinningTable,
  overhead: overheadTable,
  scale: scaleTable,
  workers: workersTable,
  pauses: pausesTable,
  deframer: (rows) => [
    ['frame', 'frames in a CPU second', 'frames in a second', 'Gbit/s'],
    ...rows.map((row) => [octets(row.size), ranged(row.perCpuSecond), ranged(row.perSecond), gigabits(row.perCpuSecond, row.size)]),
  ],
  esp: (rows) => {
    const providers = [...new Set(rows.map((row) => row.provider))]
    const groups = groupBy(rows, espKey)
    return [
      ['cipher', 'packet', '', ...providers, 'openssl : noble', 'openssl, Gbit/s'],
      ...[...groups.values()].map((group) => {
        const of = (provider) => group.find((row) => row.provider === provider)?.perCpuSecond
        const { transform, size, operation } = group[0]
        return [
          transform,
          octets(size),
          operation,
          ...providers.map((provider) => ranged(of(provider))),
          ratio(of('openssl'), of('noble')),
          gigabits(of('openssl'), size),
        ]
      }),
    ]
  },
  ike: (rows) => {
    const groups = groupBy(rows, (row) => row.what)
    return [
      ['', 'noble', 'node', 'node : noble'],
      ...[...groups.entries()].map(([what, group]) => {
        const of = (provider) => group.find((row) => row.provider === provider)?.perCpuSecond
        return [what, ranged(of('noble')), ranged(of('node')), ratio(of('node'), of('noble'))]
      }),
    ]
  },
  handshakes: (rows) => [
    ['', 'key exchange', 'both ends, in a CPU second', "gateway's end alone", "client's end alone", 'both ends, in a second'],
    ...rows.map((row) => [
      row.who ?? 'Underpass',
      row.keyExchange,
      ranged(row.perCpuSecond),
      ranged(row.gatewayPerCpuSecond),
      ranged(row.clientPerCpuSecond),
      ranged(row.perSecond),
    ]),
  ],
  memory: (rows) => [
    ['ESP cipher', 'clients', 'heap, octets a client', 'outside the heap', 'together', 'resident set'],
    ...rows.map((row) => [
      row.provider,
      String(row.clients),
      ranged(row.heap),
      ranged(row.external),
      count(row.total),
      count(row.resident),
    ]),
  ],
  core: (rows) => [
    [
      'wire',
      'packet',
      'batch',
      'cipher',
      'packets in a CPU second',
      'packets in a second',
      'Gbit/s',
      'heap, octets a packet',
      'array buffers',
    ],
    ...rows.map((row) => [
      row.transport.toUpperCase(),
      octets(row.size),
      String(row.batch),
      row.provider,
      ranged(row.perCpuSecond),
      ranged(row.perSecond),
      gigabits(row.perCpuSecond, row.size),
      row.heapPerPacket ? count(row.heapPerPacket.median) : '–',
      row.arrayBuffersPerPacket ? count(row.arrayBuffersPerPacket.median) : '–',
    ]),
  ],
  tun: (rows) => [
    ['device', 'packets', 'packets in a CPU second', 'µs of CPU a packet', 'packets in a second', 'Gbit/s', 'lost'],
    ...rows.map((row) => [
      row.device,
      row.shape,
      ranged(row.perCpuSecond),
      (1e6 / row.perCpuSecond.median).toFixed(1),
      ranged(row.perSecond),
      gigabits(row.perSecond, row.size),
      count(row.lost),
    ]),
  ],
}

export function asText({ title, head, rows }) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)))
  const lines = [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  )
  return `${title === '' ? '' : `${title}\n`}${lines.map((line) => `  ${line}`).join('\n')}`
}

export function asMarkdown({ title, head, rows }) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return `${title === '' ? '' : `${title}:\n\n`}${[line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')}`
}

const espKey = (row) => `${row.transform} ${row.size} ${row.operation}`

function groupBy(rows, keyOf) {
  const groups = new Map()
  for (const row of rows) groups.set(keyOf(row), [...(groups.get(keyOf(row)) ?? []), row])
  return groups
}
