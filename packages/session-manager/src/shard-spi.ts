/** The bits of an SPI that say which core made it; see `shard.ts`. */
import type { Shard } from './config.ts'

/** As many cores as the bits can tell apart. */
export const MAX_SHARDS = 64

const SHARD_MASK: number = MAX_SHARDS - 1

/** Which core made an SPI, by its last octet or its last 32 bits. Of an SPI that none of them made it says nothing true. */
export function shardOfSpi(low: number): number {
  return low & SHARD_MASK
}

/** Random octets as an SPI: the last one names the core, where there are several. */
export function markSpi(octets: Uint8Array, shard: Shard | undefined): Uint8Array {
  if (shard === undefined) return octets
  const marked = octets.slice()
  const last = marked.length - 1
  marked[last] = (marked[last]! & ~SHARD_MASK) | shard.index
  return marked
}
