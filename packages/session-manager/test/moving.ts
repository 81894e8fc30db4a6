/** A pair that has three ways to each other, and what the tests of moves between them ask. */
import type { TransportOption } from '../src/index.ts'
import type { Node } from './network.ts'
import { Pair, type PairOptions, TCP, UDP } from './pair.ts'

const TLS: TransportOption = { transport: 'tcp', port: 443, framing: 'rfc9329', carrier: 'tls:443' }

/** Connected, by the best way that `options.link` leaves. */
export function up(options: PairOptions = {}): Pair {
  const pair = new Pair({ transports: [UDP, TCP, TLS], ...options })
  pair.connect()
  return pair
}

/** The client hears that its network is another. */
export function change(pair: Pair, milliseconds = 3_000): void {
  pair.input(pair.client, { kind: 'network-changed' })
  pair.run(milliseconds)
}

/** Of both ends alike. */
export function transportOf(pair: Pair): string | undefined {
  const [client, gateway] = [pair.client, pair.gateway].map((node) => pair.saOf(node).path?.transport)
  return client === gateway ? client : `${client} and ${gateway}`
}

export function spisOf(pair: Pair): unknown {
  const of = (node: Node): unknown => {
    const sa = pair.saOf(node)
    return [sa.initiatorSpi, sa.responderSpi, ...[...sa.children].flatMap((child) => [child.inboundSpi, child.outboundSpi])]
  }
  return [of(pair.client), of(pair.gateway)]
}
