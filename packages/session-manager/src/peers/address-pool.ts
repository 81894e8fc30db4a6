/**
 * Inner addresses to hand out (RFC 7296 §2.19). An identity that comes back gets the address it had while nobody else needs
 * it; an address given back is free again.
 */
import { compareAddresses, formatAddress, parseRange } from '../ip-address.ts'

export class AddressPool {
  readonly #ranges: PoolRange[]
  /** Address text → who holds it. */
  readonly #held = new Map<string, string>()
  /** Owner and family → the address last held, oldest first; bounded, as identities are a peer's to choose. */
  readonly #remembered = new Map<string, Uint8Array>()

  constructor(ranges: readonly string[]) {
    this.#ranges = ranges.flatMap((text) => {
      const range = parseRange(text)
      return range
        ? [{ length: range.start.length, first: toNumber(range.start), last: toNumber(range.end), next: toNumber(range.start) }]
        : []
    })
  }

  hasFamily(family: 'ipv4' | 'ipv6'): boolean {
    return this.#ranges.some((range) => range.length === octetsOf(family))
  }

  /** An address for `owner`, the `hint` if it is free, or `undefined` where the pool has none left. */
  lease(owner: string, family: 'ipv4' | 'ipv6', hint?: Uint8Array): Uint8Array | undefined {
    const remembered = this.#remembered.get(`${family} ${owner}`)
    for (const wish of [remembered, hint]) if (wish && this.#isFree(wish)) return this.#take(owner, family, wish)
    for (const range of this.#ranges) {
      if (range.length !== octetsOf(family)) continue
      const free = this.#findFree(range)
      if (free) return this.#take(owner, family, free)
    }
    return undefined
  }

  release(address: Uint8Array): void {
    this.#held.delete(formatAddress(address))
  }

  get leased(): number {
    return this.#held.size
  }

  #take(owner: string, family: string, address: Uint8Array): Uint8Array {
    this.#held.set(formatAddress(address), owner)
    const key = `${family} ${owner}`
    this.#remembered.delete(key)
    this.#remembered.set(key, address)
    if (this.#remembered.size > MAX_REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value!)
    return address
  }

  #isFree(address: Uint8Array): boolean {
    const number = toNumber(address)
    const isOurs = this.#ranges.some((range) => range.length === address.length && number >= range.first && number <= range.last)
    return isOurs && !this.#held.has(formatAddress(address))
  }

  /** From where the last search ended, so that leasing stays cheap in a large pool that fills. */
  #findFree(range: PoolRange): Uint8Array | undefined {
    const size = range.last - range.first + 1n
    const tries = size < BigInt(this.#held.size + 1) ? size : BigInt(this.#held.size + 1)
    for (let i = 0n; i < tries; i++) {
      const address = toOctets(range.next, range.length)
      range.next = range.next >= range.last ? range.first : range.next + 1n
      if (!this.#held.has(formatAddress(address))) return address
    }
    return undefined
  }
}

interface PoolRange {
  readonly length: number
  readonly first: bigint
  readonly last: bigint
  next: bigint
}

const MAX_REMEMBERED = 65_536

function octetsOf(family: 'ipv4' | 'ipv6'): number {
  return family === 'ipv4' ? 4 : 16
}

function toNumber(address: Uint8Array): bigint {
  return address.reduce((number, octet) => (number << 8n) | BigInt(octet), 0n)
}

function toOctets(number: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => Number((number >> BigInt(8 * (length - 1 - index))) & 0xffn))
}

/** For tests and `check-config`: whether the ranges of a pool overlap. */
export function rangesOverlap(ranges: readonly string[]): boolean {
  const parsed = ranges.map(parseRange).filter((range) => range !== undefined)
  return parsed.some((a, index) =>
    parsed
      .slice(index + 1)
      .some((b) => a.start.length === b.start.length && compareAddresses(a.start, b.end) <= 0 && compareAddresses(b.start, a.end) <= 0),
  )
}
