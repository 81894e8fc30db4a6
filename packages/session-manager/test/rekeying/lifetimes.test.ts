import { describe, expect, it } from 'vitest'
import { DEFAULT_LIFETIMES, type Lifetimes } from '../../src/index.ts'
import { type PairOptions, UDP } from '../pair.ts'
import { WatchedPair } from './support.ts'

describe('RFC 7296 §2.8 (C-18): SAs are rekeyed before their lifetime is over', () => {
  it('by time: between 80 and 90 % of it, each time another, by the end whose lifetime is shorter', () => {
    const pair = up({ client: { lifetimes: lifetimes({ ikeSa: 100_000, childSa: 40_000 }) } })
    pair.run(600_000)
    const { client } = pair
    expect(client.eventsOf('child-sa-rekeyed').every(({ by }) => by === 'us')).toBe(true)
    expect(client.eventsOf('ike-sa-rekeyed').every(({ by }) => by === 'us')).toBe(true)
    // 600 s in rounds of 32 to 36 s, and of 80 to 90 s.
    expect(client.eventsOf('child-sa-rekeyed').length).toBeGreaterThanOrEqual(16)
    expect(client.eventsOf('child-sa-rekeyed').length).toBeLessThanOrEqual(18)
    expect(client.eventsOf('ike-sa-rekeyed').length).toBeGreaterThanOrEqual(6)
    expect(client.eventsOf('ike-sa-rekeyed').length).toBeLessThanOrEqual(7)
    expect(client.eventsOf('ike-sa-closed')).toEqual([])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('§2.8.1: with the same lifetimes at both ends, too, as they begin at random', () => {
    const same = { lifetimes: lifetimes({ ikeSa: 100_000, childSa: 40_000 }) }
    const pair = up({ client: same, gateway: same })
    for (let i = 0; i < 30; i++) pair.runUnderTraffic(20_000, 500)
    pair.run(5_000)
    expect([...pair.lostOf(pair.client), ...pair.lostOf(pair.gateway)]).toEqual([])
    expect(new Set(pair.client.eventsOf('child-sa-rekeyed').map(({ by }) => by)).size).toBe(2)
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
    expect(pair.client.eventsOf('ike-sa-established')).toHaveLength(1)
  })

  it.each([
    ['packets', { childPackets: 200 }, 'client'],
    ['packets', { childPackets: 200 }, 'gateway'],
    ['octets', { childOctets: 12_000 }, 'client'],
    ['octets', { childOctets: 12_000 }, 'gateway'],
  ] as const)('by %s, sent or received: %o of the %s', (_, limit, who) => {
    const pair = up({ [who]: { lifetimes: lifetimes(limit) } })
    // Of 60 octets each.
    pair.runUnderTraffic(2_500, 10)
    pair.run(6_000)
    expect(pair[who].eventsOf('child-sa-rekeyed').map(({ by }) => by)).toEqual(['us'])
    expect(pair.leftovers()).toEqual([])
    expect([...pair.lostOf(pair.client), ...pair.lostOf(pair.gateway)]).toEqual([])
  })

  it.each([
    ['RFC 4303 §3.3.3 (E-1): before 32-bit Sequence Numbers run out', 'packets', 2 ** 32],
    ['RFC 8446 §5.5: before one key of AES has sealed 2^38 octets', 'octets', 2 ** 38],
  ] as const)('%s, whatever is configured', (_, counter, limit) => {
    const pair = up({ client: { lifetimes: lifetimes({ childPackets: 2 ** 50, childOctets: 2 ** 50 }) } })
    const { outbound } = pair.childOf(pair.client)
    outbound[counter] = Math.floor(limit * 0.79)
    pair.passesTraffic()
    expect(pair.client.eventsOf('child-sa-rekeyed')).toEqual([])
    outbound[counter] = Math.ceil(limit * 0.91)
    pair.runUnderTraffic(100)
    expect(pair.client.eventsOf('child-sa-rekeyed')).toHaveLength(1)
    expect(pair.lostOf(pair.client)).toEqual([])
  })
})

describe('RFC 7296 §2.8, §2.25 (C-18): rekeying that is refused', () => {
  it('TEMPORARY_FAILURE is not asked again at once, and after minutes of it the IKE SA is closed and made anew', () => {
    const pair = up({ client: { lifetimes: lifetimes({ childSa: 100_000 }) }, clientTimers: { rekeyRetry: 2_000, rekeyGiveUp: 6_000 } })
    // It says so of an IKE SA that it is about to delete.
    pair.currentOf(pair.gateway).state = { kind: 'DELETING', reason: 'of the test' }
    const mark = pair.log.length
    pair.run(105_000)
    const asked = pair.log.slice(mark).filter(({ text }) => text.includes('REKEY_SA'))
    expect(asked.length).toBeGreaterThanOrEqual(3)
    for (const [index, { at }] of asked.entries()) if (index > 0) expect(at - asked[index - 1]!.at).toBeGreaterThanOrEqual(1_600)
    expect(pair.client.eventsOf('rekey-failed').length).toBeGreaterThanOrEqual(2)
    expect(pair.client.eventsOf('ike-sa-closed')[0]!.reason).toContain('TEMPORARY_FAILURE for 6000 ms')
    pair.run(10_000)
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([
    ['Child SA', { childSa: 100_000 }, { pfs: 'none' }, { pfs: 'required' }],
    ['IKE SA', { ikeSa: 100_000 }, {}, { ikeProposals: [] }],
  ] as const)(
    'a %s that is never rekeyed ends its IKE SA when its lifetime is over, and the client makes another',
    (_, limit, client, gateway) => {
      const pair = up({ client: { lifetimes: lifetimes(limit), ...client } })
      const { peer } = pair.currentOf(pair.gateway)
      pair.currentOf(pair.gateway).peer = { ...peer!, ...gateway }
      pair.run(99_000)
      expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
      expect(pair.client.eventsOf('rekey-failed').length).toBeGreaterThan(0)
      pair.run(4_000)
      expect(pair.client.eventsOf('ike-sa-closed')).toHaveLength(1)
      pair.run(2_000)
      expect(pair.client.eventsOf('ike-sa-established')).toHaveLength(2)
      expect(pair.passesTraffic()).toBe(true)
    },
  )

  it('§1.3 (C-13): INVALID_KE_PAYLOAD is asked again with the method named', () => {
    const pair = up()
    const sa = pair.currentOf(pair.gateway)
    // From now on only with the other of the two.
    sa.peer = { ...sa.peer!, ikeProposals: sa.peer!.ikeProposals.slice(1) }
    const mark = pair.log.length
    pair.rekey(pair.client, 'ike-sa')
    pair.run(1_000)
    expect(pair.log.slice(mark).map(({ text }) => text)).toEqual([
      'HDR, SK {SA, Ni, KEi}',
      'HDR, SK {N(INVALID_KE_PAYLOAD)}',
      'HDR, SK {SA, Ni, KEi}',
      'HDR, SK {SA, Nr, KEr}',
      'HDR, SK {D}',
      'HDR, SK {}',
    ])
    expect(pair.currentOf(pair.client).suite?.keyExchange).toBe(19)
    expect(pair.leftovers()).toEqual([])
  })
})

describe('RFC 7296 §1.3.1, §2.17: a key exchange for each Child SA', () => {
  it.each([
    ['preferred', 'preferred', true],
    ['required', 'preferred', true],
    ['preferred', 'required', true],
    ['none', 'preferred', false],
    ['preferred', 'none', false],
    ['none', 'none', false],
  ] as const)('the client has it %s, the gateway %s: %s', (client, gateway, hasKe) => {
    const pair = up({ client: { pfs: client }, gateway: { pfs: gateway } })
    pair.rekey(pair.client, 'child-sa')
    pair.run(7_000)
    expect(pair.leftovers()).toEqual([])
    expect(pair.log.some(({ text }) => text.includes('KEr, TSi'))).toBe(hasKe)
    expect(pair.client.eventsOf('child-sa-rekeyed')).toHaveLength(1)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('§2.8: it is of the method of the one before, whatever the IKE SA has been rekeyed with', () => {
    const pair = up()
    const sa = pair.currentOf(pair.gateway)
    const { peer } = sa
    sa.peer = { ...peer!, ikeProposals: peer!.ikeProposals.slice(1) }
    pair.rekey(pair.client, 'ike-sa')
    pair.run(1_000)
    pair.currentOf(pair.gateway).peer = peer
    expect(pair.currentOf(pair.client).suite?.keyExchange).toBe(19)
    const mark = pair.log.length
    pair.rekey(pair.client, 'child-sa')
    pair.run(1_000)
    expect(pair.log.slice(mark).map(({ text }) => text)).not.toContain('HDR, SK {N(INVALID_KE_PAYLOAD)}')
    expect(pair.childOf(pair.client).keyExchange).toBe(31)
  })

  it('one more Child SA, by command: traffic goes on, and each is deleted alone', () => {
    const pair = up()
    pair.command(pair.client, { kind: 'create-child', peer: 'gateway' })
    pair.runUnderTraffic(300)
    expect(pair.client.core.sad.size).toBe(2)
    expect(pair.gateway.core.sad.size).toBe(2)
    expect([...pair.lostOf(pair.client), ...pair.lostOf(pair.gateway)]).toEqual([])
    pair.rekey(pair.gateway, 'child-sa')
    pair.rekey(pair.client, 'ike-sa')
    pair.run(60_000)
    expect(pair.client.core.sad.size).toBe(2)
    expect(pair.gateway.core.sad.size).toBe(2)
    expect(pair.passesTraffic()).toBe(true)
  })
})

function lifetimes(some: Partial<Lifetimes>): Lifetimes {
  return { ...DEFAULT_LIFETIMES, ...some }
}

function up(options: PairOptions = {}): WatchedPair {
  const pair = new WatchedPair({ transports: [UDP], ...options })
  pair.connect()
  return pair
}
