// The suite `coming-up` in a table and in one line.
import { digits, fixed, significant } from './words.mjs'

/** What the page says above the table. */
export const comingUpText = ({
  resolution,
  rows,
}) => `From the start of \`underpass up\` (Node) to the first answered ping through the tunnel, with \`transports = ["udp", "tcp:4500", "tls:443", "tls:443 via http://…"]\`
on every network. Between the two ends is a router whose firewall (nftables) drops without a word; there is no delay on the way, so that what is left is
what each program waits for. Pings go out every ${resolution} ms from before the start on.

- **From its start**: the process, from \`exec\` on. **Until it tries**: reading its code and its configuration, the device. **From trying to up**: by
  its own events, \`transport-tried\` and \`tunnel-up\`.
- **More than open**: from trying to the first ping, beside the open network's. Wanted is at most 2 s where a network is new, 0.3 s where it is known.
- **Known**: ${KNOWN_BY_AT_LENGTH[rows?.find(({ knownBy }) => knownBy !== undefined)?.knownBy] ?? 'nothing was known.'}
- **Only an HTTP proxy**: tinyproxy with Basic authentication; the client has no other way out.
- **The others**, where UDP is dropped and all else is open. Libreswan as initiator with \`enable-tcp=fallback\`, in a guest whose kernel has ESP in TCP (emulated: its IKE_AUTH
  alone takes a second or two), to our gateway; \`retransmit-timeout\` is 60 s by default. OpenVPN with two \`remote\`, UDP and TCP, as its manual has it;
  \`connect-timeout\` is 120 s by default. openconnect asks by TLS in the first place.`

const KNOWN_BY_AT_LENGTH = {
  disk: 'a process before has written to disk that UDP does not get through here.',
  process: 'one process, whose gateway says goodbye and is started again; from when it tries anew. There is no start of a process in it.',
}
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
