import { describe, expect, it } from 'vitest'
import { type SessionConfig, SessionManager, shardOfSpi } from '../src/index.ts'
import { seededRandom } from './network.ts'
import { clientPeer, gatewayPeer, identity, Pair, sessionConfig, TCP } from './pair.ts'

describe('one endpoint in several cores', () => {
  it('RFC 7296 §2.6, RFC 4303 §2.1: the SPIs that a core makes say which of them it is', () => {
    const pair = shardedPair(5, 7)
    pair.connect()
    expect(shardOfSpi(Number(pair.saOf(pair.gateway).responderSpi & 0xffffffffn))).toBe(5)
    expect([...pair.gateway.core.sad.keys()].map(shardOfSpi)).toEqual([5])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.18: rekeyed by either end, the IKE SA and the Child SA stay in their core, and the IKE SA says by which SPI it goes now', () => {
    const pair = shardedPair(5, 7)
    pair.connect()
    for (const [round, node] of [pair.gateway, pair.client].entries()) {
      const before = pair.saOf(pair.gateway)
      pair.command(node, { kind: 'rekey', what: 'ike-sa' })
      pair.run(1_000)
      pair.command(node, { kind: 'rekey', what: 'child-sa' })
      pair.run(7_000)
      const { localSpi } = pair.saOf(pair.gateway)
      expect(shardOfSpi(Number(localSpi & 0xffffffffn))).toBe(5)
      expect([...pair.gateway.core.sad.keys()].map(shardOfSpi)).toEqual([5])
      expect(pair.gateway.eventsOf('ike-sa-rekeyed')[round]).toMatchObject({
        formerLocalSpi: before.localSpi.toString(16).padStart(16, '0'),
        localSpi: localSpi.toString(16).padStart(16, '0'),
      })
    }
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.4: an IKE SA says that it is its identity’s first, and others are told to forget', () => {
    const pair = shardedPair(0, 2)
    pair.connect()
    const [established] = pair.gateway.eventsOf('ike-sa-established')
    expect(established).toMatchObject({
      isInitialContact: true,
      localSpi: pair.saOf(pair.gateway).responderSpi.toString(16).padStart(16, '0'),
    })
    const from = { address: '192.0.2.77', port: 4500 }
    const forget = { kind: 'forget', localSpis: [established!.localSpi!, 'ffffffffffffffff'], identity: '@client', from } as const
    // One that began before it: what it says of others was said before this one was there.
    pair.command(pair.gateway, { ...forget, begunMillisecondsAgo: pair.now + 1 })
    expect(pair.gateway.core.ikeSas.size).toBe(1)
    pair.command(pair.gateway, { ...forget, begunMillisecondsAgo: 0 })
    expect(pair.gateway.core.ikeSas.size).toBe(0)
    expect(pair.gateway.eventsOf('ike-sa-closed')).toMatchObject([
      { localSpi: established!.localSpi, byPeer: true, cameAnew: { from, before: { address: pair.client.address } } },
    ])
  })

  it('RFC 7296 §2.4: of those of an identity that are too many for all cores the first gives way, with a Delete', () => {
    const pair = shardedPair(0, 2)
    pair.connect()
    const { localSpi } = pair.gateway.eventsOf('ike-sa-established')[0]!
    pair.command(pair.gateway, { kind: 'make-room', localSpis: [localSpi!] })
    pair.settle()
    expect(pair.gateway.core.ikeSas.size).toBe(0)
    expect(pair.client.eventsOf('ike-sa-closed')).toMatchObject([{ byPeer: true }])
  })

  it('a core that is alone puts nothing of this into its events', () => {
    const pair = new Pair()
    pair.connect()
    expect(pair.gateway.eventsOf('ike-sa-established')[0]).not.toHaveProperty('localSpi')
  })

  it.each<[string, SessionConfig['shard'], string]>([
    ['too many', { index: 0, count: 65 }, 'shard.count is 65, which is not 1 to 64'],
    ['one beyond the last', { index: 2, count: 2 }, 'shard.index is 2, which is not below shard.count, 2'],
  ])('refused: %s', (_, shard, message) => {
    expect(() => new SessionManager({ ...sessionConfig([gatewayPeer()], true), shard: shard! }, seededRandom('shard'))).toThrow(message)
  })

  it('refused: one that dials, whose SPI would be where nobody looks for it', () => {
    const config = { ...sessionConfig([clientPeer([TCP])], false), shard: { index: 0, count: 2 } }
    expect(() => new SessionManager(config, seededRandom('shard'))).toThrow('peer "gateway": one of several cores cannot dial')
  })
})

function shardedPair(index: number, count: number): Pair {
  return new Pair({ gatewayShard: { index, count }, client: { localId: identity('@client') } })
}
