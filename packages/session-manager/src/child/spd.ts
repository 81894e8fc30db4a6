/**
 * The Security Policy Database, outbound side (RFC 4301 §4.4.1): which Child SA an inner packet leaves by. Host selectors
 * (one address, as a pool hands out) are found by hash, so that a gateway's cost per packet does not grow with its clients;
 * everything else is tried in the order of installation, newest first.
 */
import type { ChildSa } from './child-sa.ts'

export class Spd {
  /** Hash of the one destination address → Child SAs whose remote selectors hold it. */
  readonly #hosts = new Map<number, ChildSa[]>()
  readonly #others: ChildSa[] = []

  install(child: ChildSa): void {
    const hosts = hostsOf(child)
    if (hosts === undefined) this.#others.unshift(child)
    else for (const hash of hosts) this.#hosts.set(hash, [child, ...(this.#hosts.get(hash) ?? [])])
  }

  /** For packets that match no other: the one that it replaces goes on for now (RFC 7296 §2.8). */
  installBehind(child: ChildSa): void {
    const hosts = hostsOf(child)
    if (hosts === undefined) this.#others.push(child)
    else for (const hash of hosts) this.#hosts.set(hash, [...(this.#hosts.get(hash) ?? []), child])
  }

  remove(child: ChildSa): void {
    const hosts = hostsOf(child)
    if (hosts === undefined) {
      const index = this.#others.indexOf(child)
      if (index >= 0) this.#others.splice(index, 1)
      return
    }
    for (const hash of hosts) {
      const kept = (this.#hosts.get(hash) ?? []).filter((other) => other !== child)
      if (kept.length > 0) this.#hosts.set(hash, kept)
      else this.#hosts.delete(hash)
    }
  }

  /** The Child SA whose selectors hold the packet at `offset`, or `undefined`. The packet has a whole IP header. */
  lookup(packet: Uint8Array, offset: number, length: number): ChildSa | undefined {
    const isIpv4 = packet[offset]! >> 4 === 4
    const candidates = this.#hosts.get(isIpv4 ? hashAddress(packet, offset + 16, 4) : hashAddress(packet, offset + 24, 16))
    if (candidates !== undefined) {
      for (let i = 0; i < candidates.length; i++) if (candidates[i]!.sends(packet, offset, length)) return candidates[i]
    }
    for (let i = 0; i < this.#others.length; i++) if (this.#others[i]!.sends(packet, offset, length)) return this.#others[i]
    return undefined
  }
}

/** The address hashes of a Child SA whose remote selectors are all single addresses. */
function hostsOf(child: ChildSa): Set<number> | undefined {
  const hashes = new Set<number>()
  for (const { startAddress, endAddress } of child.remoteTs) {
    if (!startAddress.every((octet, index) => octet === endAddress[index])) return undefined
    hashes.add(hashAddress(startAddress, 0, startAddress.length))
  }
  return hashes.size > 0 ? hashes : undefined
}

/** FNV-1a. Only a key: `sends` decides. Signed, as an unsigned number would be an object of its own for half of the packets. */
function hashAddress(packet: Uint8Array, at: number, length: number): number {
  let hash = 0x811c9dc5
  for (let i = at; i < at + length; i++) hash = Math.imul(hash ^ packet[i]!, 0x01000193)
  return hash
}
