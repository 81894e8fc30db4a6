/**
 * The transports of one peer, in the order of preference, to each of its addresses, and what is remembered of them: those that did not get
 * through on this network lately are given no start over others (RFC 9329 §5.1, T-FB-4).
 */
import type { DialConfig, TransportOption } from '../config.ts'
import type { Command } from '../contract.ts'
import type { Core } from '../core.ts'
import type { PeerStatus } from '../status.ts'

/** With the address that it goes to. */
export type Way = TransportOption & { readonly address: string }

export type StreamWay = Extract<Way, { transport: 'tcp' }>

/** Nothing came back by it, or IKE_SA_INIT was answered, and IKE_AUTH or ESP never passed. */
export type Blocking = 'silent' | 'half-way'

type Known = Extract<Command, { kind: 'remember-transport' }>

interface Blocked {
  readonly until: number
  readonly how: Blocking
}

/** A peer that names ever more of them is heard no further. */
const MAX_LEARNED = 8

/** Of a peer whose addresses change for months. */
const MAX_NAMES = 256

export class TransportList {
  readonly #peer: string
  readonly #address: string
  /** What the list is to be from the next race or move on. */
  #given: readonly Way[]
  /** Addresses that the peer named itself (RFC 4555 §3.4). */
  #learned: readonly string[] = []
  #ways: readonly Way[]
  /** By network and transport. */
  readonly #blocked = new Map<string, Map<string, Blocked>>()
  #network = ''
  /** By transport and address. */
  readonly #names = new Map<string, string>()

  constructor(peer: string, { address, transports }: DialConfig) {
    this.#peer = peer
    this.#address = address
    this.#given = this.#waysOf(transports)
    this.#ways = this.#given
  }

  /** The peer has other addresses. The list stays as it is until `renew`. False: that is known. */
  offer(transports: readonly TransportOption[]): boolean {
    const offered = this.#waysOf(transports)
    const isKnown = offered.length === this.#given.length && offered.every((way, i) => isSameWay(way, this.#given[i]!))
    this.#given = offered
    return !isKnown
  }

  /**
   * The list becomes what was offered last. `index`: what an IKE SA rides, whose address is known to be the peer's and goes before its others.
   * Answers where that is now: at the end, where it would not be there any more.
   */
  renew(index?: number): number {
    const kept = index === undefined ? undefined : this.#ways[index]
    this.#ways = this.#given
    if (kept === undefined) return 0
    this.#ways = preferring(kept.address, this.#given)
    this.#ways = [...this.#ways, ...this.#learnedWays()]
    const place = this.#ways.findIndex((way) => isSameWay(way, kept))
    if (place >= 0) return place
    this.#ways = [...this.#ways, kept]
    return this.#ways.length - 1
  }

  get length(): number {
    return this.#ways.length
  }

  get hasStream(): boolean {
    return this.#ways.some(({ transport }) => transport === 'tcp')
  }

  at(index: number): Way {
    return this.#ways[index]!
  }

  /**
   * 'udp:500', 'tcp:4500 at 192.0.2.1' where the peer has several addresses, 'tls:443 via http://proxy:3128'. What it was called once it is called
   * always, and nothing else is, whatever the list becomes: what is remembered of it and what was tried go by its name.
   */
  nameOf(index: number): string {
    const way = this.at(index)
    const plain = describeTransport(way)
    const key = `${plain} ${way.address}`
    const known = this.#names.get(key)
    if (known !== undefined) return known
    const isOneOfSeveral = this.#given.some((other) => other.address !== way.address && describeTransport(other) === plain)
    const isAnothers = [...this.#names.values()].includes(plain)
    const name = isOneOfSeveral || isAnothers ? `${plain} at ${way.address}` : plain
    for (const oldest of this.#names.keys()) if (this.#names.size >= MAX_NAMES) this.#names.delete(oldest)
    this.#names.set(key, name)
    return name
  }

  hasUdpBefore(index: number): boolean {
    return this.#ways.slice(0, index).some(({ transport }) => transport === 'udp')
  }

  /**
   * The peer's other addresses, each by every transport that leads straight there. They replace those that it named before (RFC 4555 §3.6), from
   * the next move on. Answers whether they are others than before.
   */
  learn(addresses: readonly string[]): boolean {
    const before = this.#learned
    this.#learned = addresses.slice(0, MAX_LEARNED)
    return before.join() !== this.#learned.join()
  }

  isBlocked(core: Core, index: number): boolean {
    return this.#howBlocked(core, index) !== undefined
  }

  isBlockedHalfWay(core: Core, index: number): boolean {
    return this.#howBlocked(core, index) === 'half-way'
  }

  block(core: Core, index: number, how: Blocking): void {
    this.#remember(core, index, core.config.timers.blocked, how)
  }

  unblock(core: Core, index: number): void {
    if (this.#ofNetwork().has(this.nameOf(index))) this.#remember(core, index, 0)
  }

  /** On this network, now. */
  blocked(now: number): NonNullable<PeerStatus['blocked']> {
    return [...this.#ofNetwork()].flatMap(([transport, { until }]) =>
      until > now ? [{ transport, forMilliseconds: Math.round(until - now) }] : [],
    )
  }

  /** What was known on `network` before: said by whoever kept it. */
  recall(core: Core, { network, transport, blockedForMilliseconds, isHalfWay }: Known): void {
    const known = this.#blocked.get(network) ?? new Map<string, Blocked>()
    const how = isHalfWay === true ? 'half-way' : 'silent'
    this.#blocked.set(network, known.set(transport, { until: core.now + blockedForMilliseconds, how }))
  }

  /** Another network, or the same once more. One without a name is never known again. */
  enter(network: string): void {
    this.#blocked.delete('')
    this.#network = network
  }

  #howBlocked(core: Core, index: number): Blocking | undefined {
    const blocked = this.#ofNetwork().get(this.nameOf(index))
    return blocked && blocked.until > core.now ? blocked.how : undefined
  }

  #remember(core: Core, index: number, blockedForMilliseconds: number, how: Blocking = 'silent'): void {
    const transport = this.nameOf(index)
    const known = this.#ofNetwork()
    if (blockedForMilliseconds > 0) known.set(transport, { until: core.now + blockedForMilliseconds, how })
    else known.delete(transport)
    const isHalfWay = how === 'half-way' ? { isHalfWay: true } : {}
    core.event({
      kind: 'transport-remembered',
      peer: this.#peer,
      network: this.#network,
      transport,
      blockedForMilliseconds,
      ...isHalfWay,
    })
  }

  #waysOf(transports: readonly TransportOption[]): readonly Way[] {
    return transports.map((option) => ({ ...option, address: option.address ?? this.#address }))
  }

  /** Those that the list does not have yet. */
  #learnedWays(): Way[] {
    const known = new Set(this.#ways.map(({ address }) => address))
    const first = this.#given[0]!.address
    const templates = this.#given.filter((way) => way.address === first && !(way.transport === 'tcp' && way.isProxied === true))
    return this.#learned.flatMap((address) => (known.has(address) ? [] : templates.map((way) => ({ ...way, address }))))
  }

  #ofNetwork(): Map<string, Blocked> {
    const known = this.#blocked.get(this.#network) ?? new Map<string, Blocked>()
    this.#blocked.set(this.#network, known)
    return known
  }
}

/** 'udp:500', 'tcp:4500', 'tls:443 via http://proxy:3128', with the framing where it is not the RFC's. */
export function describeTransport(option: TransportOption): string {
  if (option.transport === 'udp') return `udp:${option.port}`
  const framing = option.framing === 'rfc9329' ? '' : ` (${option.framing} framing)`
  return `${option.carrier ?? `tcp:${option.port}`}${framing}`
}

/** RFC 8305 §4: among the ways by one transport. */
function preferring(address: string, ways: readonly Way[]): readonly Way[] {
  let run = 0
  const placed = ways.map((way, i) => {
    if (i > 0 && describeTransport(way) !== describeTransport(ways[i - 1]!)) run++
    return { way, run, isOther: way.address !== address }
  })
  return placed.sort((a, b) => a.run - b.run || Number(a.isOther) - Number(b.isOther)).map(({ way }) => way)
}

function isSameWay(one: Way, other: Way): boolean {
  if (one.address !== other.address || describeTransport(one) !== describeTransport(other)) return false
  return one.transport === 'tcp' || (other.transport === 'udp' && one.natPort === other.natPort)
}
