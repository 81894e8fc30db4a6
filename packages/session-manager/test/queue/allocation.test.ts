import { describe, expect, it } from 'vitest'
import { flowKeyOf } from '../../src/queue/flow-key.ts'
import { FlowQueues } from '../../src/queue/flow-queues.ts'
import { PacketStore } from '../../src/queue/packet-store.ts'
import { ipv4Packet } from '../pair.ts'
import { TIMES } from './support.ts'

/** Packets that come and go in one measurement. */
const PACKETS = 5_000
/** Packets that wait meanwhile, of some flows. */
const WAITING = 200
const FLOWS = 8
const LENGTH = 1_400

// The heap figure of Bun is that of the last collection, and Deno's moves with what its own threads do.
const runtime = ['bun', 'deno'].find((name) => process.versions[name] !== undefined)

describe('what a packet that waits leaves on the heap', () => {
  it.for([
    // A view is some hundred octets.
    { what: 'copied in and out: the two views that copying takes', room: 2 * WAITING * LENGTH, most: 256 },
    { what: 'where one is dropped for each that comes: the view of the one that came', room: WAITING * LENGTH, most: 128 },
  ])('$what, and nothing else', async ({ room, most }, { skip }) => {
    if (runtime !== undefined) return skip(`${runtime} does not say exactly what its heap holds`)
    const waiting = new Waiting(room)
    let octets = Number.POSITIVE_INFINITY
    for (let i = 0; i < 200 && octets > most; i++) {
      // Lets the compiler's thread have a turn, on a machine that is short of them.
      await new Promise((resolve) => setTimeout(resolve, 5))
      octets = Math.min(octets, waiting.leftPerPacket())
    }
    expect(octets).toBeLessThan(most)
  })
})

class Waiting {
  readonly #store = new PacketStore<object>(1 << 22)
  readonly #lose = (): number => this.#lost++
  readonly #queues = new FlowQueues<object>(this.#store, TIMES, { dropped: this.#lose, marked: this.#lose, thinned: this.#lose })
  readonly #packets = Array.from({ length: FLOWS }, (_, i) => ipv4Packet('10.2.0.1', `10.8.0.${i}`, LENGTH))
  readonly #target = new Uint8Array(LENGTH)
  readonly #owner = {}
  readonly #room: number
  #lost = 0

  constructor(room: number) {
    this.#room = room
    for (let i = 0; i < WAITING; i++) this.#put(i)
  }

  /** Infinity where garbage was collected meanwhile. */
  leftPerPacket(): number {
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < PACKETS; i++) {
      this.#put(i)
      if (this.#queues.octets > WAITING * LENGTH) this.#take()
    }
    const after = process.memoryUsage().heapUsed
    if (this.#queues.octets !== WAITING * LENGTH) throw new Error(`${this.#queues.octets} octets wait`)
    return after < before ? Number.POSITIVE_INFINITY : (after - before) / PACKETS
  }

  #put(i: number): void {
    const packet = this.#packets[i % FLOWS]!
    this.#queues.enqueue(packet, 0, LENGTH, flowKeyOf(packet, 0, LENGTH, 1), this.#owner, 0, this.#room)
  }

  #take(): void {
    const handle = this.#queues.dequeue(0)!
    this.#store.copyTo(handle, this.#target, 0)
    this.#store.free(handle)
  }
}
