/**
 * Decrypted packets on their way to the TUN: one buffer, filled side by side, handed out as a batch and used again. A buffer
 * that was handed out is left alone until the next input (the contract of `write-tun`); a second one takes over meanwhile.
 */
import type { Output } from '../contract.ts'

/** Octets of a batch, which a core's cache should hold. */
const CAPACITY = 262_144
/** Of packets that are longer than this it would hold but a few, and whoever is given them is woken for each batch. */
const LONG = 32_768
const CAPACITY_FOR_LONG = 524_288
const MAX_PACKETS = 512

export class TunBatch {
  readonly #allocate: (octets: number) => Uint8Array
  readonly #arenas: Arena[] = []
  #inUse = 0
  #used = 0
  #count = 0

  constructor(allocate = (octets: number): Uint8Array => new Uint8Array(octets)) {
    this.#allocate = allocate
  }

  /** Where `length` octets may be written; packets already committed are flushed where there is no room beside them. */
  reserve(length: number, emit: (output: Output) => void): number {
    const arena = this.#arenas[this.#inUse]
    if (arena && this.#count < MAX_PACKETS && this.#used + length <= arena.buffer.length) return this.#used
    this.flush(emit)
    this.#arena(length)
    return 0
  }

  get buffer(): Uint8Array {
    return this.#arenas[this.#inUse]!.buffer
  }

  /** The packet at the offset that `reserve` named is `length` octets long and stays. */
  commit(length: number): void {
    const arena = this.#arenas[this.#inUse]!
    arena.offsets[this.#count] = this.#used
    arena.lengths[this.#count] = length
    this.#count++
    this.#used += length
  }

  flush(emit: (output: Output) => void): void {
    if (this.#count === 0) return
    const { buffer, offsets, lengths } = this.#arenas[this.#inUse]!
    emit({ kind: 'write-tun', batch: { buffer, offsets, lengths, count: this.#count } })
    this.#inUse++
    this.#used = 0
    this.#count = 0
  }

  /** A new input: what was handed out before is free again. */
  begin(): void {
    this.#inUse = 0
  }

  /** An empty arena with room for packets of `length` octets becomes the one in use. */
  #arena(length: number): void {
    const arena = this.#arenas[this.#inUse]
    const capacity = Math.max(length, length > LONG ? CAPACITY_FOR_LONG : CAPACITY)
    if (arena && arena.buffer.length >= capacity) return
    this.#arenas[this.#inUse] = {
      buffer: this.#allocate(capacity),
      offsets: new Uint32Array(MAX_PACKETS),
      lengths: new Uint32Array(MAX_PACKETS),
    }
  }
}

interface Arena {
  readonly buffer: Uint8Array
  readonly offsets: Uint32Array
  readonly lengths: Uint32Array
}
