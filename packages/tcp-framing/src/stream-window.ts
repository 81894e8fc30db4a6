// The part of the stream being read: the caller's chunk while frames lie whole in it, else a copy of the cut frame.

const EMPTY = new Uint8Array(0)
const FIRST_STASH = 512

/**
 * buffer[at, end) is readable. It lies in the chunk, or in the stash; in the second case the unread rest of the chunk follows it.
 * The stash grows with the octets that really came, never with what a Length claims, and is kept for the next cut frame.
 */
export class StreamWindow {
  buffer: Uint8Array = EMPTY
  at = 0
  end = 0
  isStashed = false
  readonly #limit: number
  #chunk: Uint8Array = EMPTY
  /** Octets of #chunk consumed; while isStashed these are the last ones of the stash. */
  #chunkAt = 0
  #stash: Uint8Array = EMPTY

  constructor(limit: number) {
    this.#limit = limit
  }

  /** false: the previous chunk was not drained and its rest exceeds the limit. */
  push(chunk: Uint8Array): boolean {
    if (!this.isStashed && this.at === this.end) {
      this.buffer = chunk
      this.at = 0
      this.end = chunk.length
      return true
    }
    const rest = this.isStashed ? this.#chunk.length - this.#chunkAt : 0
    if (this.end - this.at + rest > this.#limit) return false
    if (this.isStashed) this.#append(rest)
    else this.#moveToStash()
    this.#chunk = chunk
    this.#chunkAt = 0
    return true
  }

  /** Makes `count` octets readable, which are not so far. false: there are not as many; all there are have been copied. */
  fill(count: number): boolean {
    if (this.isStashed && this.at < this.end) {
      const missing = count - (this.end - this.at)
      const taken = Math.min(missing, this.#chunk.length - this.#chunkAt)
      this.#append(taken)
      if (taken === missing) return true
      this.#chunk = EMPTY
      this.#chunkAt = 0
      return false
    }
    if (this.isStashed) {
      this.#moveToChunk()
      if (this.end - this.at >= count) return true
    }
    this.#moveToStash()
    return false
  }

  /** Goes back to the chunk when all that is readable was copied from it, so that a search does not go on in the copy. */
  leaveStash(): void {
    const readable = this.end - this.at
    if (!this.isStashed || readable > this.#chunkAt) return
    this.#chunkAt -= readable
    this.#moveToChunk()
  }

  release(): void {
    this.buffer = EMPTY
    this.at = 0
    this.end = 0
    this.isStashed = false
    this.#chunk = EMPTY
    this.#chunkAt = 0
    this.#stash = EMPTY
  }

  #moveToChunk(): void {
    this.buffer = this.#chunk
    this.at = this.#chunkAt
    this.end = this.#chunk.length
    this.isStashed = false
    this.#chunk = EMPTY
    this.#chunkAt = 0
  }

  #moveToStash(): void {
    const readable = this.end - this.at
    if (readable > 0) {
      if (this.#stash.length < readable) this.#stash = new Uint8Array(this.#capacityFor(readable))
      copy(this.buffer, this.at, readable, this.#stash, 0)
    }
    this.isStashed = readable > 0
    this.buffer = readable > 0 ? this.#stash : EMPTY
    this.at = 0
    this.end = readable
    this.#chunk = EMPTY
    this.#chunkAt = 0
  }

  #append(count: number): void {
    if (this.end + count > this.#stash.length) this.#makeRoom(count)
    copy(this.#chunk, this.#chunkAt, count, this.#stash, this.end)
    this.#chunkAt += count
    this.end += count
  }

  #makeRoom(count: number): void {
    const readable = this.end - this.at
    if (readable + count > this.#stash.length) {
      const larger = new Uint8Array(this.#capacityFor(readable + count))
      copy(this.#stash, this.at, readable, larger, 0)
      this.#stash = larger
    } else {
      this.#stash.copyWithin(0, this.at, this.end)
    }
    this.buffer = this.#stash
    this.at = 0
    this.end = readable
  }

  /** Doubling keeps a dribbled frame linear. */
  #capacityFor(needed: number): number {
    return Math.max(needed, Math.min(this.#limit, Math.max(FIRST_STASH, this.#stash.length * 2)))
  }
}

/** A view for `set` costs an object; for the few octets of a dribble a loop does not. */
function copy(from: Uint8Array, fromAt: number, count: number, to: Uint8Array, toAt: number): void {
  if (count > 64) {
    to.set(from.subarray(fromAt, fromAt + count), toAt)
    return
  }
  for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i]
}
