/** How many there are of each address, for the limits that hold for one. */
import { unmapped } from './socket-stream.ts'

export class AddressCounts {
  readonly #counts = new Map<string, number>()

  of(address: string): number {
    return this.#counts.get(limitedAs(address)) ?? 0
  }

  add(address: string): void {
    this.#counts.set(limitedAs(address), this.of(address) + 1)
  }

  remove(address: string): void {
    const left = this.of(address) - 1
    if (left > 0) this.#counts.set(limitedAs(address), left)
    else this.#counts.delete(limitedAs(address))
  }
}

/** What counts as one address: an IPv6 host has a whole /64 to send from (RFC 4291 §2.5.4). For keys, not for people. */
export function limitedAs(address: string): string {
  const plain = unmapped(address)
  if (!plain.includes(':')) return plain
  const [before = [], after] = plain.split('::').map((part) => (part === '' ? [] : part.split(':')))
  // A last group in dots is two.
  const written = before.length + (after?.length ?? 0) + (plain.includes('.') ? 1 : 0)
  const groups = after === undefined ? [...before] : [...before, ...new Array<string>(8 - written).fill('0'), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
