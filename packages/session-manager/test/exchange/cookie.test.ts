import { decodeMessage, NotifyType, type Payload } from '@underpass/ike-codec'
import { frameIke, STREAM_PREFIX } from '@underpass/tcp-framing'
import { describe, expect, it } from 'vitest'
import { concat } from '../../src/octets.ts'
import { isIkeSaInit, MeddledPair, rewritten } from '../meddler.ts'
import { Pair, TCP, UDP } from '../pair.ts'

const UNDER_ATTACK = { cookieThreshold: 0 }

describe('RFC 7296 §2.6 cookies over UDP', () => {
  it('RFC 7296 §2.6 (C-12): the initiator returns the cookie first and changes nothing else', () => {
    const pair = new Pair({ transports: [UDP], gatewayLimits: UNDER_ATTACK })
    pair.connect()
    const [first, asked, second] = pair.log.map((entry) => decodeMessage(entry.octets))
    expect(pair.transcript().slice(0, 3)).toEqual([
      'I → R  HDR, SAi1, KEi, Ni, N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP), N(IKEV2_FRAGMENTATION_SUPPORTED)',
      'R → I  HDR, N(COOKIE)',
      'I → R  HDR, N(COOKIE), SAi1, KEi, Ni, N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP), N(IKEV2_FRAGMENTATION_SUPPORTED)',
    ])
    expect(second!.payloads[0]).toEqual(asked!.payloads[0])
    // The source hash is random over UDP (C-27); what §2.6 is about are SA, KE and Nonce.
    expect(second!.payloads.slice(1, 4)).toEqual(first!.payloads.slice(0, 3))
    expect(second!.header.initiatorSpi).toBe(first!.header.initiatorSpi)
    expect(second!.header.messageId).toBe(0)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.6: the repeated request differs from the first by the cookie alone, to the last octet', () => {
    const pair = new Pair({ transports: [UDP], gatewayLimits: UNDER_ATTACK })
    pair.connect()
    const [first, asked, second] = pair.log.map((entry) => entry.octets)
    const cookieLength = asked!.length - 28
    expect(second!.subarray(28 + cookieLength)).toEqual(first!.subarray(28))
  })

  it('RFC 7296 §2.6: a responder that asks for a cookie keeps no state', () => {
    const pair = new Pair({ transports: [UDP], gatewayLimits: UNDER_ATTACK })
    pair.initiate()
    pair.run(1000, () => pair.log.length === 2)
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(0)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
    expect(decodeMessage(pair.log[1]!.octets).header.responderSpi).toBe(0n)
  })

  it('RFC 7296 §2.6: the cookie is 1 to 64 octets', () => {
    const pair = new Pair({ transports: [UDP], gatewayLimits: UNDER_ATTACK })
    pair.connect()
    const notify = decodeMessage(pair.log[1]!.octets).payloads[0]
    expect(notify).toMatchObject({ type: 'N', notifyType: NotifyType.COOKIE, protocol: 0 })
    expect(notify?.type === 'N' && notify.data.length >= 1 && notify.data.length <= 64).toBe(true)
  })

  it.each([
    ['a changed octet', (cookie: Uint8Array) => cookie.map((octet, index) => (index === 10 ? octet ^ 1 : octet))],
    ['another secret', (cookie: Uint8Array) => cookie.map((octet, index) => (index === 3 ? octet + 1 : octet))],
    ['one octet less', (cookie: Uint8Array) => cookie.slice(0, -1)],
    ['one octet more', (cookie: Uint8Array) => concat(cookie, Uint8Array.of(0))],
  ])('RFC 7296 §2.6 (C-12): a cookie with %s is treated as none: a new one is asked for', (_, change) => {
    const pair = new MeddledPair({ transports: [UDP], gatewayLimits: UNDER_ATTACK })
    let changed = 0
    pair.meddle = (message) =>
      isIkeSaInit(message, 'request') && decodeMessage(message.octets).payloads[0]?.type === 'N' && changed++ === 0
        ? [rewritten(message, (payloads) => [withCookie(payloads[0]!, change), ...payloads.slice(1)])]
        : undefined
    pair.connect()
    expect(pair.transcript().filter((line) => line === 'R → I  HDR, N(COOKIE)')).toHaveLength(2)
  })

  it('RFC 7296 §2.6: the same cookie from another address is refused with a new one', () => {
    const pair = new MeddledPair({ transports: [UDP], gatewayLimits: UNDER_ATTACK })
    pair.connect()
    const withCookie = pair.log[2]!.octets
    const before = pair.log.length
    pair.deliverIke(pair.gateway, changedSpi(withCookie, 0), { transport: 'udp', remote: { address: '203.0.113.7', port: 500 } })
    expect(pair.transcript(before)).toEqual(['R → I  HDR, N(COOKIE)'])
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(0)
  })

  it('RFC 7296 §2.6: below the threshold nobody is asked for a cookie', () => {
    const pair = new Pair({ transports: [UDP], gatewayLimits: { cookieThreshold: 1 } })
    pair.connect()
    expect(pair.transcript().join()).not.toContain('COOKIE')
  })

  it('RFC 7296 §2.6: half-open IKE SAs above the threshold turn cookies on, and off again when they are gone', () => {
    const pair = new MeddledPair({ transports: [UDP], gatewayLimits: { cookieThreshold: 3 } })
    pair.connect()
    const request = pair.log[0]!.octets
    for (let spi = 1; spi <= 3; spi++) pair.deliverIke(pair.gateway, changedSpi(request, spi), { transport: 'udp' })
    pair.settle()
    const before = pair.log.length
    pair.deliverIke(pair.gateway, changedSpi(request, 4), { transport: 'udp' })
    expect(pair.transcript(before)).toEqual(['R → I  HDR, N(COOKIE)'])
    pair.run(31_000)
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(0)
    const after = pair.log.length
    pair.deliverIke(pair.gateway, changedSpi(request, 5), { transport: 'udp' })
    pair.settle()
    expect(pair.transcript(after)[0]).toContain('SAr1')
  })

  it('RFC 7296 §2.6: a responder that asks for ever is given up on, and the initiator stays bounded', () => {
    const pair = new MeddledPair({ transports: [UDP], gatewayLimits: UNDER_ATTACK })
    pair.meddle = (message) =>
      isIkeSaInit(message, 'request') ? [rewritten(message, (payloads) => payloads.filter((payload) => payload.type !== 'N'))] : undefined
    pair.initiate()
    pair.run(20_000)
    expect(pair.isUp).toBe(false)
    expect(pair.log.filter((entry) => entry.from === pair.client).length).toBeLessThan(16)
  })
})

describe('RFC 9329 §6.3 cookies over TCP', () => {
  it('RFC 9329 §6.3 (T-CK-1): over TCP no COOKIE is asked for, not even under attack', () => {
    const pair = new Pair({ transports: [TCP], gatewayLimits: UNDER_ATTACK })
    pair.connect()
    expect(pair.transcript().join()).not.toContain('COOKIE')
    expect(pair.transcript().join()).not.toContain('PUZZLE')
  })

  it('RFC 9329 §6.3 (T-CK-1, T-CK-4): with cookiesOverTcp the cookie comes back first, all else unchanged, on the same connection', () => {
    const pair = new Pair({ transports: [TCP], gatewayLimits: { ...UNDER_ATTACK, cookiesOverTcp: true } })
    pair.connect()
    const [first, asked, second] = pair.log.map((entry) => entry.octets)
    expect(pair.transcript()[1]).toBe('R → I  HDR, N(COOKIE)')
    expect(second!.subarray(28 + asked!.length - 28)).toEqual(first!.subarray(28))
    expect(decodeMessage(second!).payloads[0]).toEqual(decodeMessage(asked!).payloads[0])
    expect(pair.pipes).toHaveLength(1)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 9329 §6.3 (T-CK-2): after COOKIE the connection is closed when no repetition comes in 5 to 10 seconds', () => {
    const pair = new Pair({ gatewayLimits: { ...UNDER_ATTACK, cookiesOverTcp: true } })
    const stranger = pair.dialRaw(pair.gateway)
    stranger.write(concat(STREAM_PREFIX, frameIke('rfc9329', aRequest())))
    expect(stranger.read().length).toBeGreaterThan(0)
    pair.run(5_000)
    expect(stranger.isClosed()).toBe(false)
    pair.run(5_000)
    expect(stranger.isClosed()).toBe(true)
    expect(pair.gateway.core.inspect(pair.now).halfOpen).toBe(0)
  })

  it('RFC 9329 §6.3 (T-CK-3): the cookie is good on another connection from another port', () => {
    const pair = new Pair({ gatewayLimits: { ...UNDER_ATTACK, cookiesOverTcp: true } })
    const request = aRequest()
    const first = pair.dialRaw(pair.gateway)
    first.write(concat(STREAM_PREFIX, frameIke('rfc9329', request)))
    const asked = decodeMessage(first.read().subarray(6))
    const second = pair.dialRaw(pair.gateway)
    const remotes = pair.gateway.eventsOf('connection-opened').map((event) => event.remote)
    expect(remotes[0]!.address).toBe(remotes[1]!.address)
    expect(remotes[0]!.port).not.toBe(remotes[1]!.port)
    second.write(
      concat(
        STREAM_PREFIX,
        frameIke(
          'rfc9329',
          rewritten({ octets: request }, (payloads) => [asked.payloads[0]!, ...payloads]),
        ),
      ),
    )
    pair.settle()
    expect(decodeMessage(second.read().subarray(6)).payloads.map((payload) => payload.type)).toEqual(['SA', 'KE', 'Nonce', 'N', 'N', 'N'])
  })

  it('RFC 9329 §6.3 (T-CK-3): from another address it is not, and a new cookie is issued', () => {
    const pair = new Pair({ gatewayLimits: { ...UNDER_ATTACK, cookiesOverTcp: true } })
    const request = aRequest()
    const first = pair.dialRaw(pair.gateway)
    first.write(concat(STREAM_PREFIX, frameIke('rfc9329', request)))
    const asked = decodeMessage(first.read().subarray(6))
    const second = pair.dialRaw(pair.gateway, '203.0.113.100')
    second.write(
      concat(
        STREAM_PREFIX,
        frameIke(
          'rfc9329',
          rewritten({ octets: request }, (payloads) => [asked.payloads[0]!, ...payloads]),
        ),
      ),
    )
    pair.settle()
    const again = decodeMessage(second.read().subarray(6))
    expect(again.payloads).toHaveLength(1)
    expect(again.payloads[0]).not.toEqual(asked.payloads[0])
  })
})

describe('RFC 7296 §2.6.1 COOKIE and INVALID_KE_PAYLOAD together', () => {
  const options = {
    transports: [UDP],
    client: { ikeProposals: suites('aes256gcm16-prfsha256-x25519', 'aes256gcm16-prfsha256-ecp256') },
    gateway: { ikeProposals: suites('aes256gcm16-prfsha256-ecp256') },
  }

  it('RFC 7296 §2.6.1 (C-13): cookie first, then another group: the cookie goes along and is not asked for again', () => {
    const pair = new Pair({ ...options, gatewayLimits: UNDER_ATTACK })
    pair.connect()
    expect(pair.transcript().slice(0, 5)).toEqual([
      'I → R  HDR, SAi1, KEi, Ni, N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP), N(IKEV2_FRAGMENTATION_SUPPORTED)',
      'R → I  HDR, N(COOKIE)',
      'I → R  HDR, N(COOKIE), SAi1, KEi, Ni, N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP), N(IKEV2_FRAGMENTATION_SUPPORTED)',
      'R → I  HDR, N(INVALID_KE_PAYLOAD)',
      'I → R  HDR, N(COOKIE), SAi1, KEi, Ni, N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP), N(IKEV2_FRAGMENTATION_SUPPORTED)',
    ])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.6.1 (C-13): another group first, then the cookie', () => {
    const pair = new MeddledPair({ ...options, gatewayLimits: { cookieThreshold: 1 } })
    let stirred = false
    pair.meddle = (message) => {
      // Between the two, somebody else's request makes the gateway careful.
      if (message.to === pair.client && !stirred) {
        stirred = true
        const mine = rewritten({ octets: pair.log[0]!.octets }, (payloads) => payloads)
        pair.deliverIke(pair.gateway, groupOf(changedSpi(mine, 9)), { transport: 'udp', remote: { address: '203.0.113.7', port: 500 } })
      }
      return undefined
    }
    pair.connect()
    const lines = pair.transcript().filter((line) => line.startsWith('I →') || line.includes('COOKIE') || line.includes('INVALID'))
    expect(
      lines
        .slice(0, 5)
        .map((line) => line.replace(', N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP), N(IKEV2_FRAGMENTATION_SUPPORTED)', '')),
    ).toEqual([
      'I → R  HDR, SAi1, KEi, Ni',
      'R → I  HDR, N(INVALID_KE_PAYLOAD)',
      'I → R  HDR, SAi1, KEi, Ni',
      'R → I  HDR, N(COOKIE)',
      'I → R  HDR, N(COOKIE), SAi1, KEi, Ni',
    ])
    expect(pair.passesTraffic()).toBe(true)
  })
})

import { KeyExchangeMethod } from '@underpass/ike-codec'
import { keyExchange } from '@underpass/ike-crypto'
import { parseIkeSuite } from '../../src/index.ts'
import { seededRandom } from '../network.ts'

function suites(...texts: string[]): ReturnType<typeof parseIkeSuite>[] {
  return texts.map(parseIkeSuite)
}

function withCookie(payload: Payload, change: (cookie: Uint8Array) => Uint8Array): Payload {
  return payload.type === 'N' ? { ...payload, data: change(payload.data) } : payload
}

/** The same request of an initiator with another SPI. */
function changedSpi(request: Uint8Array, spi: number): Uint8Array {
  const changed = request.slice()
  changed[7] = spi
  if (spi !== 0) changed[0] = 0xee
  return changed
}

/** The same request with a key of the group that the gateway wants. */
function groupOf(request: Uint8Array): Uint8Array {
  const method = KeyExchangeMethod.ECP_256
  const { publicValue } = keyExchange(method)!.initiate(seededRandom('other'))
  return rewritten({ octets: request }, (payloads) =>
    payloads.map((payload) => (payload.type === 'KE' ? { type: 'KE', method, data: publicValue } : payload)),
  )
}

/** An IKE_SA_INIT request as the client of a Pair would make it. */
function aRequest(): Uint8Array {
  const pair = new Pair()
  pair.initiate()
  pair.run(1000, () => pair.log.length > 0)
  return pair.log[0]!.octets
}
