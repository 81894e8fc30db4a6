// The closer look of the suite `loss`: congestion windows over time, and what comes out at once behind an outer retransmission.
import { percentiles } from './arrivals.mjs'
import { count, digits } from './words.mjs'

const NAMES = { cubic: 'CUBIC', bbr: 'BBR' }
const STYLES = { 'plain inner': 'bare', 'tcp outer': 'ours', 'tcp inner': 'ours-too', 'openvpn outer': 'peer', 'openvpn inner': 'peer-too' }

export function closerTables(closer = []) {
  return controlsOf(closer).flatMap((control) => {
    const rows = closer.filter((row) => row.control === control)
    const where = `${NAMES[control] ?? control}, ${rows[0].roundTrip} ms, ${rows[0].loss} % ${rows[0].pattern}`
    return [
      {
        title: `TCP connections over time, ${where}`,
        head: [
          ...['connection', 'window, median, kB', 'smallest–largest', 'slow start threshold, median, kB', 'sent again, segments'],
          ...['of those sent', 'smoothed round trip, median, ms', 'unsent in the socket, median, kB'],
        ],
        rows: rows.flatMap(({ who, name, connections }) =>
          Object.entries(connections).map(([which, one]) => [title(who, name, which), ...windows(one)]),
        ),
      },
      {
        title: `What arrives behind the tunnel, ${where}`,
        head: [
          ...['carrier', 'one way, median / 90 / 99 / largest, ms', 'datagrams lost', 'packets in a burst, median / 99 / largest'],
          ...[
            'bursts after an outer retransmission',
            'of them empty',
            'packets in one, median / 90 / largest',
            'silence before it, median / 99, ms',
          ],
        ],
        rows: rows.map(arrivals),
      },
    ]
  })
}

export function closerCharts(closer = []) {
  return controlsOf(closer).flatMap((control) => {
    const rows = closer.filter((row) => row.control === control)
    const { roundTrip, loss, seconds } = rows[0]
    const lines = rows.flatMap(({ who, name, connections }) =>
      Object.entries(connections).flatMap(([which, { at, cwnd }]) => {
        const style = STYLES[`${who} ${which}`]
        const points = at.map((second, i) => [second, cwnd[i] / 1e3]).filter(([second]) => second <= seconds)
        const label = title(who, name, which).replace(' TCP,', ',')
        return style === undefined || points.length === 0 ? [] : [{ label, style, points }]
      }),
    )
    if (lines.length === 0) return []
    return [
      {
        name: `loss-windows-${control}`,
        title: `Congestion window over time, ${NAMES[control] ?? control}, kB`,
        subtitle: `one TCP flow, ${roundTrip} ms, ${loss} % lost each way; outer connection drawn through, the flow inside it dashed`,
        across: 'seconds',
        ticks: Array.from({ length: Math.floor(seconds / 2) + 1 }, (_, i) => 2 * i),
        lines,
      },
    ]
  })
}

const controlsOf = (closer) => [...new Set(closer.map(({ control }) => control))]

const title = (who, name, which) => (who === 'plain' ? name : `${name}, ${which}`)

function windows({ mss, cwnd, ssthresh, notSent, sent, resent, rtt }) {
  const window = percentiles(cwnd)
  const thresholds = ssthresh.filter((value) => value >= 0)
  const again = (resent.at(-1) ?? 0) - (resent[0] ?? 0)
  const all = ((sent.at(-1) ?? 0) - (sent[0] ?? 0)) / mss
  return [
    ...[
      kilo(window.p50),
      `${kilo(Math.min(...cwnd))}–${kilo(window.max)}`,
      thresholds.length === 0 ? '–' : kilo(percentiles(thresholds).p50),
    ],
    ...[
      count(again),
      all > 0 ? `${((100 * again) / all).toFixed(1)} %` : '–',
      digits(percentiles(rtt).p50 ?? 0),
      kilo(percentiles(notSent).p50),
    ],
  ]
}

function arrivals({ name, delay, probesLost, bursts: { any, afterRetransmission: after } }) {
  const list = (...values) => values.map((value) => (value === undefined ? '–' : digits(value))).join(' / ')
  const counts = (...values) => values.map((value) => (value === undefined ? '–' : count(value))).join(' / ')
  const about = [
    name,
    list(delay.p50, delay.p90, delay.p99, delay.max),
    `${(100 * probesLost).toFixed(1)} %`,
    counts(any.p50, any.p99, any.max),
  ]
  if (after === undefined) return [...about, '–', '–', '–', '–']
  return [
    ...about,
    count(after.count),
    count(after.empty),
    counts(after.p50, after.p90, after.max),
    list(after.silence.p50, after.silence.p99),
  ]
}

const kilo = (octets) => (octets === undefined ? '–' : digits(octets / 1e3))
