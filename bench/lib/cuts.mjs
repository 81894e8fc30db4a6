// What happens to a tunnel's outer path, made by the router between its ends.
import { must } from '../../interop/lib/process.mjs'
import { CLIENT, ROUTER, RULES } from './firewall.mjs'

/** Another of the same network, as DHCP might give it. */
const OTHER_ADDRESS = '172.30.1.77'

/** `on`: what is left open, and so what the tunnel comes up on. */
const BASES = { udp: RULES.open, tcp: RULES['no-udp'], tls: RULES['only-443'] }

/**
 * In the order of the table. `apply` is given the client's outer TCP port.
 * @type {{ cut: string, on: keyof typeof BASES, title: string, apply: (at: { ends: object, firewall: object, port: () => Promise<number> }) => Promise<unknown> }[]}
 */
export const CUTS = [
  { cut: 'reset', on: 'tcp', title: 'TCP: the connection is reset', apply: forConnection('tcp', 'counter reject with tcp reset') },
  { cut: 'reset', on: 'tls', title: 'TLS: the connection is reset', apply: forConnection('tls', 'counter reject with tcp reset') },
  { cut: 'stall', on: 'tcp', title: "TCP: the connection's packets are dropped", apply: forConnection('tcp', 'counter drop') },
  { cut: 'address', on: 'udp', title: "UDP: the client's address is another", apply: readdress },
  { cut: 'address', on: 'tcp', title: "TCP: the client's address is another", apply: readdress },
  {
    cut: 'udp-blocked',
    on: 'udp',
    title: 'UDP is dropped from now on',
    apply: ({ firewall }) => firewall.allow(RULES['no-udp']),
  },
]

/** Before the tunnel is begun. */
export async function prepare({ firewall }, { on }) {
  await firewall.allow(BASES[on])
}

/** As it was, for the next. */
export async function undo({ ends }) {
  const { stdout } = await ends.in(ends.client, ['ip', '-4', '-o', 'addr', 'show', 'dev', 'outer'])
  if (stdout.includes(OTHER_ADDRESS)) await move(ends, OTHER_ADDRESS, CLIENT)
}

/** Both ends hear of it, or neither; another connection of the same two passes. */
function forConnection(on, verdict) {
  return async ({ firewall, port }) => {
    const number = await port()
    await firewall.allow([`tcp sport ${number} ${verdict}`, `tcp dport ${number} ${verdict}`, ...BASES[on]])
  }
}

function readdress({ ends }) {
  return move(ends, CLIENT, OTHER_ADDRESS)
}

async function move(ends, from, to) {
  const lines = [`addr del ${from}/24 dev outer`, `addr add ${to}/24 dev outer`, `route replace default via ${ROUTER}`]
  await must(['ip', '-n', ends.client, '-batch', '-'], { input: `${lines.join('\n')}\n` })
}
