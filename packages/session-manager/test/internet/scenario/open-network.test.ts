import { describe, expect, it } from 'vitest'
import { BadNetwork } from '../bad-networks.ts'

describe('an open network', () => {
  it.each([
    ['a home', { nat: { mapping: 'endpoint-independent' } }],
    ['an office', { nat: { mapping: 'address-and-port-dependent', filtering: 'address-and-port-dependent' } }],
    ['loss, jitter and reordering', { conditions: { loss: 0.02, jitter: 10, reordering: 0.05 } }],
  ] as const)('RFC 9329 §5.1 (T-FB-1, T-PERF-1): %s: UDP is chosen, and stays', (_, options) => {
    const network = new BadNetwork(options)
    expect(network.comesUpIn()).toBeLessThan(2_000)
    expect(network.way).toBe('udp')
    network.run(60_000)
    expect(network.way).toBe('udp')
    expect(network.passesWithin(1_000)).toBeDefined()
  })

  it('RFC 9329 §5.1 (T-FB-1): two exchanges and half a round trip, and not a segment of TCP leaves', () => {
    const network = new BadNetwork()
    expect(network.comesUpIn()).toBeLessThanOrEqual(130)
    network.run(600_000)
    expect(network.tap.segments('out')).toEqual([])
  })

  it('RFC 7296 §1.4.1 (T-LIFE-1): it goes down with a Delete, and nothing is left', () => {
    const network = new BadNetwork()
    network.comesUpIn()
    network.goDown()
    expect(network.transcript().slice(-2)).toEqual(['I → R  HDR, SK {D}', 'R → I  HDR, SK {}'])
  })
})
