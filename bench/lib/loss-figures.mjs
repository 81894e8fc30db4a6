// The suite `loss` in a table, in charts and in one line.
import { closerCharts } from './loss-closer.mjs'
import { digits, significant } from './words.mjs'

const NAMES = { cubic: 'CUBIC', bbr: 'BBR' }
const PATTERNS = ['random', 'bursty']
const STYLES = { plain: 'bare', tcp: 'ours', 'tcp-jumbo': 'ours-jumbo', 'tcp-bbr': 'ours-bbr', openvpn: 'peer', udp: 'ours-too' }

/** The condition that stands for all others, under each congestion control. */
const USUAL = { roundTrip: 40, pattern: 'random', loss: 3 }

export function lossTable(rows) {
  const carriers = carriersOf(rows)
  const ours = carriers.filter(([who]) => who.startsWith('tcp'))
  return [
    [
      ...['congestion control', 'round trip', 'lost', ...carriers.map(([, name]) => `${name}, Mbit/s`)],
      ...[`to OpenVPN: ${ours.map(([, name]) => name.replace('Underpass TCP, ', '')).join(' / ')}`, 'one way, 99th percentile, ms'],
    ],
    ...conditionsOf(rows).map((group) => {
      const { control, roundTrip, loss, pattern } = group[0]
      const of = (who) => group.find((row) => row.who === who)
      const cells = carriers.map(([who]) => cell(of(who), of('plain')))
      const delays = carriers.map(([who]) => of(who)?.delay?.p99).map((value) => (value === undefined ? '–' : digits(value)))
      const toPeer = ours.map(([who]) => quotient(of(who), of('openvpn'))).map((value) => (value === undefined ? '–' : `${digits(value)}×`))
      return [
        ...[NAMES[control] ?? control, `${roundTrip} ms`, `${loss} %${loss > 0 ? ` ${pattern}` : ''}`, ...cells],
        ...[toPeer.join(' / '), delays.join(' / ')],
      ]
    }),
  ]
}

export function lossCharts(rows, { megabits, closer }) {
  const overLoss = [...new Set(rows.map(({ control }) => control))].flatMap((control) =>
    [...new Set(rows.map(({ pattern }) => pattern))].flatMap((pattern) => {
      const isShown = (row) =>
        row.megabits > 0 && row.control === control && row.roundTrip === USUAL.roundTrip && (row.pattern === pattern || row.loss === 0)
      const lines = carriersOf(rows)
        .map(([who, label]) => ({
          label,
          style: STYLES[who],
          points: rows.filter((row) => row.who === who && isShown(row)).map((row) => [row.loss, row.megabits]),
        }))
        .filter(({ points }) => points.length > 1)
      if (lines.length === 0) return []
      return [
        {
          name: `loss-${control}-${pattern}`,
          title: `Goodput over loss, ${NAMES[control] ?? control}, Mbit/s`,
          subtitle: `one TCP flow on ${megabits} Mbit/s and ${USUAL.roundTrip} ms; ${pattern === 'random' ? 'independent losses' : 'losses in bursts'}`,
          across: 'packets lost each way, %',
          lines,
        },
      ]
    }),
  )
  return [...overLoss, ...closerCharts(closer)]
}

/**
 * `at3PercentAnd40ms`: goodput inside our TCP tunnel, of plain TCP's, random losses; the same with packets of up to 9,000 octets in it, with
 * BBR outside, to OpenVPN's, and for our UDP tunnel. `worstTo…`: over all conditions that were measured.
 */
export function lossSummary(rows, { checks = [], closer = [] }) {
  const of = (group, who) => group.find((row) => row.who === who)
  const conditions = conditionsOf(rows)
  const usual = (one, other) =>
    Object.fromEntries(
      Object.keys(NAMES).map((control) => {
        const group = conditions.find(([row]) => Object.entries({ ...USUAL, control }).every(([key, value]) => row[key] === value)) ?? []
        return [control, significant(quotient(of(group, one), of(group, other)))]
      }),
    )
  const worst = (one, other) =>
    significant(Math.min(...conditions.map((group) => quotient(of(group, one), of(group, other))).filter((value) => value !== undefined)))
  return {
    contenders: carriersOf(rows).map(([who, name]) => ({
      name,
      conditions: rows
        .filter((row) => row.who === who)
        .map(({ who: _, name: __, group: ___, ...row }) => ({ ...row, ofPlain: significant(quotient(row, plainOf(rows, row))) })),
    })),
    ratios: {
      at3PercentAnd40ms: usual('tcp', 'plain'),
      at3PercentAnd40msJumbo: usual('tcp-jumbo', 'plain'),
      at3PercentAnd40msOuterBbr: usual('tcp-bbr', 'plain'),
      at3PercentAnd40msToOpenVpn: usual('tcp', 'openvpn'),
      at3PercentAnd40msUdp: usual('udp', 'plain'),
      worstToOpenVpn: worst('tcp', 'openvpn'),
      worstJumboToOpenVpn: worst('tcp-jumbo', 'openvpn'),
      worstOuterBbrToOpenVpn: worst('tcp-bbr', 'openvpn'),
      worstToPlain: worst('tcp', 'plain'),
    },
    closer: closer.map(({ connections: _, ...row }) => row),
    checks,
  }
}

const keyOf = ({ control, roundTrip, pattern, loss }) => `${control} ${roundTrip} ${loss === 0 ? '' : pattern} ${loss}`

const plainOf = (rows, row) => rows.find((other) => other.who === 'plain' && keyOf(other) === keyOf(row))

const carriersOf = (rows) => [...new Map(rows.map(({ who, name }) => [who, name]))]

function conditionsOf(rows) {
  const groups = new Map()
  for (const row of rows) groups.set(keyOf(row), [...(groups.get(keyOf(row)) ?? []), row])
  return [...groups.values()].sort(([a], [b]) => inOrder(a, b))
}

/** As a reader looks things up; they are measured in another order. */
function inOrder(a, b) {
  const place = (list, value) => list.indexOf(value)
  return (
    place(Object.keys(NAMES), a.control) - place(Object.keys(NAMES), b.control) ||
    a.roundTrip - b.roundTrip ||
    place(PATTERNS, a.pattern) - place(PATTERNS, b.pattern) ||
    a.loss - b.loss
  )
}

function cell(row, plain) {
  if (row?.megabits === undefined) return row?.missing ?? '–'
  const share = row === plain ? undefined : quotient(row, plain)
  const range = row.values === undefined ? '' : ` [${digits(Math.min(...row.values))}–${digits(Math.max(...row.values))}]`
  return `${digits(row.megabits)}${range}${share === undefined ? '' : ` (${Math.round(100 * share)} %)`}`
}

function quotient(one, other) {
  return one?.megabits === undefined || !(other?.megabits > 0) ? undefined : one.megabits / other.megabits
}
