import { GHASH } from '@noble/ciphers/_polyval.js'
import { type AesKey, encryptBlock, readWord } from './aes.ts'

/** A MAC over 16-octet blocks that is fed any number of octets and zero-padded where its mode says. */
export abstract class BlockMac {
  readonly #partial = new Uint8Array(16)
  #used = 0

  abstract block(w0: number, w1: number, w2: number, w3: number): void
  /** Word `index` of the state, little-endian. */
  abstract word(index: number): number
  protected abstract reset(): void

  start(): void {
    this.#used = 0
    this.reset()
  }

  absorb(buffer: Uint8Array, offset: number, length: number): void {
    const partial = this.#partial
    const end = offset + length
    let at = offset
    while (at < end) {
      if (this.#used === 0 && at + 16 <= end) {
        this.block(readWord(buffer, at), readWord(buffer, at + 4), readWord(buffer, at + 8), readWord(buffer, at + 12))
        at += 16
        continue
      }
      partial[this.#used++] = buffer[at++]!
      if (this.#used === 16) this.#flush()
    }
  }

  /** Zeroes up to the next block boundary. */
  pad(): void {
    if (this.#used === 0) return
    this.#partial.fill(0, this.#used)
    this.#flush()
  }

  /** Octet `index` of the state, XORed with the mask given as words: the shape of every tag here. */
  tagOctet(index: number, m0: number, m1: number, m2: number, m3: number): number {
    const mask = index < 4 ? m0 : index < 8 ? m1 : index < 12 ? m2 : m3
    return ((this.word(index >>> 2) ^ mask) >>> (8 * (index & 3))) & 0xff
  }

  #flush(): void {
    const partial = this.#partial
    this.#used = 0
    this.block(readWord(partial, 0), readWord(partial, 4), readWord(partial, 8), readWord(partial, 12))
  }
}

/** GHASH (SP 800-38D §6.4), its table made once for the key. */
export class GhashMac extends BlockMac {
  readonly #ghash: RestartableGhash

  constructor(authKey: Uint8Array) {
    super()
    this.#ghash = new RestartableGhash(authKey, TABLE_FOR_LONG_INPUT)
  }

  override block(w0: number, w1: number, w2: number, w3: number): void {
    this.#ghash.block(w0, w1, w2, w3)
  }
  override word(index: number): number {
    return this.#ghash.word(index)
  }
  protected override reset(): void {
    this.#ghash.restart()
  }
}

/** CBC-MAC, the authentication half of CCM (RFC 3610 §2.2). */
export class CbcMac extends BlockMac {
  readonly #key: AesKey
  #s0 = 0
  #s1 = 0
  #s2 = 0
  #s3 = 0

  constructor(key: AesKey) {
    super()
    this.#key = key
  }

  override block(w0: number, w1: number, w2: number, w3: number): void {
    const { s0, s1, s2, s3 } = encryptBlock(this.#key, this.#s0 ^ w0, this.#s1 ^ w1, this.#s2 ^ w2, this.#s3 ^ w3)
    this.#s0 = s0
    this.#s1 = s1
    this.#s2 = s2
    this.#s3 = s3
  }
  override word(index: number): number {
    return index === 0 ? this.#s0 : index === 1 ? this.#s1 : index === 2 ? this.#s2 : this.#s3
  }
  protected override reset(): void {
    this.#s0 = this.#s1 = this.#s2 = this.#s3 = 0
  }
}

/** noble's GHASH is used up by its digest; the state is what a reused key needs reset. */
class RestartableGhash extends GHASH {
  block(w0: number, w1: number, w2: number, w3: number): void {
    this._updateBlock(w0, w1, w2, w3)
  }
  word(index: number): number {
    return index === 0 ? this.s0 : index === 1 ? this.s1 : index === 2 ? this.s2 : this.s3
  }
  restart(): void {
    this.s0 = this.s1 = this.s2 = this.s3 = 0
  }
}

// noble sizes its table by the input to come: 4-bit windows, 8 kB a key, from 1,025 octets on.
const TABLE_FOR_LONG_INPUT = 1025
