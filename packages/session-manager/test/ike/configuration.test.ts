import { ConfigurationAttributeType as Attribute, CfgType, type Payload } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import {
  configurationReply,
  configurationRequest,
  readConfigurationReply,
  readTunnelTimes,
  requestedFamilies,
  tunnelTimes,
} from '../../src/ike/configuration.ts'
import { DEFAULT_TIMERS, parseAddress } from '../../src/index.ts'
import { clientPeer, gatewayPeer, TCP } from '../pair.ts'

type Configuration = Extract<Payload, { type: 'CP' }>
const address = (text: string): Uint8Array => parseAddress(text)!
const reply = (attributes: Configuration['attributes']): Configuration => ({ type: 'CP', cfgType: CfgType.CFG_REPLY, attributes })

describe('RFC 7296 §2.19 asking', () => {
  it('RFC 7296 §3.15.1: empty attributes ask for an address, DNS servers and subnets of each family, and for domains (RFC 8598)', () => {
    const request = configurationRequest({ ...clientPeer([TCP]), requestAddresses: ['ipv4', 'ipv6'] }, []) as Configuration
    expect(request.cfgType).toBe(CfgType.CFG_REQUEST)
    expect(request.attributes.map((attribute) => attribute.type)).toEqual([
      Attribute.INTERNAL_IP4_ADDRESS,
      Attribute.INTERNAL_IP4_DNS,
      Attribute.INTERNAL_IP4_SUBNET,
      Attribute.INTERNAL_IP6_ADDRESS,
      Attribute.INTERNAL_IP6_DNS,
      Attribute.INTERNAL_IP6_SUBNET,
      Attribute.INTERNAL_DNS_DOMAIN,
    ])
    expect(request.attributes.every((attribute) => attribute.value.length === 0)).toBe(true)
  })

  it('RFC 7296 §3.15.1: addresses assigned before are asked for again', () => {
    const former = [
      { address: '10.99.0.7', prefixLength: 32 },
      { address: '2001:db8::7', prefixLength: 128 },
    ]
    const request = configurationRequest({ ...clientPeer([TCP]), requestAddresses: ['ipv4', 'ipv6'] }, former) as Configuration
    expect(requestedFamilies(request)).toEqual([
      { family: 'ipv4', hint: address('10.99.0.7') },
      { family: 'ipv6', hint: address('2001:db8::7') },
    ])
  })

  it('RFC 7296 §2.19: who wants no address sends no CP', () => {
    expect(configurationRequest({ ...clientPeer([TCP]), requestAddresses: [] }, [])).toBeUndefined()
  })

  it('RFC 7296 §3.15.1: an address in a request is a wish; all zero or a wrong length is none', () => {
    const asked = (value: Uint8Array): unknown => requestedFamilies(reply([{ type: Attribute.INTERNAL_IP4_ADDRESS, value }]))
    expect(asked(address('10.8.0.15'))).toEqual([{ family: 'ipv4', hint: address('10.8.0.15') }])
    expect(asked(address('0.0.0.0'))).toEqual([{ family: 'ipv4', hint: undefined }])
    expect(asked(Uint8Array.of(10, 8))).toEqual([{ family: 'ipv4', hint: undefined }])
  })

  it('RFC 7296 §3.15.1: one address a family is given, however often it is asked for', () => {
    const empty = new Uint8Array(0)
    const types = [Attribute.INTERNAL_IP4_ADDRESS, Attribute.INTERNAL_IP4_ADDRESS, Attribute.INTERNAL_IP6_ADDRESS, 777]
    expect(requestedFamilies(reply(types.map((type) => ({ type, value: empty })))).map((wish) => wish.family)).toEqual(['ipv4', 'ipv6'])
  })
})

describe('RFC 7296 §3.15.1 answering', () => {
  const pool = { ...gatewayPeer().pool!, subnets: ['10.2.0.0/24', 'fd00:2::/64', '10.3.0.1-10.3.0.9'] }

  it('RFC 7296 §3.15.1: an IPv6 address has its prefix length, an IPv4 subnet its netmask', () => {
    const { attributes } = configurationReply([address('10.8.0.10'), address('fd00:8::10')], pool, undefined) as Configuration
    expect(attributes.map(({ type, value }) => [type, [...value]])).toEqual([
      [Attribute.INTERNAL_IP4_ADDRESS, [10, 8, 0, 10]],
      [Attribute.INTERNAL_IP6_ADDRESS, [...address('fd00:8::10'), 128]],
      [Attribute.INTERNAL_IP4_DNS, [10, 2, 0, 53]],
      [Attribute.INTERNAL_IP6_DNS, [...address('fd00:2::53')]],
      [Attribute.INTERNAL_IP4_SUBNET, [10, 2, 0, 0, 255, 255, 255, 0]],
      [Attribute.INTERNAL_IP6_SUBNET, [...address('fd00:2::'), 64]],
    ])
  })

  it('RFC 7296 §2.19: nothing of a family whose address was not leased', () => {
    const { attributes } = configurationReply([address('10.8.0.10')], pool, undefined) as Configuration
    expect(attributes.map(({ type }) => type)).toEqual([
      Attribute.INTERNAL_IP4_ADDRESS,
      Attribute.INTERNAL_IP4_DNS,
      Attribute.INTERNAL_IP4_SUBNET,
    ])
  })

  it('RFC 7296 §3.15.1: the initiator reads back what the responder wrote', () => {
    expect(
      readConfigurationReply(configurationReply([address('10.8.0.10'), address('fd00:8::10')], pool, undefined) as Configuration),
    ).toEqual({
      addresses: [
        { address: '10.8.0.10', prefixLength: 32 },
        { address: 'fd00:8::10', prefixLength: 128 },
      ],
      dns: ['10.2.0.53', 'fd00:2::53'],
      subnets: ['10.2.0.0/24', 'fd00:2::/64'],
      domains: [],
      pCscf: [],
    })
  })

  it.each<[string, number, number[]]>([
    ['an IPv4 address of three octets', Attribute.INTERNAL_IP4_ADDRESS, [10, 8, 0]],
    ['an IPv6 address without a prefix length', Attribute.INTERNAL_IP6_ADDRESS, [...address('fd00::1')]],
    ['an IPv6 address with a prefix length of 129', Attribute.INTERNAL_IP6_ADDRESS, [...address('fd00::1'), 129]],
    ['a DNS server of five octets', Attribute.INTERNAL_IP4_DNS, [1, 2, 3, 4, 5]],
    ['an IPv4 subnet without a mask', Attribute.INTERNAL_IP4_SUBNET, [10, 2, 0, 0]],
    ['an IPv4 subnet with a mask that has holes', Attribute.INTERNAL_IP4_SUBNET, [10, 2, 0, 0, 255, 0, 255, 0]],
    ['an IPv6 subnet with a prefix length of 200', Attribute.INTERNAL_IP6_SUBNET, [...address('fd00::'), 200]],
    ['an unknown attribute', 777, [1, 2, 3, 4]],
  ])('RFC 7296 §3.15.1: passes over %s', (_, type, value) => {
    expect(readConfigurationReply(reply([{ type, value: Uint8Array.from(value) }]))).toEqual({
      addresses: [],
      dns: [],
      subnets: [],
      domains: [],
      pCscf: [],
    })
  })

  it('RFC 7296 §3.15.1: host bits of a subnet do not show', () => {
    const subnets = readConfigurationReply(
      reply([
        { type: Attribute.INTERNAL_IP4_SUBNET, value: Uint8Array.of(10, 2, 0, 7, 255, 255, 255, 0) },
        { type: Attribute.INTERNAL_IP6_SUBNET, value: Uint8Array.of(...address('fd00:2::7'), 64) },
      ]),
    ).subnets
    expect(subnets).toEqual(['10.2.0.0/24', 'fd00:2::/64'])
  })
})

describe('TS 24.302 F.2.3, 8.2.4: the times of a firewall traversal tunnel', () => {
  const { FTT_KAT, TIMEOUT_PERIOD_FOR_LIVENESS_CHECK } = Attribute
  const EMPTY = new Uint8Array(0)
  const timers = (fttKeepalive: number, liveness: number): typeof DEFAULT_TIMERS => ({ ...DEFAULT_TIMERS, fttKeepalive, liveness })
  const asker = clientPeer([{ transport: 'tcp', port: 443, framing: '3gpp-ftt' }])
  const request = configurationRequest(asker, []) as Configuration
  const read = (...attributes: [number, number[]][]): unknown =>
    readTunnelTimes(asker, reply(attributes.map(([type, value]) => ({ type, value: Uint8Array.from(value) }))))
  const times = (fttKat: number | undefined, livenessPeriod?: number): unknown => [{ kind: 'tunnel-times', fttKat, livenessPeriod }]

  it.each<[string, number, number, number[], number[]]>([
    ['whole seconds', 20_000, 30_000, [0, 20], [0, 0, 0, 30]],
    ['parts of one are rounded up, to 1 at least', 1, 1_001, [0, 1], [0, 0, 0, 2]],
    ['what is too long for two octets is as long as they can say', 100_000_000, 100_000_000, [0xff, 0xff], [0, 1, 0x86, 0xa0]],
  ])('F.2.3 (F-7, F-8): the answer in octets: %s', (_, kat, liveness, two, four) => {
    expect(tunnelTimes(request, timers(kat, liveness)).map(({ type, value }) => [type, [...value]])).toEqual([
      [FTT_KAT, two],
      [TIMEOUT_PERIOD_FOR_LIVENESS_CHECK, four],
    ])
  })

  it('F.2.3 (F-7, F-8): who asks for one is told one, who asks for none none', () => {
    expect(tunnelTimes(reply([{ type: FTT_KAT, value: EMPTY }]), DEFAULT_TIMERS).map(({ type }) => type)).toEqual([FTT_KAT])
    expect(tunnelTimes(configurationRequest(clientPeer([TCP]), []) as Configuration, DEFAULT_TIMERS)).toEqual([])
  })

  it('F.2.3 (F-7, F-8): the client reads back what the gateway wrote', () => {
    expect(readTunnelTimes(asker, reply(tunnelTimes(request, timers(300_000, 90_000))))).toEqual(times(300_000, 90_000))
  })

  it('F.2.3 (F-7, F-8): a wrong length, a time of 0 and a second value are passed over', () => {
    expect(read([FTT_KAT, [1]], [TIMEOUT_PERIOD_FOR_LIVENESS_CHECK, [0, 9]])).toEqual(times(undefined))
    expect(read([FTT_KAT, []], [TIMEOUT_PERIOD_FOR_LIVENESS_CHECK, []])).toEqual(times(undefined))
    expect(read([FTT_KAT, [0, 0]], [TIMEOUT_PERIOD_FOR_LIVENESS_CHECK, [0, 0, 0, 0]])).toEqual(times(undefined))
    expect(read([FTT_KAT, [0, 9]], [FTT_KAT, [0, 1]])).toEqual(times(9_000))
    expect(read([TIMEOUT_PERIOD_FOR_LIVENESS_CHECK, [0xff, 0xff, 0xff, 0xff]])).toEqual(times(undefined, 4_294_967_295_000))
  })

  it('RFC 7296 §2.19 (C-25): an answer to what was not asked is none', () => {
    expect(readTunnelTimes(clientPeer([TCP]), reply(tunnelTimes(request, DEFAULT_TIMERS)))).toEqual([])
  })
})
