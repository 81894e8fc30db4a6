import { describe, expect, it } from 'vitest'
import type { TransportOption } from '../../src/index.ts'
import { TCP, UDP } from '../pair.ts'
import { WatchedPair } from './support.ts'

describe.each([
  ['UDP', UDP],
  ['TCP', TCP],
] as [string, TransportOption][])('RFC 7296 §1.3 CREATE_CHILD_SA over %s', (_, transport) => {
  describe.each(['client', 'gateway'] as const)('begun by the %s', (who) => {
    it('§1.3.3, §2.8: a Child SA is replaced under traffic, nothing is lost, and the old one is gone at both ends', () => {
      const pair = up(transport)
      const node = pair[who]
      const before = pair.childOf(node).inboundSpi
      const mark = pair.log.length
      pair.rekey(node, 'child-sa')
      pair.runUnderTraffic(300)
      expect(pair.log.slice(mark).map(({ text }) => text)).toEqual([
        'HDR, SK {N(REKEY_SA), SA, Ni, KEi, TSi, TSr}',
        'HDR, SK {SA, Nr, KEr, TSi, TSr}',
        'HDR, SK {D}',
        'HDR, SK {D}',
      ])
      expect(pair.lostOf(pair.client)).toEqual([])
      expect(pair.lostOf(pair.gateway)).toEqual([])
      pair.run(6_000)
      expect(pair.leftovers()).toEqual([])
      expect(pair.childOf(node).inboundSpi).not.toBe(before)
      expect(pair.passesTraffic()).toBe(true)
    })

    it('§1.3.2, §2.18 (C-24): the IKE SA is replaced under traffic, with a new KE, Message IDs that begin at 0, and its Child SA', () => {
      const pair = up(transport)
      const node = pair[who]
      const [before, child] = [pair.currentOf(node), pair.childOf(node)]
      const mark = pair.log.length
      pair.rekey(node, 'ike-sa')
      pair.runUnderTraffic(300)
      expect(pair.log.slice(mark).map(({ text }) => text)).toEqual([
        'HDR, SK {SA, Ni, KEi}',
        'HDR, SK {SA, Nr, KEr}',
        'HDR, SK {D}',
        'HDR, SK {}',
      ])
      expect(pair.leftovers()).toEqual([])
      const after = pair.currentOf(node)
      expect(after).not.toBe(before)
      expect(after.role).toBe('initiator')
      expect(pair.childOf(node)).toBe(child)
      expect([...pair.lostOf(pair.client), ...pair.lostOf(pair.gateway)]).toEqual([])
      for (const from of [pair.client, pair.gateway]) {
        pair.command(from, { kind: 'check-liveness' })
        pair.settle()
        expect(pair.log.slice(-2).map(({ octets }) => octets.subarray(20, 24).join())).toEqual(['0,0,0,0', '0,0,0,0'])
      }
      expect(pair.passesTraffic()).toBe(true)
    })
  })
})

function up(transport: TransportOption): WatchedPair {
  const pair = new WatchedPair({ transports: [transport] })
  pair.connect()
  return pair
}
