/** A firewall at the host's side: by transport and by the port of the far end, packets pass or do not, and in several ways. */
import type { DatagramKind, Endpoint } from '../../src/index.ts'
import { type Direction, type Hop, type IpPacket, icmpFor, type Relay, rstFor, type Segment, spanOf, textOf } from './packet.ts'

export interface Rule {
  /** What is left out is any. */
  readonly transport?: 'udp' | 'tcp'
  /** Of the far end. */
  readonly port?: number
  /** Of datagrams, told by the Non-ESP marker: IKE may pass where ESP does not. */
  readonly message?: DatagramKind
  readonly direction?: Direction
  readonly action: FirewallAction
}

/**
 * 'drop': nothing says so. 'reject': RST (RFC 9293 §3.10.7) or ICMP "port unreachable". 'prohibit': ICMP for both. 'reset': a connection
 * opens, and its first octets bring a RST to both ends. 'stall': it opens, and its octets are swallowed.
 */
export type FirewallAction = 'pass' | 'drop' | 'reject' | 'prohibit' | 'reset' | 'stall'

interface Stream {
  readonly inside: Endpoint
  readonly outside: Endpoint
  /** The next sequence number from each. */
  fromInside: number
  fromOutside: number
}

export class Firewall implements Hop {
  /** The first that fits is obeyed; where none does it passes. */
  rules: readonly Rule[] = []
  readonly #streams = new Map<string, Stream>()
  #relays: { out: Relay; in: Relay } | undefined
  readonly counters: Record<FirewallAction, number> = { pass: 0, drop: 0, reject: 0, prohibit: 0, reset: 0, stall: 0 }

  take(packet: IpPacket, direction: Direction, relay: Relay): void {
    this.#relays = direction === 'out' ? { out: relay, in: reversed(relay) } : { out: reversed(relay), in: relay }
    const { body } = packet
    if (body.protocol === 'tcp') this.#note(packet, body, direction)
    const action = this.#actionFor(packet, direction)
    this.counters[action]++
    if (action === 'drop') return
    if (action === 'reject' || action === 'prohibit') return this.#refuse(packet, action, relay)
    if (body.protocol === 'tcp' && body.bytes.length > 0) {
      if (action === 'stall') return
      if (action === 'reset') return this.#resetStream(this.#streams.get(keyOf(packet, direction))!)
    }
    relay.forward(packet)
  }

  /** RST to both ends of the connections that are known here, to that port of the far end, or to any. */
  resetStreams(port?: number): void {
    for (const stream of this.#streams.values()) if (port === undefined || stream.outside.port === port) this.#resetStream(stream)
  }

  #actionFor(packet: IpPacket, direction: Direction): FirewallAction {
    // An error is about what it is about.
    const about = packet.body.protocol === 'icmp' ? packet.body.about : packet
    const isOut = packet.body.protocol === 'icmp' ? direction === 'in' : direction === 'out'
    const port = isOut ? about.destination.port : about.source.port
    const rule = this.rules.find(
      (one) =>
        (one.transport ?? about.body.protocol) === about.body.protocol &&
        (one.port ?? port) === port &&
        (one.direction ?? direction) === direction &&
        (one.message === undefined || (about.body.protocol === 'udp' && about.body.kind === one.message)),
    )
    return rule?.action ?? 'pass'
  }

  #refuse(packet: IpPacket, action: 'reject' | 'prohibit', relay: Relay): void {
    const { source, destination, body } = packet
    if (body.protocol === 'icmp') return
    if (action === 'prohibit') return relay.back(icmpFor(packet, 'administratively prohibited'))
    if (body.protocol === 'udp') return relay.back(icmpFor(packet, 'port unreachable'))
    if (body.flag !== 'rst') relay.back(rstFor(destination, source, body.ack ?? 0, body.seq + spanOf(body)))
  }

  #note(packet: IpPacket, segment: Segment, direction: Direction): void {
    const key = keyOf(packet, direction)
    if (segment.flag === 'rst') {
      this.#streams.delete(key)
      return
    }
    const isOut = direction === 'out'
    const [inside, outside] = isOut ? [packet.source, packet.destination] : [packet.destination, packet.source]
    const stream = this.#streams.get(key) ?? { inside, outside, fromInside: 0, fromOutside: 0 }
    const [from, to] = isOut ? (['fromInside', 'fromOutside'] as const) : (['fromOutside', 'fromInside'] as const)
    // A connection of the same ends that begins anew begins with another number.
    const next = segment.seq + spanOf(segment)
    stream[from] = segment.flag === 'syn' ? next : Math.max(stream[from], next)
    stream[to] = Math.max(stream[to], segment.ack ?? 0)
    this.#streams.set(key, stream)
  }

  #resetStream({ inside, outside, fromInside, fromOutside }: Stream): void {
    this.#streams.delete(`${textOf(inside)} ${textOf(outside)}`)
    this.#relays?.out.forward(rstFor(inside, outside, fromInside))
    this.#relays?.in.forward(rstFor(outside, inside, fromOutside))
  }
}

function keyOf({ source, destination }: IpPacket, direction: Direction): string {
  return direction === 'out' ? `${textOf(source)} ${textOf(destination)}` : `${textOf(destination)} ${textOf(source)}`
}

function reversed({ forward, back }: Relay): Relay {
  return { forward: back, back: forward }
}
