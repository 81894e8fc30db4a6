/** Chance of a test, all of it from a seed. */
import { seededRandom } from '../network.ts'

/** Everything drawn from one of these comes again with the same seed. */
export class Chance {
  readonly #octets: (length: number) => Uint8Array

  constructor(seed: string) {
    this.#octets = seededRandom(seed)
    // The first octets of seeds that are alike are alike.
    this.#octets(64)
  }

  /** From 0 to 1, the end left out. */
  fraction(): number {
    const [a, b, c] = this.#octets(3)
    return ((a! << 16) | (b! << 8) | c!) / 0x1000000
  }

  /** From 0 to `end`, which is left out. */
  below(end: number): number {
    return Math.floor(this.fraction() * end)
  }

  /** With that probability. */
  happens(probability: number): boolean {
    return probability > 0 && this.fraction() < probability
  }

  one<Value>(of: readonly Value[]): Value {
    return of[this.below(of.length)]!
  }
}
