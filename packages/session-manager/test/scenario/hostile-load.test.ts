/** What one peer, or one that only claims to be, could take from all the others. */
import { decodeMessage, ExchangeType, encodeMessage, NotifyType, notify, type Payload, type PayloadOf } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { ikeFrame, PREFIX } from '../frames.ts'
import { MeddledPair } from '../meddler.ts'
import { Pair, TCP, UDP } from '../pair.ts'

/** Header, SK, IV, Pad Length, ICV, and the two notifies in front of the data. */
const LARGEST_COOKIE2 = 65_529 - 28 - 4 - 8 - 1 - 16 - 16

describe.each([
  ['TCP', TCP],
  ['UDP', UDP],
])('an answer is never longer than a message can be, over %s', (_, transport) => {
  it.each([0, 7, 65, LARGEST_COOKIE2])('RFC 4555 §4.2.5: COOKIE2 of %i octets is none, and is not given back', (length) => {
    const pair = new MeddledPair({ transports: [transport] })
    pair.connect()
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [
      notify(NotifyType.NAT_DETECTION_SOURCE_IP),
      notify(NotifyType.COOKIE2, new Uint8Array(length)),
    ])
    expect(notifyTypesOf(pair.lastInner(pair.gateway))).toEqual([
      NotifyType.NAT_DETECTION_SOURCE_IP,
      NotifyType.NAT_DETECTION_DESTINATION_IP,
    ])
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([8, 64])('RFC 4555 §3.7: COOKIE2 of %i octets comes back as it came', (length) => {
    const pair = new MeddledPair({ transports: [transport] })
    pair.connect()
    const data = new Uint8Array(length).map((_, index) => index)
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [notify(NotifyType.COOKIE2, data)])
    expect(pair.lastInner(pair.gateway)).toMatchObject([{ notifyType: NotifyType.COOKIE2, data }])
  })
})

describe('half-open IKE SAs in somebody else’s name', () => {
  it('RFC 7296 §2.6: who is at the address over TCP is served while its room for unproven requests is full', () => {
    const pair = new MeddledPair({ transports: [TCP], gatewayLimits: { maxHalfOpenPerAddress: 4 } })
    floodFrom(pair, pair.client.address, 20)
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(4)
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.6: over UDP it is asked for a cookie, and served', () => {
    const pair = new MeddledPair({ transports: [UDP], gatewayLimits: { maxHalfOpenPerAddress: 4 } })
    floodFrom(pair, pair.client.address, 20)
    pair.connect()
    expect(pair.counter(pair.client, 'ike-cookies-returned')).toBe(1)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('`limits.maxHalfOpenPerAddress`: cookies and TCP give an address no more than its room', () => {
    const pair = new MeddledPair({ transports: [UDP], gatewayLimits: { maxHalfOpenPerAddress: 4, cookieThreshold: 0 } })
    for (let spi = 1; spi <= 10; spi++) {
      const request = requestOf(spi)
      pair.deliverIke(pair.gateway, request, { transport: 'udp', remote: { address: '203.0.113.9', port: 500 + spi } })
      const { payloads, header } = decodeMessage(request)
      const asked = decodeMessage(pair.log.at(-1)!.octets).payloads[0] as PayloadOf<'N'>
      const again = encodeMessage({ header, payloads: [notify(NotifyType.COOKIE, asked.data.slice()), ...payloads] })
      pair.deliverIke(pair.gateway, again, { transport: 'udp', remote: { address: '203.0.113.9', port: 500 + spi } })
    }
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(4)
    expect(pair.gateway.eventsOf('limit-reached')[0]).toMatchObject({ limit: 'maxHalfOpenPerAddress', remote: { address: '203.0.113.9' } })
  })

  it('RFC 4291 §2.5.4: the addresses of one IPv6 /64 are one host’s, and have the room of one', () => {
    const pair = new MeddledPair({ transports: [UDP], gatewayLimits: { maxHalfOpenPerAddress: 4 } })
    for (let spi = 1; spi <= 20; spi++)
      pair.deliverIke(pair.gateway, requestOf(spi), { transport: 'udp', remote: { address: `2001:db8:0:1::${spi}`, port: 500 } })
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(4)
    pair.deliverIke(pair.gateway, requestOf(99), { transport: 'udp', remote: { address: '2001:db8:0:2::1', port: 500 } })
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(5)
  })
})

it('RFC 9329 §6.1 (T-LIFE-13): a connection of IKE_SA_INITs that are none is closed like one of octets that are none', () => {
  const pair = new MeddledPair({ transports: [TCP], gatewayLimits: { maxCorruptFrames: 5 } })
  const { header, payloads } = decodeMessage(REQUEST)
  const stranger = pair.dialRaw(pair.gateway)
  stranger.write(PREFIX)
  const useless = encodeMessage({ header, payloads: payloads.filter(({ type }) => type === 'N') })
  for (let count = 1; count <= 5; count++) {
    expect(stranger.isClosed()).toBe(false)
    stranger.write(ikeFrame(useless))
  }
  expect(stranger.isClosed()).toBe(true)
})

it('RFC 9329 §10 (T-SEC-1): `limits.maxConnectionsPerAddress` counts an IPv6 /64 as one', () => {
  const pair = new Pair({ gatewayLimits: { maxConnectionsPerAddress: 3 } })
  for (let host = 1; host <= 10; host++)
    pair.input(pair.gateway, {
      kind: 'connection-opened',
      connection: 1001 + 2 * host,
      role: 'responder',
      local: { address: '2001:db8::1', port: 4500 },
      remote: { address: `2001:db8:0:1::${host}`, port: 1000 },
      framing: 'rfc9329',
    })
  expect(pair.gateway.core.inspect(pair.now).connections).toHaveLength(3)
})

/** Requests under many SPIs, all with that source, as anybody can write it into a datagram. */
function floodFrom(pair: MeddledPair, address: string, count: number): void {
  for (let spi = 1; spi <= count; spi++)
    pair.deliverIke(pair.gateway, requestOf(spi), { transport: 'udp', remote: { address, port: 1000 + spi } })
  pair.settle()
}

function requestOf(spi: number): Uint8Array {
  const other = REQUEST.slice()
  other.set([0xee, 0, spi], 0)
  return other
}

const REQUEST: Uint8Array = (() => {
  const pair = new Pair({ transports: [UDP] })
  pair.initiate()
  pair.run(1000, () => pair.log.length > 0)
  return pair.log[0]!.octets
})()

function notifyTypesOf(payloads: readonly Payload[]): number[] {
  return payloads.map((payload) => (payload.type === 'N' ? payload.notifyType : -1))
}
