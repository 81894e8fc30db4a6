import { ConfigurationAttributeType as Attribute, CfgType, NotifyType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { findConfiguration, findNotify } from '../../src/ike/payload-queries.ts'
import type { PoolConfig, SessionError } from '../../src/index.ts'
import { isIkeAuth, MeddledPair, replacing } from '../meddler.ts'
import { gatewayPeer, Pair, type PairOptions } from '../pair.ts'

const octets = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))
const POOL: PoolConfig = { ranges: ['10.8.0.10-10.8.0.20'], dns: ['10.2.0.53'], subnets: [], domains: ['example.com', 'city.other.test'] }

function assigned(options: PairOptions): { domains: readonly string[]; pCscf: readonly string[] } {
  const pair = new Pair(options)
  pair.connect()
  return pair.client.eventsOf('addresses-assigned')[0]!
}

describe('RFC 8598 split DNS', () => {
  it('RFC 8598 §3.4.1: the domains of the gateway, with the DNS servers that know them', () => {
    const pair = new MeddledPair({ gateway: { pool: POOL } })
    pair.connect()
    expect(pair.client.eventsOf('addresses-assigned')[0]).toMatchObject({
      dns: ['10.2.0.53'],
      domains: ['example.com', 'city.other.test'],
    })
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 8598 §3.1: asked for by an empty attribute beside those for DNS servers', () => {
    const pair = new MeddledPair()
    const asked: (readonly number[])[] = []
    pair.meddle = (message) => {
      if (isIkeAuth(message, 'request'))
        asked.push(
          ...findConfiguration(pair.openAny(message.octets), CfgType.CFG_REQUEST)!.attributes.map(({ type, value }) => [
            type,
            value.length,
          ]),
        )
      return undefined
    }
    pair.connect()
    expect(asked).toContainEqual([Attribute.INTERNAL_DNS_DOMAIN, 0])
    expect(asked).toContainEqual([Attribute.INTERNAL_IP4_DNS, 0])
  })

  it('RFC 8598 §3.1: who does not ask is told of no domain', () => {
    const pair = new MeddledPair({ gateway: { pool: POOL } })
    const unasked = replacing('CP', (cp) => ({
      ...cp,
      attributes: cp.attributes.filter(({ type }) => type !== Attribute.INTERNAL_DNS_DOMAIN),
    }))
    pair.meddle = (message) => (isIkeAuth(message, 'request') ? [pair.resealed(message, unasked)] : undefined)
    pair.connect()
    expect(pair.client.eventsOf('addresses-assigned')[0]).toMatchObject({ dns: ['10.2.0.53'], domains: [] })
  })

  it.each([
    ['the root', '.', []],
    ['no name at all', '', []],
    ['one that would be an option of a command', '-x.example.com', []],
    ['one with a space', 'example com', []],
    ['one with a label of 64', `${'a'.repeat(64)}.example.com`, []],
    ['one of 300 octets', 'a.'.repeat(150), []],
    ['one in capitals with a dot at its end', 'Corp.EXAMPLE.com.', ['corp.example.com']],
  ])('RFC 8598 §4.1: %s is passed over or put right', (_, text, domains) => {
    const pair = new MeddledPair({ gateway: { pool: POOL } })
    const named = replacing('CP', (cp) => ({
      ...cp,
      attributes: cp.attributes.map((one) => (one.type === Attribute.INTERNAL_DNS_DOMAIN ? { ...one, value: octets(text) } : one)),
    }))
    pair.meddle = (message) => (isIkeAuth(message, 'response') ? [pair.resealed(message, named)] : undefined)
    pair.connect()
    expect(pair.client.eventsOf('addresses-assigned')[0]!.domains).toEqual(domains)
  })

  it('RFC 8598 §3.2: domains without a DNS server are a mistake of the configuration', () => {
    expect(() => new Pair({ gateway: { pool: { ...POOL, dns: [] } } })).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG' } satisfies Partial<SessionError>),
    )
  })
})

describe('RFC 7651 P-CSCF', () => {
  const pool = { ...gatewayPeer().pool!, pCscf: ['10.2.0.60', 'fd00:2::60'] }

  it('RFC 7651 §3, §4: told to who asks, of the families asked for', () => {
    expect(assigned({ client: { requestsPCscf: true }, gateway: { pool } }).pCscf).toEqual(['10.2.0.60'])
    const both = { requestsPCscf: true, requestAddresses: ['ipv4', 'ipv6'] as const }
    expect(assigned({ client: both, gateway: { pool } }).pCscf).toEqual(['10.2.0.60', 'fd00:2::60'])
    expect(assigned({ gateway: { pool } }).pCscf).toEqual([])
  })
})

describe('RFC 8983 IP4_ALLOWED and IP6_ALLOWED', () => {
  const V4 = '10.8.0.10-10.8.0.20'
  const V6 = 'fd00:8::10-fd00:8::ff'

  it.each([
    [['ipv4'], [V6], ['IP6']],
    [['ipv4'], [V4], ['IP4']],
    [['ipv4'], [V4, V6], ['IP4', 'IP6']],
    [['ipv6'], [V6], ['IP6']],
    [['ipv6'], [V4], ['IP4']],
    [['ipv4', 'ipv6'], [V4], ['IP4']],
    [
      ['ipv4', 'ipv6'],
      [V4, V6],
      ['IP4', 'IP6'],
    ],
  ] as const)('RFC 8983 §5: asked for %j of %j, the answer says %j', (requestAddresses, ranges, allowed) => {
    const pair = new MeddledPair({
      client: { requestAddresses, remoteSubnets: ['10.2.0.0/24', 'fd00:2::/64'] },
      gateway: { localSubnets: ['10.2.0.0/24', 'fd00:2::/64'], pool: { ranges, dns: [], subnets: [] } },
      clientTimers: { retry: 60_000 },
    })
    const told: string[] = []
    pair.meddle = (message) => {
      const inner = isIkeAuth(message, 'response') ? pair.openAny(message.octets) : []
      for (const family of ['IP4', 'IP6'] as const) if (findNotify(inner, NotifyType[`${family}_ALLOWED`])) told.push(family)
      return undefined
    }
    pair.initiate()
    pair.run(3_000)
    expect(told).toEqual(allowed)
  })

  it('RFC 8983 §5: where the other family is all there is, the client says what to ask for', () => {
    const pair = new Pair({ gateway: { pool: { ranges: [V6], dns: [], subnets: [] } }, clientTimers: { retry: 60_000 } })
    pair.initiate()
    pair.run(3_000)
    expect(pair.client.eventsOf('handshake-failed')[0]!.detail).toMatch(/hands out IPv6 addresses only \(request_addresses\)/)
  })
})
