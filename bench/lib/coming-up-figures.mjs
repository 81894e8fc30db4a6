// The suite `coming-up` in a table and in one line.
import { digits, fixed, significant } from './words.mjs'

const KNOWN_BY = { disk: 'by a file on disk', process: 'within one process' }

export const comingUpTable = (rows) => [
  [
    ...['', 'network', 'carried in', 'from its start to the first ping, s', 'of it, until it tries the first transport'],
    ...['from trying to up, as it says', 'from trying to the first ping', 'more than open'],
  ],
  ...rows.map((row) => {
    const network = row.knownBy === undefined ? row.title : `${row.title} ${KNOWN_BY[row.knownBy] ?? row.knownBy}`
    if (row.missing !== undefined) return [row.name, network, row.carriedIn, row.missing, '', '', '', '']
    const more = row.group === 'ours' && row.network !== 'open' ? moreThanOpen(rows, row) : undefined
    return [
      ...[row.name, network, row.carriedIn, ...[row.fromStart, row.starting, row.trying, row.pingFromTrying].map(fixed)],
      more === undefined ? '' : `${digits(more)} s`,
    ]
  }),
]

/** Seconds. `more`: than on an open network, from trying to the first ping: 2 are wanted at most where a network is new, and 0.3 where it is known. */
export const comingUpSummary = (rows) => ({
  contenders: rows.map((row) => ({
    name: `${row.name}, ${row.title}`,
    seconds: row.fromStart?.median ?? null,
    tryingToUp: row.trying?.median ?? null,
    tryingToPing: row.pingFromTrying?.median ?? null,
    ...(row.knownBy === undefined ? {} : { knownBy: row.knownBy }),
    ...(row.missing === undefined ? {} : { missing: row.missing }),
  })),
  more: Object.fromEntries(
    rows
      .filter(({ group, network }) => group === 'ours' && network !== 'open')
      .map((row) => [row.how === 'known' ? `${row.network}-known` : row.network, significant(moreThanOpen(rows, row))]),
  ),
})

/** Without the start of the process, which is the same everywhere and spreads more. */
function moreThanOpen(rows, row) {
  const open = rows.find(({ group, network }) => group === 'ours' && network === 'open')
  return row.pingFromTrying?.median - open?.pingFromTrying?.median
}
