import { ConfigurationAttributeType as Attribute, CfgType, type Payload } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../src/index.ts'
import { isIkeAuth, MeddledPair, replacing } from '../meddler.ts'
import { identity, ipv4Packet, Pair, type PairOptions } from '../pair.ts'

const SLOW = { retry: 60_000 }
const SITE_TO_SITE: PairOptions = {
  client: { localSubnets: ['10.1.0.0/24'], remoteSubnets: ['10.2.0.0/24', '10.3.0.0/24'], requestAddresses: [] },
  gateway: { localSubnets: ['10.2.0.0/24', '10.3.0.0/24'], remoteSubnets: ['10.1.0.0/24'], pool: undefined },
}

describe('RFC 7296 §2.19 (C-25) inner addresses', () => {
  it('RFC 7296 §2.19 (C-25): CP stands ahead of SA in both messages', () => {
    const pair = new Pair()
    pair.connect()
    for (const text of pair.transcript().slice(2)) expect(text.indexOf('CP(')).toBeLessThan(text.search(/SA[ir]2/))
  })

  it('RFC 7296 §2.19: address, DNS server and subnet of the family asked for', () => {
    const pair = new Pair()
    pair.connect()
    expect(pair.client.eventsOf('addresses-assigned')).toMatchObject([
      { addresses: [{ address: '10.8.0.10', prefixLength: 32 }], dns: ['10.2.0.53'], subnets: ['10.2.0.0/24'] },
    ])
    expect(pair.client.eventsOf('child-sa-installed')[0]).toMatchObject({ localTs: ['10.8.0.10/32'], remoteTs: ['10.2.0.0/24'] })
    expect(pair.gateway.eventsOf('child-sa-installed')[0]).toMatchObject({ localTs: ['10.2.0.0/24'], remoteTs: ['10.8.0.10/32'] })
  })

  it.each([
    [['ipv4'], ['10.8.0.10']],
    [['ipv6'], ['fd00:8::10']],
    [
      ['ipv4', 'ipv6'],
      ['10.8.0.10', 'fd00:8::10'],
    ],
  ] as const)('RFC 7296 §2.19: %j gets %j, and traffic of each', (requestAddresses, addresses) => {
    const pair = new Pair({
      client: { requestAddresses, remoteSubnets: ['10.2.0.0/24', 'fd00:2::/64'] },
      gateway: { localSubnets: ['10.2.0.0/24', 'fd00:2::/64'] },
    })
    pair.connect()
    expect(pair.client.eventsOf('addresses-assigned')[0]!.addresses.map(({ address }) => address)).toEqual(addresses)
    for (const address of addresses) {
      const inside = address.includes(':') ? 'fd00:2::1' : '10.2.0.1'
      expect(crosses(pair, ipPacket(address, inside)), address).toBe(true)
      expect(crosses(pair, ipPacket(inside, address), pair.gateway), address).toBe(true)
    }
  })

  it('RFC 7296 §2.19: a pool without the second family gives the first alone', () => {
    const pair = new Pair({
      client: { requestAddresses: ['ipv4', 'ipv6'] },
      gateway: { pool: { ranges: ['10.8.0.10-10.8.0.20'], dns: [], subnets: [] } },
    })
    pair.connect()
    expect(pair.client.eventsOf('addresses-assigned')[0]!.addresses).toHaveLength(1)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.19: an exhausted pool is INTERNAL_ADDRESS_FAILURE, and the SA before it is left alone', () => {
    const pair = new Pair({ gateway: { pool: { ranges: ['10.8.0.10'], dns: [], subnets: [] } } })
    pair.connect()
    const second = pair.addClient('second', '192.0.2.11')
    pair.command(second, { kind: 'initiate', peer: 'gateway' })
    pair.run(900)
    expect(pair.log.map((entry) => entry.text)).toContain('HDR, SK {IDr, AUTH, N(INTERNAL_ADDRESS_FAILURE), N(IP4_ALLOWED)}')
    expect(second.eventsOf('handshake-failed')).toMatchObject([{ notify: 'INTERNAL_ADDRESS_FAILURE' }])
    expect(pair.gateway.core.sad.size).toBe(1)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.19: an address goes back to the pool with its IKE SA', () => {
    const pair = new Pair({ gateway: { pool: { ranges: ['10.8.0.10'], dns: [], subnets: [] } } })
    pair.connect()
    pair.command(pair.client, { kind: 'terminate' })
    pair.settle()
    const second = pair.addClient('second', '192.0.2.11')
    pair.command(second, { kind: 'initiate', peer: 'gateway' })
    pair.run(900)
    expect(second.eventsOf('addresses-assigned')[0]?.addresses[0]?.address).toBe('10.8.0.10')
  })

  it('RFC 7296 §2.19 (C-25): who asks for none where one must be had is told FAILED_CP_REQUIRED', () => {
    const pair = new Pair({ client: { localSubnets: ['10.1.0.0/24'], requestAddresses: [] }, clientTimers: SLOW })
    pair.initiate()
    pair.run(2_000)
    expect(pair.transcript()[3]).toBe('R → I  HDR, SK {IDr, AUTH, N(FAILED_CP_REQUIRED)}')
    expect(pair.client.eventsOf('handshake-failed')).toMatchObject([{ notify: 'FAILED_CP_REQUIRED' }])
  })

  it('RFC 7296 §3.15 (C-25): a CFG_SET is no request for an address', () => {
    const pair = new MeddledPair({ clientTimers: SLOW })
    pair.meddle = (message) =>
      isIkeAuth(message, 'request')
        ? [
            pair.resealed(
              message,
              replacing('CP', (cp) => ({ ...cp, cfgType: CfgType.CFG_SET })),
            ),
          ]
        : undefined
    pair.initiate()
    pair.run(2_000)
    expect(pair.transcript()[3]).toContain('N(FAILED_CP_REQUIRED)')
    expect(pair.gateway.core.pools.get('road')!.leased).toBe(0)
  })

  it.each([CfgType.CFG_REQUEST, CfgType.CFG_SET, CfgType.CFG_ACK])('RFC 7296 §3.15 (C-25): a CP of type %i is no CFG_REPLY', (cfgType) => {
    const pair = new MeddledPair({ clientTimers: SLOW })
    pair.meddle = (message) =>
      isIkeAuth(message, 'response')
        ? [
            pair.resealed(
              message,
              replacing('CP', (cp) => ({ ...cp, cfgType })),
            ),
          ]
        : undefined
    pair.initiate()
    pair.run(2_000)
    expect(pair.isUp).toBe(false)
    expect(pair.client.eventsOf('addresses-assigned')).toHaveLength(0)
  })

  it('RFC 7296 §2.19 (C-25): a CFG_REPLY that was not asked for assigns nothing', () => {
    const pair = new MeddledPair(SITE_TO_SITE)
    const reply: Payload = {
      type: 'CP',
      cfgType: CfgType.CFG_REPLY,
      attributes: [{ type: Attribute.INTERNAL_IP4_ADDRESS, value: Uint8Array.of(10, 8, 0, 99) }],
    }
    pair.meddle = (message) => (isIkeAuth(message, 'response') ? [pair.resealed(message, (inner) => [...inner, reply])] : undefined)
    pair.connect()
    expect(pair.client.eventsOf('addresses-assigned')).toHaveLength(0)
    expect(pair.saOf(pair.client).addresses).toEqual([])
  })

  it('RFC 7296 §3.15.1: unknown attributes of a request are ignored', () => {
    const pair = new MeddledPair()
    pair.meddle = (message) =>
      isIkeAuth(message, 'request')
        ? [
            pair.resealed(
              message,
              replacing('CP', (cp) => ({ ...cp, attributes: [{ type: 0x3fff, value: new Uint8Array(9) }, ...cp.attributes] })),
            ),
          ]
        : undefined
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §3.15.1: a wish for an address is granted where it is free', () => {
    const pair = new MeddledPair()
    pair.meddle = (message) =>
      isIkeAuth(message, 'request')
        ? [
            pair.resealed(
              message,
              replacing('CP', (cp) => ({
                ...cp,
                attributes: [{ type: Attribute.INTERNAL_IP4_ADDRESS, value: parseAddress('10.8.0.17')! }],
              })),
            ),
          ]
        : undefined
    pair.connect()
    expect(pair.client.eventsOf('addresses-assigned')[0]!.addresses[0]!.address).toBe('10.8.0.17')
  })
})

describe('RFC 7296 §2.9 (C-19) traffic selectors', () => {
  it('RFC 7296 §2.9: site to site, without CP, each subnet passes', () => {
    const pair = new Pair(SITE_TO_SITE)
    pair.connect()
    expect(pair.transcript().join()).not.toContain('CP(')
    for (const inside of ['10.2.0.7', '10.3.0.7']) {
      expect(crosses(pair, ipPacket('10.1.0.7', inside))).toBe(true)
      expect(crosses(pair, ipPacket(inside, '10.1.0.7'), pair.gateway)).toBe(true)
    }
  })

  it('RFC 7296 §2.9 (C-19): the responder narrows, both ends install what was narrowed', () => {
    const pair = new Pair({ ...SITE_TO_SITE, client: { ...SITE_TO_SITE.client, remoteSubnets: ['10.0.0.0/8'] } })
    pair.connect()
    expect(pair.client.eventsOf('child-sa-installed')[0]).toMatchObject({
      localTs: ['10.1.0.0/24'],
      remoteTs: ['10.2.0.0/24', '10.3.0.0/24'],
    })
    expect(pair.gateway.eventsOf('child-sa-installed')[0]).toMatchObject({
      localTs: ['10.2.0.0/24', '10.3.0.0/24'],
      remoteTs: ['10.1.0.0/24'],
    })
    expect(crosses(pair, ipPacket('10.1.0.7', '10.4.0.7'))).toBe(false)
    expect(pair.counter(pair.client, 'tun-no-policy')).toBe(1)
  })

  it('RFC 7296 §2.9: what does not meet at all is TS_UNACCEPTABLE, and the IKE SA stands until the initiator deletes it', () => {
    const pair = new Pair({ ...SITE_TO_SITE, client: { ...SITE_TO_SITE.client, remoteSubnets: ['10.9.0.0/24'] }, clientTimers: SLOW })
    pair.initiate()
    pair.run(2_000)
    expect(pair.transcript().slice(3)).toEqual([
      'R → I  HDR, SK {IDr, AUTH, N(TS_UNACCEPTABLE)}',
      'I → R  HDR, SK {D}',
      'R → I  HDR, SK {}',
    ])
    expect(pair.client.eventsOf('handshake-failed')).toMatchObject([{ notify: 'TS_UNACCEPTABLE' }])
    expect(pair.gateway.eventsOf('handshake-failed')).toMatchObject([{ notify: 'TS_UNACCEPTABLE' }])
  })

  it('RFC 4301 §5.2 (E-11): a packet whose inner source is not of the SA is dropped and counted', () => {
    const pair = new Pair()
    pair.connect()
    const spoofed = widen(pair, 'client')
    expect(crosses(spoofed, ipPacket('10.8.0.11', '10.2.0.1'))).toBe(false)
    expect(pair.counter(pair.gateway, 'esp-selector-mismatch')).toBe(1)
    expect(crosses(spoofed, ipPacket('10.8.0.10', '10.9.0.1'))).toBe(false)
    expect(pair.counter(pair.gateway, 'esp-selector-mismatch')).toBe(2)
  })

  it('RFC 4301 §5.2 (E-11): likewise on the way to the client', () => {
    const pair = new Pair()
    pair.connect()
    expect(crosses(widen(pair, 'gateway'), ipPacket('10.7.0.1', '10.8.0.10'), pair.gateway)).toBe(false)
    expect(pair.counter(pair.client, 'esp-selector-mismatch')).toBe(1)
  })

  it('RFC 4303 §3.4.2 (E-7): an ESP packet with an unknown SPI is discarded and counted', () => {
    const pair = new Pair({ transports: [{ transport: 'udp', port: 500, natPort: 4500 }] })
    pair.connect()
    pair.input(pair.gateway, {
      kind: 'datagram',
      local: { address: pair.gateway.address, port: 4500 },
      remote: { address: pair.client.address, port: 4500 },
      message: 'esp',
      bytes: Uint8Array.of(1, 2, 3, 4, 0, 0, 0, 1, ...new Uint8Array(40)),
    })
    expect(pair.gateway.received).toHaveLength(0)
    expect(pair.counter(pair.gateway, 'esp-unknown-spi')).toBe(1)
  })

  it('RFC 4301 §4.4.3: one client cannot take the place of another by its inner address', () => {
    const pair = new Pair()
    pair.connect()
    const other = pair.addClient('other', '192.0.2.11', { localId: identity('@other') })
    pair.command(other, { kind: 'initiate', peer: 'gateway' })
    pair.run(900)
    pair.send(pair.gateway, ipPacket('10.2.0.1', '10.8.0.10'))
    pair.settle()
    expect(other.received).toHaveLength(0)
    expect(pair.client.received).toHaveLength(1)
  })
})

function crosses(pair: Pair, packet: Uint8Array, from = pair.client): boolean {
  const to = from === pair.client ? pair.gateway : pair.client
  const before = to.received.length
  pair.send(from, packet)
  pair.settle()
  return to.received.slice(before).some((got) => got.join() === packet.join())
}

/** Makes one end send what its policy forbids. */
function widen(pair: Pair, who: 'client' | 'gateway'): Pair {
  for (const child of pair[who].core.sad.values()) {
    pair[who].core.spd.remove(child)
    Object.defineProperty(child, 'sends', { value: () => true })
    Object.defineProperty(child, 'remoteTs', { value: [{ ...child.remoteTs[0]!, startAddress: new Uint8Array(4) }] })
    pair[who].core.spd.install(child)
  }
  return pair
}

function ipPacket(source: string, destination: string): Uint8Array {
  if (!source.includes(':')) return ipv4Packet(source, destination, 100)
  const packet = new Uint8Array(100)
  packet.set([0x60, 0, 0, 0, 0, 60, 59, 64])
  packet.set(parseAddress(source)!, 8)
  packet.set(parseAddress(destination)!, 24)
  return packet
}
