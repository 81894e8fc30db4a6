/**
 * Inner addresses to hand out (RFC 7296 §2.19). An identity that comes back gets the address it had while nobody else needs
 * it; an address given back is free again.
 */
import { formatAddress, parseRange } from '../ip-address.ts'

export class AddressPool {
  readonly #ranges: PoolRange[]
  /** Address text → who holds it, and how often: an identity that lost its SA takes its own address over before the old SA is gone. */
  readonly #held = new Map<string, { readonly owner: string; readonly leases: number }>()
  /** Owner and family → the address last held, oldest first; bounded, as identities are a peer's to choose. */
  readonly #remembered = new Map<string, Uint8Array>()

  constructor(ranges: readonly string[]) {
    this.#ranges = ranges.flatMap((text) => poolRange(text) ?? [])
  }

  hasFamily(family: 'ipv4' | 'ipv6'): boolean {
    return this.#ranges.some((range) => range.length === octetsOf(family))
  }

  /** An address that `wish.owner` may have, or `undefined` where the pool has none left. Changes nothing: it is held once it is taken. */
  offer(wish: AddressWish): AddressOffer | undefined {
    const { owner, family, fixed } = wish
    if (fixed) return this.#mayHave(wish, fixed) ? { owner, family, address: fixed, foundIn: undefined } : undefined
    const remembered = this.#remembered.get(keyOf(owner, family))
    for (const address of [remembered, wish.hint])
      if (address?.length === octetsOf(family) && this.#mayHave(wish, address)) return { owner, family, address, foundIn: undefined }
    for (const range of this.#ranges) {
      if (range.length !== octetsOf(family)) continue
      const address = this.#findFree(range, wish.released ?? [])
      if (address) return { owner, family, address, foundIn: range }
    }
    return undefined
  }

  /** One lease of the offered address begins. */
  take({ owner, family, address, foundIn }: AddressOffer): void {
    const text = formatAddress(address)
    this.#held.set(text, { owner, leases: (this.#held.get(text)?.leases ?? 0) + 1 })
    if (foundIn) foundIn.next = following(foundIn, toNumber(address))
    const key = keyOf(owner, family)
    this.#remembered.delete(key)
    this.#remembered.set(key, address)
    if (this.#remembered.size > MAX_REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value!)
  }

  /** One lease of the address ends. */
  release(address: Uint8Array): void {
    const text = formatAddress(address)
    const held = this.#held.get(text)
    if (held && held.leases > 1) this.#held.set(text, { ...held, leases: held.leases - 1 })
    else this.#held.delete(text)
  }

  get leased(): number {
    return this.#held.size
  }

  #mayHave({ owner, takesOver, released = [] }: AddressWish, address: Uint8Array): boolean {
    const number = toNumber(address)
    const isOurs = this.#ranges.some((range) => range.length === address.length && number >= range.first && number <= range.last)
    const isOwn = takesOver === true && this.#held.get(formatAddress(address))?.owner === owner
    return isOurs && (isOwn || this.#isFree(address, released))
  }

  #isFree(address: Uint8Array, released: readonly Uint8Array[]): boolean {
    const text = formatAddress(address)
    const held = this.#held.get(text)
    return held === undefined || released.filter((other) => formatAddress(other) === text).length >= held.leases
  }

  /** From where the last search ended, so that leasing stays cheap in a large pool that fills. */
  #findFree(range: PoolRange, released: readonly Uint8Array[]): Uint8Array | undefined {
    const size = range.last - range.first + 1n
    const tries = size < BigInt(this.#held.size + 1) ? size : BigInt(this.#held.size + 1)
    let number = range.next
    for (let i = 0n; i < tries; i++) {
      const address = toOctets(number, range.length)
      if (this.#isFree(address, released)) return address
      number = following(range, number)
    }
    return undefined
  }
}

export interface AddressWish {
  readonly owner: string
  readonly family: AddressFamily
  /** Given if it is free. */
  readonly hint?: Uint8Array | undefined
  /** This and no other. */
  readonly fixed?: Uint8Array | undefined
  /** What the owner still holds is from an SA that it has lost (INITIAL_CONTACT) and is given again. */
  readonly takesOver?: boolean
  /** Leases that end before this one begins. */
  readonly released?: readonly Uint8Array[]
}

export interface AddressOffer {
  readonly owner: string
  readonly family: AddressFamily
  readonly address: Uint8Array
  /** Where the search came upon it; the next one goes on behind it. */
  readonly foundIn: PoolRange | undefined
}

type AddressFamily = 'ipv4' | 'ipv6'

interface PoolRange {
  readonly length: number
  readonly first: bigint
  readonly last: bigint
  next: bigint
}

/** Of a prefix the network and broadcast addresses stay free, and in IPv6 that of RFC 4291 §2.6.1; 'first-last' is taken as it is. */
function poolRange(text: string): PoolRange | undefined {
  const range = parseRange(text)
  if (!range) return undefined
  const { length } = range.start
  const [start, end] = [toNumber(range.start), toNumber(range.end)]
  const isSubnet = text.includes('/') && end - start > 1n
  const first = isSubnet ? start + 1n : start
  return { length, first, last: isSubnet && length === 4 ? end - 1n : end, next: first }
}

function following(range: PoolRange, number: bigint): bigint {
  return number >= range.last ? range.first : number + 1n
}

function keyOf(owner: string, family: AddressFamily): string {
  return `${family} ${owner}`
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
