/**
 * The transports of one peer, in the order of preference, and what is remembered of them: those that did not get through on this network lately
 * are given no start over others (RFC 9329 §5.1, T-FB-4).
 */
import type { DialConfig, TransportOption } from '../config.ts'
import type { Core } from '../core.ts'

/** With the address that it goes to. */
export type Way = TransportOption & { readonly address: string }

export class TransportList {
  readonly #peer: string
  readonly #ways: readonly Way[]
  readonly #hasSeveralAddresses: boolean
  /** By network and transport: until when. */
  readonly #blockedUntil = new Map<string, Map<string, number>>()
  #network = ''

  constructor(peer: string, { address, transports }: DialConfig) {
    this.#peer = peer
    this.#ways = transports.map((option) => ({ ...option, address: option.address ?? address }))
    this.#hasSeveralAddresses = new Set(this.#ways.map((way) => way.address)).size > 1
  }

  get length(): number {
    return this.#ways.length
  }

  /** How many there are for an IKE SA that is up. */
  get lengthForMoves(): number {
    return this.#ways.length
  }

  at(index: number): Way {
    return this.#ways[index]!
  }

  /** 'udp:500', 'tcp:4500 at 192.0.2.1' where the peer has several addresses, 'tls:443 via http://proxy:3128'. */
  nameOf(index: number): string {
    const way = this.at(index)
    const name = describeTransport(way)
    return this.#hasSeveralAddresses ? `${name} at ${way.address}` : name
  }

  hasUdpBefore(index: number): boolean {
    return this.#ways.slice(0, index).some(({ transport }) => transport === 'udp')
  }

  isBlocked(core: Core, index: number): boolean {
    return (this.#ofNetwork().get(this.nameOf(index)) ?? Number.NEGATIVE_INFINITY) > core.now
  }

  block(core: Core, index: number): void {
    this.#remember(core, index, core.config.timers.blocked)
  }

  unblock(core: Core, index: number): void {
    if (this.#ofNetwork().has(this.nameOf(index))) this.#remember(core, index, 0)
  }

  /** What was known on `network` before: said by whoever kept it. */
  recall(core: Core, network: string, transport: string, milliseconds: number): void {
    const known = this.#blockedUntil.get(network) ?? new Map<string, number>()
    this.#blockedUntil.set(network, known.set(transport, core.now + milliseconds))
  }

  /** Another network, or the same once more. One without a name is never known again. */
  enter(network: string): void {
    this.#blockedUntil.delete('')
    this.#network = network
  }

  #remember(core: Core, index: number, milliseconds: number): void {
    const transport = this.nameOf(index)
    const known = this.#ofNetwork()
    if (milliseconds > 0) known.set(transport, core.now + milliseconds)
    else known.delete(transport)
    core.event({ kind: 'transport-remembered', peer: this.#peer, network: this.#network, transport, blockedForMilliseconds: milliseconds })
  }

  #ofNetwork(): Map<string, number> {
    const known = this.#blockedUntil.get(this.#network) ?? new Map<string, number>()
    this.#blockedUntil.set(this.#network, known)
    return known
  }
}

function describeTransport(option: TransportOption): string {
  if (option.transport === 'tcp' && option.carrier !== undefined) return option.carrier
  return `${option.transport}:${option.port}`
}
