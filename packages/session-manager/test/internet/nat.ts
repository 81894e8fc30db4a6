/** A NAT by the words of RFC 4787 (UDP) and RFC 5382 (TCP): how it maps, what it lets in, how long it remembers. */
import type { Endpoint } from '../../src/index.ts'
import { type Clock, type Direction, type Hop, type IcmpError, type IpPacket, type Relay, rstFor, textOf } from './packet.ts'

export interface NatBehaviour {
  /** RFC 4787 §4.1: whether the port that others see is one for all of them, or one for each. */
  mapping: 'endpoint-independent' | 'address-and-port-dependent'
  /** RFC 4787 §5: who may answer. */
  filtering: 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent'
  /** Milliseconds. RFC 4787 REQ-5: two minutes at the least, five and more recommended. */
  udpTimeout: number
  /** RFC 5382 REQ-5: two hours and four minutes at the least. */
  tcpTimeout: number
  /** RFC 4787 REQ-6: what goes out refreshes; REQ-6a: what comes in may. */
  refreshesInbound: boolean
  /** What becomes of a segment from behind it of a connection that it does not know, as after a reboot. */
  unknownStreams: 'dropped' | 'reset' | 'adopted'
}

export const GOOD_NAT: NatBehaviour = {
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  udpTimeout: 300_000,
  tcpTimeout: 7_440_000,
  refreshesInbound: false,
  unknownStreams: 'dropped',
}

interface Mapping {
  readonly key: string
  readonly internal: Endpoint
  readonly port: number
  /** To whom something went. */
  readonly peers: Endpoint[]
  refreshedAt: number
}

type Protocol = 'udp' | 'tcp'

export class Nat implements Hop {
  readonly external: string
  readonly behaviour: NatBehaviour
  readonly #clock: Clock
  readonly #byInternal = new Map<string, Mapping>()
  readonly #byPort = new Map<string, Mapping>()
  #nextPort = 20_000

  constructor(clock: Clock, external: string, behaviour: Partial<NatBehaviour> = {}) {
    this.#clock = clock
    this.external = external
    this.behaviour = { ...GOOD_NAT, ...behaviour }
  }

  /** All is forgotten: UDP gets other ports, connections are lost. */
  reboot(): void {
    this.#byInternal.clear()
    this.#byPort.clear()
  }

  /** As `reboot`, for UDP alone: what goes out next is seen to come from another port. */
  rebind(): void {
    for (const map of [this.#byInternal, this.#byPort]) for (const [key] of map) if (key.startsWith('udp')) map.delete(key)
  }

  /** Mappings that are in force. */
  get size(): number {
    return [...this.#byInternal.values()].filter((mapping) => !this.#isOver(mapping)).length
  }

  take(packet: IpPacket, direction: Direction, relay: Relay): void {
    const { body } = packet
    if (body.protocol === 'icmp') this.#takeIcmp(packet, body, direction, relay)
    else if (direction === 'out') this.#takeOut(packet, body.protocol, relay)
    else this.#takeIn(packet, body.protocol, relay)
  }

  #takeOut(packet: IpPacket, protocol: Protocol, relay: Relay): void {
    const mapping = this.#mappingFor(packet, protocol) ?? this.#newMapping(packet, protocol, relay)
    if (!mapping) return
    mapping.refreshedAt = this.#clock.now
    if (!mapping.peers.some((peer) => textOf(peer) === textOf(packet.destination))) mapping.peers.push(packet.destination)
    relay.forward({ ...packet, source: { address: this.external, port: mapping.port } })
  }

  #takeIn(packet: IpPacket, protocol: Protocol, relay: Relay): void {
    const mapping = this.#live(this.#byPort.get(`${protocol} ${packet.destination.port}`))
    if (!mapping || !this.#mayEnter(mapping, packet.source, protocol)) return
    if (this.behaviour.refreshesInbound || protocol === 'tcp') mapping.refreshedAt = this.#clock.now
    relay.forward({ ...packet, destination: mapping.internal })
  }

  /** RFC 4787 REQ-12: it passes, with what it is about as it was before, and ends no mapping. */
  #takeIcmp(packet: IpPacket, body: IcmpError, direction: Direction, relay: Relay): void {
    const { about } = body
    if (about.body.protocol === 'icmp') return
    const { protocol } = about.body
    if (direction === 'in') {
      const mapping = this.#live(this.#byPort.get(`${protocol} ${about.source.port}`))
      if (mapping)
        relay.forward({ ...packet, destination: mapping.internal, body: { ...body, about: { ...about, source: mapping.internal } } })
      return
    }
    const mapping = this.#live(this.#byInternal.get(this.#keyOf(protocol, about.destination, about.source)))
    if (!mapping) return
    const seen = { address: this.external, port: mapping.port }
    relay.forward({ ...packet, source: seen, body: { ...body, about: { ...about, destination: seen } } })
  }

  #mappingFor({ source, destination }: IpPacket, protocol: Protocol): Mapping | undefined {
    return this.#live(this.#byInternal.get(this.#keyOf(protocol, source, destination)))
  }

  /** RFC 4787 REQ-3: no port is used twice. */
  #newMapping(packet: IpPacket, protocol: Protocol, relay: Relay): Mapping | undefined {
    const { source, destination, body } = packet
    if (body.protocol === 'tcp' && body.flag !== 'syn' && this.behaviour.unknownStreams !== 'adopted') {
      if (this.behaviour.unknownStreams === 'reset' && body.flag !== 'rst') relay.back(rstFor(destination, source, body.ack ?? 0))
      return undefined
    }
    while (this.#live(this.#byPort.get(`${protocol} ${this.#nextPort}`))) this.#advance()
    const key = this.#keyOf(protocol, source, destination)
    const mapping = { key, internal: source, port: this.#nextPort, peers: [], refreshedAt: this.#clock.now }
    this.#byInternal.set(key, mapping)
    this.#byPort.set(`${protocol} ${mapping.port}`, mapping)
    this.#advance()
    return mapping
  }

  #advance(): void {
    this.#nextPort = this.#nextPort === 65_535 ? 20_000 : this.#nextPort + 1
  }

  #live(mapping: Mapping | undefined): Mapping | undefined {
    if (!mapping || !this.#isOver(mapping)) return mapping
    this.#byInternal.delete(mapping.key)
    this.#byPort.delete(`${mapping.key.slice(0, 3)} ${mapping.port}`)
    return undefined
  }

  #isOver({ key, refreshedAt }: Mapping): boolean {
    const { udpTimeout, tcpTimeout } = this.behaviour
    return this.#clock.now - refreshedAt >= (key.startsWith('udp') ? udpTimeout : tcpTimeout)
  }

  #mayEnter({ peers }: Mapping, { address, port }: Endpoint, protocol: Protocol): boolean {
    const { filtering } = this.behaviour
    if (filtering === 'endpoint-independent') return true
    const isDependentOnPort = protocol === 'tcp' || filtering === 'address-and-port-dependent'
    return peers.some((peer) => peer.address === address && (!isDependentOnPort || peer.port === port))
  }

  /** A connection is one of two ends, however datagrams are mapped. */
  #keyOf(protocol: Protocol, internal: Endpoint, remote: Endpoint): string {
    const isDependent = protocol === 'tcp' || this.behaviour.mapping === 'address-and-port-dependent'
    return `${protocol} ${textOf(internal)}${isDependent ? ` ${textOf(remote)}` : ''}`
  }
}
