// The suites in which contenders are compared: their tables and their charts.
import { chart } from './chart.mjs'
import { lineChart } from './line-chart.mjs'
import { lossCharts, lossTable } from './loss-figures.mjs'
import { count, digits, fixed, ranged } from './words.mjs'

/** Rows of cells, the head first; a contender that could not take part is a row that says so. */
export const COMPARISONS = {
  loss: { table: lossTable, charts: lossCharts },
  throughput: {
    table: (rows) => [
      [
        ...[
          'contender',
          'carried in',
          'one flow, Gbit/s',
          'of the best peer',
          'of the bare link',
          'CPU s a GB',
          'whole machine, CPU s a GB',
        ],
        ...['reverse, Gbit/s', 'CPU s a GB', 'eight flows, Gbit/s', 'CPU s a GB', 'retransmissions'],
      ],
      ...rows.map((row) => {
        if (row.flows === undefined) return without(row, 12)
        const { forward, reverse, eight } = row.flows
        const gigabits = (one) => one.flows?.forward.gigabits.median
        const cpu = (one) => (row.group === 'bare' ? '–' : fixed(one.cpu))
        return [
          ...[row.name, row.outer, fixed(forward.gigabits), toPeer(rows, row, gigabits, Math.max), toBare(rows, row, gigabits)],
          ...[cpu(forward), fixed(forward.machineCpu), fixed(reverse.gigabits), cpu(reverse), fixed(eight.gigabits), cpu(eight)],
          count(forward.retransmits + reverse.retransmits + eight.retransmits),
        ]
      }),
    ],
    charts: (rows, { seconds }) => [
      {
        name: 'throughput',
        title: 'Throughput, one TCP flow, Gbit/s',
        subtitle: `iperf3, ${seconds} s a round, two namespaces on one machine; median, whisker from smallest to largest`,
        bars: bars(
          rows,
          (row) => row.flows?.forward.gigabits,
          (value) => digits(value),
        ),
      },
      {
        name: 'throughput-cpu',
        title: 'CPU seconds a gigabyte, one TCP flow (less is better)',
        subtitle: "the contender's own processes, both ends together, user and system time",
        bars: bars(
          rows.filter(({ group }) => group !== 'bare'),
          (row) => row.flows?.forward.cpu,
          (value) => digits(value),
        ),
      },
    ],
  },
  latency: {
    table: (rows) => [
      [
        ...[
          'contender',
          'carried in',
          'idle, median, ms',
          'idle, 99th percentile',
          'under load, median, ms',
          'under load, 99th percentile',
        ],
        ...['flow beside it, Mbit/s', 'pings lost', 'congestion control, outer / inner'],
      ],
      ...rows.map((row) => {
        if (row.idle === undefined) return without(row, 9)
        const { idle, loaded } = row
        const lost = [idle, loaded].flatMap((one) => one?.lost.values ?? []).reduce((sum, value) => sum + value, 0)
        const under = [loaded?.p50, loaded?.p99, loaded?.megabits].map(fixed)
        const controls = `${row.controls?.outer ?? '–'} / ${row.controls?.inner ?? '–'}`
        return [row.name, row.outer, fixed(idle.p50), fixed(idle.p99), ...under, count(lost), controls]
      }),
    ],
    charts: (rows, { perSecond, rate }) => [
      {
        name: 'latency-idle',
        title: 'Round trip of a ping, idle, 99th percentile, ms (less is better)',
        subtitle: `${perSecond} a second; median of the rounds, whisker from smallest to largest`,
        bars: bars(rows, (row) => row.idle?.p99, digits),
      },
      {
        name: 'latency-loaded',
        title: `Round trip of a ping beside a full flow on ${rate}/s, 99th percentile, ms (less is better)`,
        subtitle: `${perSecond} a second; median of the rounds, whisker from smallest to largest`,
        bars: bars(rows, (row) => row.loaded?.p99, digits),
      },
    ],
  },
  packets: {
    table: (rows) => [
      ['contender', 'carried in', 'packets a second', 'of the best peer', 'of the bare link', 'µs of CPU a packet, both ends'],
      ...rows.map((row) => {
        if (row.perSecond === undefined) return without(row, 6)
        const figure = (one) => one.perSecond?.median
        const more = row.isSendersLimit ? ' or more' : ''
        return [
          ...[row.name, row.outer, `${ranged(row.perSecond)}${more}`, toPeer(rows, row, figure, Math.max), toBare(rows, row, figure)],
          row.group === 'bare' ? '–' : fixed(row.cpuMicroseconds),
        ]
      }),
    ],
    charts: (rows, { octets }) => [
      {
        name: 'packets',
        title: `UDP datagrams of ${octets} octets a second without loss`,
        subtitle: 'thousands a second, client to gateway; median, whisker from smallest to largest',
        bars: bars(
          rows,
          (row) => row.perSecond,
          (value) => `${digits(value / 1e3)} k`,
        ),
      },
    ],
  },
}

/** SVG by name, for the results' folder. */
export function charts(result) {
  const { rows, ...how } = result.runs[0] ?? { rows: [] }
  if (rows.length === 0) return []
  return (COMPARISONS[result.benchmark]?.charts(rows, how) ?? []).map(({ name, ...what }) => ({
    name,
    title: what.title,
    svg: 'lines' in what ? lineChart(what) : chart(what),
  }))
}

const without = ({ name, outer, missing }, columns) => [name, outer, missing, ...Array.from({ length: columns - 3 }, () => '')]

function bars(rows, spreadOf, show) {
  return rows.map((row) => {
    const { name: label, group } = row
    const spread = spreadOf(row)
    if (spread === undefined) return { label, group, value: undefined, text: row.missing ?? 'no figure' }
    const { median: value, min, max } = spread
    return { label, group, value, min, max, text: show(value) }
  })
}

function toPeer(rows, row, figure, best) {
  if (row.group === 'bare') return ''
  const peers = rows.filter(({ group }) => group === 'peer').map(figure)
  const known = peers.filter((value) => value !== undefined)
  return known.length === 0 || figure(row) === undefined ? '–' : `${digits(figure(row) / best(...known))}×`
}

function toBare(rows, row, figure) {
  if (row.group === 'bare') return ''
  const bare = rows.find(({ group }) => group === 'bare')
  const base = bare && figure(bare)
  return base === undefined || figure(row) === undefined ? '–' : `${((100 * figure(row)) / base).toFixed(1)} %`
}
