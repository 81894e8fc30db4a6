import type { PeerConfig } from '@underpass/session-manager'
import { describe, expect, it } from 'vitest'
import { leasableAddresses, slicedPeers, sliceOf } from '../../src/workers/pool-slices.ts'

describe('RFC 7296 §2.19: a pool in slices', () => {
  it.each<[string, number, string[]]>([
    ['10.99.0.2-10.99.0.9', 2, ['10.99.0.2-10.99.0.5', '10.99.0.6-10.99.0.9']],
    ['10.99.0.0/29', 3, ['10.99.0.1-10.99.0.2', '10.99.0.3-10.99.0.4', '10.99.0.5-10.99.0.6']],
    ['10.0.0.1-10.0.0.3', 3, ['10.0.0.1-10.0.0.1', '10.0.0.2-10.0.0.2', '10.0.0.3-10.0.0.3']],
    ['10.0.0.1-10.0.0.5', 2, ['10.0.0.1-10.0.0.2', '10.0.0.3-10.0.0.5']],
    ['fd00::/126', 2, ['fd00::1-fd00::1', 'fd00::2-fd00::3']],
    ['10.0.0.7', 1, ['10.0.0.7-10.0.0.7']],
  ])('%s for %i', (range, count, slices) => {
    expect(slices.map((_, index) => sliceOf(range, index, count))).toEqual(slices)
    expect(slices.reduce((sum, slice) => sum + leasableAddresses(slice), 0n)).toBe(leasableAddresses(range))
  })

  it('peers that share a pool share its slice, and the others keep what they have', () => {
    const pool = { ranges: ['10.0.0.1-10.0.0.8'], dns: ['10.0.0.53'], subnets: [] }
    const peers = [
      { name: 'a', pool },
      { name: 'b', pool },
      { name: 'c', pool: undefined },
    ] as unknown as PeerConfig[]
    const [a, b, c] = slicedPeers(peers, 1, 2)
    expect(a!.pool).toEqual({ ...pool, ranges: ['10.0.0.5-10.0.0.8'] })
    expect(b!.pool).toBe(a!.pool)
    expect(c).toBe(peers[2])
  })
})
