/**
 * FQ-CoDel (RFC 8290): what waits for one full connection, a queue for each flow of inner packets and CoDel for each queue. Flows take
 * turns by octets; one that has just begun, or that sends less than its share (a ping, a key stroke, a SYN), goes first.
 */
import { Codel, type CodelTimes } from './codel.ts'
import { markCongestion } from './congestion-mark.ts'
import { type PacketHandle, type PacketStore, storedOctets } from './packet-store.ts'
import { supersedes } from './pure-ack.ts'

/** Octets of a packet of full length, until there was a longer one. */
const FULL_LENGTH = 1_514
/** Flows above it share the queues of those that are there. */
const MAX_FLOWS = 256
/** A packet counts as this many octets at least. */
const LEAST = 256

export interface FlowQueuesCounters {
  /** Packets that CoDel dropped. */
  dropped(): void
  /** Packets that it marked, where their ends take a mark for a loss (RFC 3168, RFC 8290 §4.2). */
  marked(): void
  /** TCP acknowledgements that a later one stands for. */
  thinned(): void
}

class Flow {
  readonly codel = new Codel()
  key = 0
  head: PacketHandle | undefined
  tail: PacketHandle = 0
  octets = 0
  deficit = 0
  /** In its list. */
  next: Flow | undefined
}

class FlowList {
  first: Flow | undefined
  #last: Flow | undefined

  push(flow: Flow): void {
    flow.next = undefined
    if (this.first === undefined) this.first = flow
    else this.#last!.next = flow
    this.#last = flow
  }

  shift(): void {
    this.first = this.first?.next
  }
}

export class FlowQueues<Owner> {
  readonly #store: PacketStore<Owner>
  readonly #times: CodelTimes
  readonly #counters: FlowQueuesCounters
  readonly #thinsAcks: boolean
  readonly #flows = new Map<number, Flow>()
  readonly #spare: Flow[] = []
  readonly #new = new FlowList()
  readonly #old = new FlowList()
  #octets = 0
  #stored = 0
  #packets = 0
  /**
   * The longest packet so far. It is the octets of a flow's turn (QUANTUM of RFC 8290 §5.2.4), and of a flow no more than that is no queue,
   * which CoDel leaves alone (MAXPACKET of RFC 8289 §5).
   */
  #fullLength = FULL_LENGTH

  /** `thinsAcks`: of TCP acknowledgements one behind the other the last is enough. */
  constructor(store: PacketStore<Owner>, times: CodelTimes, counters: FlowQueuesCounters, thinsAcks: boolean = false) {
    this.#store = store
    this.#times = times
    this.#counters = counters
    this.#thinsAcks = thinsAcks
  }

  get octets(): number {
    return this.#octets
  }

  /** Of the store's memory. */
  get storedOctets(): number {
    return this.#stored
  }

  get isEmpty(): boolean {
    return this.#packets === 0
  }

  /**
   * Copies a packet behind those of its flow, and drops from the head of the longest queue what is then too much (RFC 8290 §4.1).
   * `flowKey` as `flowKeyOf` makes it. `maxOctets` may be less than before. Answers how many packets were dropped, this one perhaps among
   * them.
   */
  enqueue(packet: Uint8Array, offset: number, length: number, flowKey: number, owner: Owner, now: number, maxOctets: number): number {
    const cost = costOf(length)
    if (length > this.#fullLength) this.#fullLength = length
    const known = this.#flows.get(flowKey) ?? this.#flows.get(sharedKeyOf(flowKey))
    if (this.#thinsAcks && known?.head !== undefined && this.#thin(known, packet, offset, length, owner)) return 0
    // What is longer than it may be now becomes shorter by what arrives, not all at once: others may have used up the store for a moment.
    const limit = Math.max(maxOctets, this.#octets - cost)
    let drops = 0
    // One packet may wait whatever its length, or those of a large MTU never could.
    while (this.#packets > 0 && this.#octets + cost > limit) {
      drops++
      if (!this.#dropFromLongest(known, cost)) return drops
    }
    const handle = this.#store.put(packet, offset, length, owner, now)
    if (handle === undefined) return drops + 1
    const flow = known ?? this.#begin(flowKey)
    if (flow.head === undefined) flow.head = handle
    else this.#store.chain(flow.tail, handle)
    flow.tail = handle
    flow.octets += cost
    this.#octets += cost
    this.#stored += storedOctets(length)
    this.#packets++
    return drops
  }

  /** The packet whose turn it is, for the caller to copy and to free; `undefined` where none is left (RFC 8290 §4.2). */
  dequeue(now: number): PacketHandle | undefined {
    for (;;) {
      const isNew = this.#new.first !== undefined
      const list = isNew ? this.#new : this.#old
      const flow = list.first
      if (flow === undefined) return undefined
      if (flow.deficit <= 0) {
        flow.deficit += this.#fullLength
        list.shift()
        this.#old.push(flow)
        continue
      }
      const handle = this.#headOf(flow, now)
      if (handle === undefined) {
        list.shift()
        // Not from the new ones straight to nowhere, or it could come back as new and never let the old ones have their turn.
        if (isNew && this.#old.first !== undefined) this.#old.push(flow)
        else this.#forget(flow)
        continue
      }
      flow.deficit -= this.#store.lengthOf(handle)
      return handle
    }
  }

  /** The connection is gone. Answers how many packets went with it. */
  clear(): number {
    const lost = this.#packets
    for (const flow of this.#flows.values()) while (flow.head !== undefined) this.#store.free(this.#take(flow, flow.head))
    this.#flows.clear()
    this.#new.first = undefined
    this.#old.first = undefined
    return lost
  }

  /** The packet takes the place of its flow's last, where that is an acknowledgement which this one stands for. */
  #thin(flow: Flow, packet: Uint8Array, offset: number, length: number, owner: Owner): boolean {
    const store = this.#store
    const { tail } = flow
    if (!supersedes(packet, offset, length, store.bufferOf(tail), store.positionIn(tail), store.lengthOf(tail))) return false
    const grows = costOf(length) - costOf(store.lengthOf(tail))
    store.replace(tail, packet, offset, length, owner)
    flow.octets += grows
    this.#octets += grows
    this.#counters.thinned()
    return true
  }

  #headOf(flow: Flow, now: number): PacketHandle | undefined {
    const { codel } = flow
    for (let handle = flow.head; handle !== undefined; handle = flow.head) {
      const isShort = flow.octets - costOf(this.#store.lengthOf(handle)) <= this.#fullLength
      const isDue = codel.dropsHead(this.#store.arrivalOf(handle), now, isShort, this.#times)
      if (isDue && !markCongestion(this.#store.bufferOf(handle), this.#store.positionIn(handle))) {
        this.#store.free(this.#take(flow, handle))
        this.#counters.dropped()
        continue
      }
      if (isDue) this.#counters.marked()
      return this.#take(flow, handle)
    }
    codel.emptied()
    return undefined
  }

  #take(flow: Flow, handle: PacketHandle): PacketHandle {
    const length = this.#store.lengthOf(handle)
    const cost = costOf(length)
    flow.head = this.#store.successorOf(handle)
    flow.octets -= cost
    this.#octets -= cost
    this.#stored -= storedOctets(length)
    this.#packets--
    return handle
  }

  /** Of all queues, `arriving` with `cost` octets more than it has. `false`: those alone are the longest. */
  #dropFromLongest(arriving: Flow | undefined, cost: number): boolean {
    let longest: Flow | undefined
    let octets = 0
    for (const flow of this.#flows.values()) {
      if (flow.octets <= octets) continue
      longest = flow
      octets = flow.octets
    }
    if ((arriving?.octets ?? 0) + cost > octets) longest = arriving
    if (longest?.head === undefined) return false
    this.#store.free(this.#take(longest, longest.head))
    return true
  }

  #begin(key: number): Flow {
    const flow = this.#spare.pop() ?? new Flow()
    flow.key = this.#flows.size < MAX_FLOWS ? key : sharedKeyOf(key)
    flow.deficit = this.#fullLength
    this.#flows.set(flow.key, flow)
    this.#new.push(flow)
    return flow
  }

  #forget(flow: Flow): void {
    this.#flows.delete(flow.key)
    flow.codel.reset()
    if (this.#spare.length < 16) this.#spare.push(flow)
  }
}

function sharedKeyOf(key: number): number {
  return key % MAX_FLOWS
}

function costOf(length: number): number {
  return Math.max(LEAST, length)
}
