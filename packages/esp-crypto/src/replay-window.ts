import { EspCryptoError } from './error.ts'

/**
 * Which sequence numbers of an SA were received (RFC 4303 §3.4.3), after the algorithm of RFC 6479: a ring of words of which
 * one is spare, so that moving the window clears words and shifts nothing.
 *
 * `check` before the ICV is verified, `accept` after: a forged packet must not move the window.
 */
export class ReplayWindow {
  /** Numbers the window spans, W in RFC 4303 Appendix A. */
  readonly size: number
  readonly #esn: boolean
  readonly #bitmap: Uint32Array
  readonly #wordMask: number
  // T of RFC 4303 Appendix A, the highest number accepted so far; 0 before the first.
  #topHigh = 0
  #topLow = 0
  #high = 0

  /** @throws EspCryptoError `WINDOW_SIZE_OUT_OF_RANGE` outside 32 (the minimum of RFC 4303 §3.4.3) to 4096 */
  constructor(size: number, esn: boolean) {
    if (!Number.isInteger(size) || size < MINIMUM || size > MAXIMUM) {
      throw new EspCryptoError('WINDOW_SIZE_OUT_OF_RANGE', { size, minimum: MINIMUM, maximum: MAXIMUM })
    }
    this.size = size
    this.#esn = esn
    let words = 2
    while (words * WORD_BITS < size + WORD_BITS) words *= 2
    this.#bitmap = new Uint32Array(words)
    this.#wordMask = words - 1
  }

  /** High half of the number that `check` last saw, inferred; 0 without ESN. It goes into the ICV. */
  get high(): number {
    return this.#high
  }

  /** High and low half of the highest number accepted. */
  get topHigh(): number {
    return this.#topHigh
  }
  get topLow(): number {
    return this.#topLow
  }

  /** Whether a packet with this Sequence Number field may be new. Changes nothing but `high`. */
  check(low: number): boolean {
    const high = this.#esn ? this.#inferHigh(low) : 0
    this.#high = high
    return high >= 0 && high <= MAX_UINT32 && this.#isNew(high, low)
  }

  /** Records a number whose packet is authentic. `false`: it was recorded before or is left of the window. */
  accept(high: number, low: number): boolean {
    if (!this.#isNew(high, low)) return false
    const top = Math.floor(this.#topLow / WORD_BITS)
    const ahead = (high - this.#topHigh) * WORDS_PER_SUBSPACE + Math.floor(low / WORD_BITS) - top
    const stale = Math.min(ahead, this.#bitmap.length)
    for (let i = 1; i <= stale; i++) this.#bitmap[(top + i) & this.#wordMask] = 0
    if (high > this.#topHigh || (high === this.#topHigh && low > this.#topLow)) {
      this.#topHigh = high
      this.#topLow = low
    }
    const word = (low >>> WORD_SHIFT) & this.#wordMask
    this.#bitmap[word] = this.#bitmap[word]! | (1 << (low & WORD_MASK))
    return true
  }

  #isNew(high: number, low: number): boolean {
    if (high === 0 && low === 0) return false // the first packet has 1 (RFC 4303 §2.2)
    // Exact while the halves are within one subspace of each other, and far enough off to be decided by sign otherwise.
    const behind = (this.#topHigh - high) * SUBSPACE + (this.#topLow - low)
    if (behind < 0) return true
    if (behind >= this.size) return false
    return (this.#bitmap[(low >>> WORD_SHIFT) & this.#wordMask]! & (1 << (low & WORD_MASK))) === 0
  }

  /** RFC 4303 Appendix A2.2. −1 below the first subspace. */
  #inferHigh(low: number): number {
    const bottomLow = (this.#topLow - this.size + 1) >>> 0
    const isWithinOneSubspace = this.#topLow >= this.size - 1
    if (isWithinOneSubspace) return low >= bottomLow ? this.#topHigh : this.#topHigh + 1
    return low >= bottomLow ? this.#topHigh - 1 : this.#topHigh
  }
}

const MINIMUM = 32
const MAXIMUM = 4096
const WORD_BITS = 32
const WORD_SHIFT = 5
const WORD_MASK = 31
const MAX_UINT32 = 0xffffffff
const SUBSPACE = 2 ** 32
const WORDS_PER_SUBSPACE = SUBSPACE / WORD_BITS
