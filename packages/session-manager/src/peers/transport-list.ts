/**
 * The transports of one peer, in the order of preference, and what is remembered of them: those that did not get through on this network lately
 * are given no start over others (RFC 9329 §5.1, T-FB-4).
 */
import type { DialConfig, TransportOption } from '../config.ts'
import type { Core } from '../core.ts'

/** With the address that it goes to. */
export type Way = TransportOption & { readonly address: string }

export type StreamWay = Extract<Way, { transport: 'tcp' }>

export class TransportList {
  readonly #peer: string
  readonly #configured: readonly Way[]
  /** Behind them those to the other addresses that the peer named. */
  #ways: readonly Way[]
  /** By network and transport: until when. */
  readonly #blockedUntil = new Map<string, Map<string, number>>()
  #network = ''

  constructor(peer: string, { address, transports }: DialConfig) {
    this.#peer = peer
    this.#configured = transports.map((option) => ({ ...option, address: option.address ?? address }))
    this.#ways = this.#configured
  }

  get length(): number {
    return this.#configured.length
  }

  /** How many there are for an IKE SA that is up: with the other addresses that its peer named. */
  get lengthForMoves(): number {
    return this.#ways.length
  }

  get hasStream(): boolean {
    return this.#ways.some(({ transport }) => transport === 'tcp')
  }

  at(index: number): Way {
    return this.#ways[index]!
  }

  /** 'udp:500', 'tcp:4500 at 192.0.2.1' where the peer has several addresses, 'tls:443 via http://proxy:3128'. */
  nameOf(index: number): string {
    const way = this.at(index)
    const name = describeTransport(way)
    return this.#ways.every(({ address }) => address === way.address) ? name : `${name} at ${way.address}`
  }

  hasUdpBefore(index: number): boolean {
    return this.#ways.slice(0, index).some(({ transport }) => transport === 'udp')
  }

  /** The peer's other addresses (RFC 4555 §3.4): each by every transport that leads straight there. What it named before stays, as the last resort. */
  learn(addresses: readonly string[]): void {
    const known = new Set(this.#ways.map(({ address }) => address))
    const first = this.#configured[0]!.address
    const templates = this.#configured.filter((way) => way.address === first && !(way.transport === 'tcp' && way.isProxied === true))
    for (const address of addresses) if (!known.has(address)) this.#ways = [...this.#ways, ...templates.map((way) => ({ ...way, address }))]
  }

  /** Another IKE SA, which may be with another machine. */
  unlearn(): void {
    this.#ways = this.#configured
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
