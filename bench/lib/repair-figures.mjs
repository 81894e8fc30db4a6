// The suite `repair` in a table and in one line.
import { fixed } from './words.mjs'

/** What the page says above the table. */
export const repairText =
  () => `A live tunnel with one inner TCP connection that carries 500 octets every 5 ms, both ways, and what that connection sees when the router between the ends does something to
the outer path. Both ends keep when octets came; the longer time of both counts. **Longest time without an octet**: the gap. **From the cut to the next octet**: what was on its
way still comes after a cut, and inner TCP, which waited longer each time, may ask again some time after the repair. There is no delay on the way. Underpass (Node) with
\`transports = ["udp", "tcp:4500", "tls:443"]\` and its timers as they are by default; OpenVPN with two \`remote\`, \`--persist-tun\` and the \`keepalive 10 60\` of its manual.

- **Reset**: the firewall answers each packet of the outer connection with RST, to both ends; a new connection passes.
- **Dropped**: the outer connection's packets, and nobody is told; a new one passes.
- **Another address**: the client's is taken away, and another of the same network is there at once.`

export const repairTable = (rows) => [
  ['', 'what happens', 'longest time without an octet, s', 'from the cut to the next octet, s', 'inner connections lost'],
  ...rows.map((row) => {
    if (row.missing !== undefined) return [row.name, row.title, row.missing, '', '']
    const back = row.gap !== undefined && row.back === undefined ? 'not noticed' : fixed(row.back)
    return [row.name, row.title, fixed(row.gap), back, lostOf(row)]
  }),
]

/** Seconds; `lost`: inner connections that did not outlive it, of all rounds. */
export const repairSummary = (rows) => ({
  contenders: rows.map(({ name, cut, on, gap, back, lost, missing }) => ({
    name,
    cut,
    on,
    longestGap: gap?.median ?? null,
    backAfter: back?.median ?? null,
    ...(missing === undefined ? { lost: lost.length } : { missing }),
  })),
})

function lostOf({ lost }) {
  return lost.length === 0 ? '0' : `${lost.length}: ${[...new Set(lost)].join(', ')}`
}
