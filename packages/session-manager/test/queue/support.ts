/** Inner packets and what queues them, for tests of the queue. */
import { Codel } from '../../src/queue/codel.ts'
import { FlowQueues } from '../../src/queue/flow-queues.ts'
import { PacketStore } from '../../src/queue/packet-store.ts'
import { seededRandom } from '../network.ts'

export const TIMES = { target: 5, interval: 100 } as const
export const ROOMY = 1 << 26

/** Who a packet is: the owner that it was stored with. */
export interface Label {
  readonly flow: number
  readonly number: number
}

/** A store with queues on it, and what becomes of the packets. */
export class Rig {
  readonly store: PacketStore<Label>
  readonly queues: FlowQueues<Label>
  readonly capacity: number
  dropped = 0
  marked = 0
  thinned = 0
  refused = 0
  /** By flow: how many came. */
  readonly sent = new Map<number, number>()

  readonly #thinsAcks: boolean

  constructor(capacity: number = ROOMY, thinsAcks: boolean = false) {
    this.capacity = capacity
    this.#thinsAcks = thinsAcks
    this.store = new PacketStore(capacity)
    this.queues = this.another()
  }

  /** Queues of another connection on the same store. */
  another(): FlowQueues<Label> {
    const counters = { dropped: () => this.dropped++, marked: () => this.marked++, thinned: () => this.thinned++ }
    return new FlowQueues<Label>(this.store, TIMES, counters, this.#thinsAcks)
  }

  /** Answers how many were dropped for want of room. */
  put(flow: number, length: number, options: { now?: number; max?: number; ecn?: number } = {}): number {
    return this.putPacket(flow, ipv4Header(length, options.ecn ?? 0), options)
  }

  putPacket(flow: number, packet: Uint8Array, options: { now?: number; max?: number } = {}): number {
    const { length } = packet
    const number = this.sent.get(flow) ?? 0
    this.sent.set(flow, number + 1)
    const refused = this.queues.enqueue(packet, 0, length, flow, { flow, number }, options.now ?? 0, options.max ?? ROOMY)
    this.refused += refused
    return refused
  }

  take(now: number = 0): (Label & { readonly length: number; readonly packet: Uint8Array }) | undefined {
    const handle = this.queues.dequeue(now)
    if (handle === undefined) return undefined
    const length = this.store.lengthOf(handle)
    const packet = new Uint8Array(length)
    this.store.copyTo(handle, packet, 0)
    const { flow, number } = this.store.ownerOf(handle)
    this.store.free(handle)
    return { flow, number, length, packet }
  }

  takeAll(now: number = 0): { readonly flow: number; readonly number: number; readonly length: number; readonly packet: Uint8Array }[] {
    const all = []
    for (let packet = this.take(now); packet !== undefined; packet = this.take(now)) all.push(packet)
    return all
  }

  /** Whether every block of the store is free again. */
  get isAllFree(): boolean {
    return this.store.freeOctets === Math.floor(this.capacity / 2_048) * 2_048
  }
}

/** An IPv4 packet of zeros whose header checksum is right. */
export function ipv4Header(length: number, ecn: number = 0): Uint8Array {
  const packet = new Uint8Array(Math.max(20, length))
  packet.set([0x45, ecn, length >> 8, length & 0xff, 0, 1, 0, 0, 64, 17, 0, 0, 10, 2, 0, 1, 10, 8, 0, 10])
  setChecksum(packet)
  return packet
}

/** RFC 791 §3.1: the whole sum, word by word. */
export function headerChecksum(packet: Uint8Array, offset: number = 0): number {
  let sum = 0
  for (let at = 0; at < (packet[offset]! & 0x0f) << 2; at += 2) if (at !== 10) sum += (packet[offset + at]! << 8) | packet[offset + at + 1]!
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

export function setChecksum(packet: Uint8Array, offset: number = 0): void {
  const checksum = headerChecksum(packet, offset)
  packet[offset + 10] = checksum >> 8
  packet[offset + 11] = checksum & 0xff
}

/** Whole numbers from 0 to below `below`, the same for the same seed. */
export function numbersFrom(seed: string): (below: number) => number {
  const random = seededRandom(seed)
  return (below) => random(4).reduce((number, octet) => number * 256 + octet, 0) % below
}

export function codelFor(times: { readonly target: number; readonly interval: number } = TIMES): {
  readonly codel: Codel
  readonly drops: (arrivedAt: number, now: number, isShort?: boolean) => boolean
} {
  const codel = new Codel()
  return { codel, drops: (arrivedAt, now, isShort = false) => codel.dropsHead(arrivedAt, now, isShort, times) }
}
