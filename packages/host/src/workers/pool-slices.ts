/** Each worker leases from addresses of its own: two can never give away the same one, and none has to ask another. */
import type { PeerConfig, PoolConfig } from '@underpass/session-manager'
import { formatIp, type IpRange, parseIpRange } from '../ip-prefix.ts'

/** The peers as the worker `index` of `count` has them. Those that share a pool share its slice. */
export function slicedPeers(peers: readonly PeerConfig[], index: number, count: number): PeerConfig[] {
  const slices = new Map<PoolConfig, PoolConfig>()
  return peers.map((peer) => {
    if (!peer.pool) return peer
    const slice = slices.get(peer.pool) ?? { ...peer.pool, ranges: peer.pool.ranges.map((range) => sliceOf(range, index, count)) }
    slices.set(peer.pool, slice)
    return { ...peer, pool: slice }
  })
}

/** The part `index` of `count`, 'first-last'; the parts are as long as each other, but for one address. The range is no smaller than `count`. */
export function sliceOf(text: string, index: number, count: number): string {
  const range = leasable(text)!
  const size = range.last - range.first + 1n
  const at = (part: number): bigint => range.first + (size * BigInt(part)) / BigInt(count)
  const edge = (value: bigint): string => formatIp({ family: range.family, value })
  return `${edge(at(index))}-${edge(at(index + 1) - 1n)}`
}

/** How many addresses a range of a pool has to give. */
export function leasableAddresses(text: string): bigint {
  const range = leasable(text)
  return range ? range.last - range.first + 1n : 0n
}

/** As the core leases: without a subnet's own address, and IPv4's broadcast. */
function leasable(text: string): IpRange | undefined {
  const range = parseIpRange(text)
  if (!range || !text.includes('/') || range.last - range.first < 2n) return range
  return { ...range, first: range.first + 1n, last: range.family === 4 ? range.last - 1n : range.last }
}
