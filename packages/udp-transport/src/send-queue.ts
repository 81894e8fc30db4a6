// Copies of packets that the kernel does not take yet, in order.

import { NON_ESP_MARKER } from './datagram.ts'
import type { Destination } from './destinations.ts'

const SLAB_OCTETS = 0x40000
const SLAB_PACKETS = 1024

/** Packets `head … count − 1` wait. Shaped like a batch, so that it is sent like one. */
export interface Slab {
  readonly buffer: Uint8Array
  readonly offsets: Uint32Array
  readonly lengths: Uint32Array
  readonly destinations: (Destination | undefined)[]
  used: number
  head: number
  count: number
}

export class SendQueue {
  readonly #limit: number
  readonly #slabs: Slab[] = []
  #spare: Slab | undefined
  #octets = 0

  /** @param limit Octets that may wait; what is urgent may always. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get isEmpty(): boolean {
    return this.#slabs.length === 0
  }

  /** The packets that go first; undefined: none. */
  get first(): Slab | undefined {
    return this.#slabs[0]
  }

  /** Copies a packet. False: there is no room for what is not urgent. */
  put(from: Uint8Array, offset: number, length: number, hasMarker: boolean, isUrgent: boolean, destination: Destination): boolean {
    const total = hasMarker ? length + NON_ESP_MARKER.length : length
    if (!isUrgent && this.#octets + total > this.#limit) return false
    const slab = this.#slabFor(total)
    const { buffer, used } = slab
    if (hasMarker) buffer.set(NON_ESP_MARKER, used)
    buffer.set(from.subarray(offset, offset + length), used + total - length)
    slab.offsets[slab.count] = used
    slab.lengths[slab.count] = total
    slab.destinations[slab.count++] = destination
    slab.used += total
    this.#octets += total
    return true
  }

  /** Behind the last of the first slab's packets that go where its next one goes. */
  runEnd(slab: Slab): number {
    const destination = slab.destinations[slab.head]
    let end = slab.head + 1
    while (end < slab.count && slab.destinations[end] === destination) end++
    return end
  }

  /** The packets of the first slab below `next` are dealt with. */
  advance(next: number): void {
    const slab = this.#slabs[0]
    for (; slab.head < next; slab.head++) this.#octets -= slab.lengths[slab.head]
    if (slab.head < slab.count) return
    this.#slabs.shift()
    slab.destinations.fill(undefined, 0, slab.count)
    slab.used = slab.head = slab.count = 0
    this.#spare = slab
  }

  clear(): void {
    this.#slabs.length = 0
    this.#octets = 0
  }

  #slabFor(length: number): Slab {
    const last = this.#slabs.at(-1)
    if (last !== undefined && last.count < SLAB_PACKETS && last.used + length <= SLAB_OCTETS) return last
    const slab = this.#spare ?? createSlab()
    this.#spare = undefined
    this.#slabs.push(slab)
    return slab
  }
}

function createSlab(): Slab {
  return {
    buffer: new Uint8Array(SLAB_OCTETS),
    offsets: new Uint32Array(SLAB_PACKETS),
    lengths: new Uint32Array(SLAB_PACKETS),
    destinations: new Array(SLAB_PACKETS).fill(undefined),
    used: 0,
    head: 0,
    count: 0,
  }
}
