/**
 * Where inner packets wait that a full connection cannot take yet: blocks of equal size for all connections together, a packet in one or
 * several of them. Memory grows only to what has waited at once, and never above the capacity.
 */
const BLOCK = 2_048
const BLOCKS_IN_CHUNK = 256
const NONE = -1

/** Names a stored packet until it is freed. */
export type PacketHandle = number

/** Octets of blocks that a packet takes. */
export function storedOctets(length: number): number {
  return Math.ceil(length / BLOCK) * BLOCK
}

export class PacketStore<Owner> {
  readonly #capacity: number
  readonly #chunks: Uint8Array[] = []
  #blocks = 0
  #freeBlocks = 0
  #firstFree = NONE
  /** By block: the next of the same packet, or of the free ones. */
  #following = new Int32Array(0)
  /** By a packet's first block. */
  #successors = new Int32Array(0)
  #lengths = new Uint32Array(0)
  #arrivals = new Float64Array(0)
  readonly #owners: (Owner | undefined)[] = []

  /** Octets, of blocks. */
  constructor(capacity: number) {
    this.#capacity = Math.floor(capacity / BLOCK)
  }

  /** What may still be stored, in octets of blocks. */
  get freeOctets(): number {
    return (this.#capacity - this.#blocks + this.#freeBlocks) * BLOCK
  }

  /** Copies the packet in. `undefined`: there is no room. */
  put(packet: Uint8Array, offset: number, length: number, owner: Owner, now: number): PacketHandle | undefined {
    const needed = storedOctets(length) / BLOCK
    while (this.#freeBlocks < needed) if (!this.#grow()) return undefined
    const first = this.#firstFree
    let block = first
    for (let at = 0; at < length; at += BLOCK) {
      this.#chunkOf(block).set(packet.subarray(offset + at, offset + Math.min(length, at + BLOCK)), positionOf(block))
      this.#firstFree = this.#following[block]!
      if (at + BLOCK < length) block = this.#firstFree
    }
    this.#following[block] = NONE
    this.#freeBlocks -= needed
    this.#lengths[first] = length
    this.#arrivals[first] = now
    this.#successors[first] = NONE
    this.#owners[first] = owner
    return first
  }

  /** Another packet in the place and with the arrival of one that is in one block, as the new one has to be. */
  replace(handle: PacketHandle, packet: Uint8Array, offset: number, length: number, owner: Owner): void {
    this.#chunkOf(handle).set(packet.subarray(offset, offset + length), positionOf(handle))
    this.#lengths[handle] = length
    this.#owners[handle] = owner
  }

  free(handle: PacketHandle): void {
    this.#owners[handle] = undefined
    let last = handle
    let count = 1
    for (; this.#following[last] !== NONE; last = this.#following[last]!) count++
    this.#following[last] = this.#firstFree
    this.#firstFree = handle
    this.#freeBlocks += count
  }

  copyTo(handle: PacketHandle, target: Uint8Array, at: number): void {
    let left = this.#lengths[handle]!
    for (let block = handle; block !== NONE; block = this.#following[block]!) {
      const position = positionOf(block)
      target.set(this.#chunkOf(block).subarray(position, position + Math.min(BLOCK, left)), at)
      at += BLOCK
      left -= BLOCK
    }
  }

  /** The packet's first 2,048 octets, or all of it and free room behind, lie here from `positionIn` on. */
  bufferOf(handle: PacketHandle): Uint8Array {
    return this.#chunkOf(handle)
  }

  positionIn(handle: PacketHandle): number {
    return positionOf(handle)
  }

  /** Octets behind the packet that are free. Negative: it lies in several pieces. */
  tailroomOf(handle: PacketHandle): number {
    return BLOCK - this.#lengths[handle]!
  }

  lengthOf(handle: PacketHandle): number {
    return this.#lengths[handle]!
  }

  /** The `now` of its `put`. */
  arrivalOf(handle: PacketHandle): number {
    return this.#arrivals[handle]!
  }

  ownerOf(handle: PacketHandle): Owner {
    return this.#owners[handle]!
  }

  /** Packets are chained by whoever queues them. `undefined`: the last. */
  successorOf(handle: PacketHandle): PacketHandle | undefined {
    const successor = this.#successors[handle]!
    return successor === NONE ? undefined : successor
  }

  chain(handle: PacketHandle, successor: PacketHandle): void {
    this.#successors[handle] = successor
  }

  #chunkOf(block: number): Uint8Array {
    return this.#chunks[Math.floor(block / BLOCKS_IN_CHUNK)]!
  }

  #grow(): boolean {
    const added = Math.min(BLOCKS_IN_CHUNK, this.#capacity - this.#blocks)
    if (added <= 0) return false
    const total = this.#blocks + added
    this.#chunks.push(new Uint8Array(added * BLOCK))
    this.#following = grown(this.#following, new Int32Array(total))
    this.#successors = grown(this.#successors, new Int32Array(total))
    this.#lengths = grown(this.#lengths, new Uint32Array(total))
    this.#arrivals = grown(this.#arrivals, new Float64Array(total))
    for (let block = this.#blocks; block < total; block++) {
      this.#following[block] = block + 1 < total ? block + 1 : this.#firstFree
      this.#owners[block] = undefined
    }
    this.#firstFree = this.#blocks
    this.#blocks = total
    this.#freeBlocks += added
    return true
  }
}

function positionOf(block: number): number {
  return (block % BLOCKS_IN_CHUNK) * BLOCK
}

function grown<Numbers extends Int32Array | Uint32Array | Float64Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from)
  return to
}
