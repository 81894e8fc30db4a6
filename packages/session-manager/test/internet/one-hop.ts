/** One hop by itself: what goes in at one side, and what comes out, where and when. */
import type { DatagramKind, Endpoint } from '../../src/index.ts'
import { Network } from '../network.ts'
import { type Direction, type Hop, type IpPacket, icmpFor, NOTHING, type Segment } from './packet.ts'

interface Arrival {
  readonly at: number
  readonly packet: IpPacket
}

export class OneHop<Kind extends Hop> {
  readonly clock: Network = new Network()
  readonly hop: Kind
  /** What came out towards the world, and towards the host. */
  readonly outside: Arrival[] = []
  readonly inside: Arrival[] = []

  constructor(make: (clock: Network) => Kind) {
    this.hop = make(this.clock)
  }

  /** From the host. Answers what came out at once, and where. */
  out(packet: IpPacket): IpPacket | 'nothing' | { back: IpPacket } {
    return this.#pass(packet, 'out')
  }

  /** From the world. */
  in(packet: IpPacket): IpPacket | 'nothing' | { back: IpPacket } {
    return this.#pass(packet, 'in')
  }

  #pass(packet: IpPacket, direction: Direction): IpPacket | 'nothing' | { back: IpPacket } {
    const [ahead, behind] = direction === 'out' ? [this.outside, this.inside] : [this.inside, this.outside]
    const before = [ahead.length, behind.length] as const
    this.hop.take(packet, direction, {
      forward: (one) => void ahead.push({ at: this.clock.now, packet: one }),
      back: (one) => void behind.push({ at: this.clock.now, packet: one }),
    })
    if (ahead.length > before[0]) return ahead.at(-1)!.packet
    return behind.length > before[1] ? { back: behind.at(-1)!.packet } : 'nothing'
  }
}

/** `text`: an address and a port. */
export function endpoint(text: string): Endpoint {
  const [address, port] = text.split(' ')
  return { address: address!, port: Number(port) }
}

export function datagram(source: string, destination: string, kind: DatagramKind = 'ike', length = 100): IpPacket {
  return { source: endpoint(source), destination: endpoint(destination), body: { protocol: 'udp', kind, bytes: new Uint8Array(length) } }
}

export function segment(source: string, destination: string, fields: Partial<Segment> = {}): IpPacket {
  const body: Segment = { protocol: 'tcp', seq: 1_000, ack: 5_000, flag: 'none', bytes: NOTHING, ...fields }
  return { source: endpoint(source), destination: endpoint(destination), body }
}

/** The source of one as the destination of what answers it. */
export function answerTo(packet: IpPacket): IpPacket {
  return { ...packet, source: packet.destination, destination: packet.source }
}

export function unreachable(about: IpPacket): IpPacket {
  return icmpFor(about, 'port unreachable')
}
