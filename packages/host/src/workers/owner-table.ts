/** Which worker has the Child SA for an inner packet: by its destination, which the SAs' remote traffic selectors cover. */
import { type IpRange, parseIpRange } from '../ip-prefix.ts'

/** A Child SA that came up in a worker. `child` names it among all of them. */
export interface OwnedSelectors {
  readonly worker: number
  readonly child: string
  /** As the events have them: '10.99.0.2/32', '10.99.0.0/24 proto 6 port 80-80'. */
  readonly remoteTs: readonly string[]
}

export class OwnerTable {
  /** Single addresses, by their text: nearly all, where a gateway hands out addresses. The one that came last wins. */
  readonly #addresses = new Map<string, OwnedSelectors[]>()
  /** All others. Looked through one by one: as many as there are connected networks. */
  readonly #ranges = new Map<string, { readonly owned: OwnedSelectors; readonly ranges: readonly IpRange[] }>()
  readonly #children = new Map<string, readonly string[]>()

  add(owned: OwnedSelectors): void {
    this.remove(owned.child)
    // Ports and protocols are for the worker's own SPD.
    const ranges = owned.remoteTs.flatMap((text) => parseIpRange(text.split(' ')[0]!) ?? [])
    const single = ranges.filter(({ first, last }) => first === last).map(({ family, first }) => keyOf(family, first))
    const wide = ranges.filter(({ first, last }) => first !== last)
    for (const key of single) this.#addresses.set(key, [owned, ...(this.#addresses.get(key) ?? [])])
    if (wide.length > 0) this.#ranges.set(owned.child, { owned, ranges: wide })
    this.#children.set(owned.child, single)
  }

  remove(child: string): void {
    for (const key of this.#children.get(child) ?? []) {
      const left = this.#addresses.get(key)!.filter((owned) => owned.child !== child)
      if (left.length > 0) this.#addresses.set(key, left)
      else this.#addresses.delete(key)
    }
    this.#children.delete(child)
    this.#ranges.delete(child)
  }

  /** The worker for the IP packet at `buffer[offset, offset + length)`. */
  find(buffer: Uint8Array, offset: number, length: number): number | undefined {
    const family = buffer[offset]! >> 4 === 4 ? 4 : 6
    const at = offset + (family === 4 ? 16 : 24)
    const octets = family === 4 ? 4 : 16
    if (at + octets > offset + length) return undefined
    let value = 0n
    for (let i = at; i < at + octets; i++) value = (value << 8n) | BigInt(buffer[i]!)
    const owned = this.#addresses.get(keyOf(family, value))?.[0]
    if (owned !== undefined) return owned.worker
    for (const { owned: candidate, ranges } of this.#ranges.values())
      if (ranges.some((range) => range.family === family && value >= range.first && value <= range.last)) return candidate.worker
    return undefined
  }
}

function keyOf(family: 4 | 6, value: bigint): string {
  return `${family} ${value.toString(36)}`
}
