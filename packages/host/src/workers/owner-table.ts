/** Which worker has the Child SA for an inner packet: by its destination, which the SAs' remote traffic selectors cover. */
import { parseIpRange } from '../ip-prefix.ts'

/** A Child SA that came up in a worker. `child` names it among all of them. */
export interface OwnedSelectors {
  readonly worker: number
  readonly child: string
  /** As the events have them: '10.99.0.2/32', '10.99.0.0/24 proto 6 port 80-80'. */
  readonly remoteTs: readonly string[]
}

/** Addresses as 32-bit words, so that looking one up for a packet allocates nothing: one word for IPv4, four for IPv6. */
type Words = Int32Array

interface Owned {
  readonly first: Words
  readonly last: Words
  readonly worker: number
  readonly child: string
}

export class OwnerTable {
  /** Single addresses, by a hash of them: nearly all, where a gateway hands out addresses. The one that came last wins. */
  readonly #addresses = new Map<number, Owned[]>()
  /** All others. Looked through one by one: as many as there are connected networks. */
  readonly #ranges = new Map<string, readonly Owned[]>()
  /** By child: the hashes of its single addresses. */
  readonly #children = new Map<string, readonly number[]>()
  readonly #ipv4 = new Int32Array(1)
  readonly #ipv6 = new Int32Array(4)

  add({ worker, child, remoteTs }: OwnedSelectors): void {
    this.remove(child)
    // Ports and protocols are for the worker's own SPD.
    const owned = remoteTs
      .flatMap((text) => parseIpRange(text.split(' ')[0]!) ?? [])
      .map(({ family, first, last }) => ({ first: wordsOf(family, first), last: wordsOf(family, last), worker, child }))
    const single = owned.filter(({ first, last }) => isEqual(first, last))
    const wide = owned.filter(({ first, last }) => !isEqual(first, last))
    for (const one of single) this.#addresses.set(hashOf(one.first), [one, ...(this.#addresses.get(hashOf(one.first)) ?? [])])
    if (wide.length > 0) this.#ranges.set(child, wide)
    this.#children.set(
      child,
      single.map(({ first }) => hashOf(first)),
    )
  }

  remove(child: string): void {
    for (const hash of this.#children.get(child) ?? []) {
      const left = (this.#addresses.get(hash) ?? []).filter((owned) => owned.child !== child)
      if (left.length > 0) this.#addresses.set(hash, left)
      else this.#addresses.delete(hash)
    }
    this.#children.delete(child)
    this.#ranges.delete(child)
  }

  /** The worker for the IP packet at `buffer[offset, offset + length)`. */
  find(buffer: Uint8Array, offset: number, length: number): number | undefined {
    const isIpv4 = buffer[offset]! >> 4 === 4
    const address = isIpv4 ? this.#ipv4 : this.#ipv6
    const at = offset + (isIpv4 ? 16 : 24)
    if (at + 4 * address.length > offset + length) return undefined
    for (let i = 0, from = at; i < address.length; i++, from += 4)
      address[i] = (buffer[from]! << 24) | (buffer[from + 1]! << 16) | (buffer[from + 2]! << 8) | buffer[from + 3]!
    const same = this.#addresses.get(hashOf(address))
    if (same !== undefined) for (const owned of same) if (isEqual(owned.first, address)) return owned.worker
    for (const ranges of this.#ranges.values()) for (const owned of ranges) if (isWithin(address, owned)) return owned.worker
    return undefined
  }
}

function wordsOf(family: 4 | 6, value: bigint): Words {
  const words = new Int32Array(family === 4 ? 1 : 4)
  for (let i = words.length - 1, left = value; i >= 0; i--, left >>= 32n) words[i] = Number(BigInt.asIntN(32, left))
  return words
}

/** Of 32 bits, signed: a small integer. */
function hashOf(words: Words): number {
  let hash = words[0]!
  for (let i = 1; i < words.length; i++) hash = Math.imul(hash, 31) ^ words[i]!
  return hash
}

function isEqual(a: Words, b: Words): boolean {
  return compare(a, b) === 0
}

function isWithin(address: Words, { first, last }: Owned): boolean {
  return address.length === first.length && compare(first, address) <= 0 && compare(address, last) <= 0
}

/** Of two families the shorter comes first. */
function compare(a: Words, b: Words): number {
  if (a.length !== b.length) return a.length - b.length
  for (let i = 0; i < a.length; i++) {
    // Without a sign.
    const difference = (a[i]! >>> 0) - (b[i]! >>> 0)
    if (difference !== 0) return difference
  }
  return 0
}
