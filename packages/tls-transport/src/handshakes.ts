import { AddressCounts } from './address-counts.ts'

/** Handshakes under way at once, in all and of one address: each takes a descriptor and some hundred kilobytes, and says nothing of who asks. */
const MAX_HANDSHAKES = 1_024
const MAX_HANDSHAKES_OF_AN_ADDRESS = 64

/** Those of a listener that are under way, by whatever they are of. */
export class Handshakes<T> {
  readonly #underWay = new Map<T, string>()
  readonly #ofAddress = new AddressCounts()

  isFull(address: string): boolean {
    return this.#underWay.size >= MAX_HANDSHAKES || this.#ofAddress.of(address) >= MAX_HANDSHAKES_OF_AN_ADDRESS
  }

  add(one: T, address: string): void {
    this.#underWay.set(one, address)
    this.#ofAddress.add(address)
  }

  /** Answers whether it was under way. */
  remove(one: T): boolean {
    const address = this.#underWay.get(one)
    if (address === undefined) return false
    this.#underWay.delete(one)
    this.#ofAddress.remove(address)
    return true
  }

  all(): T[] {
    return [...this.#underWay.keys()]
  }
}
