import { decodeMessage, ExchangeType, HeaderFlag, NotifyType, notify, type Payload } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import type { TransportOption } from '../../src/index.ts'
import { isIkeAuth, isIkeSaInit, MeddledPair, rewritten, upPair } from '../meddler.ts'
import { sharedKey, TCP, UDP } from '../pair.ts'

const TRANSPORTS: [string, TransportOption][] = [
  ['TCP', TCP],
  ['UDP', UDP],
]
const UNKNOWN: Payload = { type: 'unknown', payloadType: 200, body: new Uint8Array(8).fill(1) }
const CRITICAL: Payload = { ...UNKNOWN, critical: true }

describe.each(TRANSPORTS)('RFC 7296 §2.5 payloads, over %s', (_, transport) => {
  it('RFC 7296 §2.5 (C-10): an unknown critical payload in IKE_SA_INIT is refused with its type', () => {
    const pair = new MeddledPair({ transports: [transport], clientTimers: { retry: 60_000 } })
    pair.meddle = (message) => (isIkeSaInit(message, 'request') ? [rewritten(message, (payloads) => [...payloads, CRITICAL])] : undefined)
    pair.initiate()
    pair.run(300)
    expect(decodeMessage(pair.log.find((entry) => entry.from === pair.gateway)!.octets).payloads).toEqual([
      notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, Uint8Array.of(200)),
    ])
    expect(pair.gateway.core.ikeSas.size).toBe(0)
  })

  it('RFC 7296 §2.5 (C-10): one in an IKE_SA_INIT response makes no IKE SA', () => {
    const pair = new MeddledPair({ transports: [transport], clientTimers: { retry: 60_000 } })
    pair.meddle = (message) => (isIkeSaInit(message, 'response') ? [rewritten(message, (payloads) => [...payloads, CRITICAL])] : undefined)
    pair.initiate()
    pair.run(2_000)
    expect(pair.log.some((entry) => entry.text.includes('SK'))).toBe(false)
  })

  it('RFC 7296 §2.21.2 (C-10): one in IKE_AUTH is refused with its type and nothing else, and nothing is verified', () => {
    const pair = new MeddledPair({
      transports: [transport],
      gateway: { auth: sharedKey(Uint8Array.of(1)) },
      clientTimers: { retry: 60_000 },
    })
    pair.meddle = (message) => (isIkeAuth(message, 'request') ? [pair.resealed(message, (inner) => [...inner, CRITICAL])] : undefined)
    pair.initiate()
    pair.run(300)
    expect(pair.transcript()[3]).toBe('R → I  HDR, SK {N(UNSUPPORTED_CRITICAL_PAYLOAD)}')
    expect(pair.gateway.eventsOf('authentication-failed')).toHaveLength(0)
    expect(pair.gateway.core.sad.size).toBe(0)
  })

  it('RFC 7296 §2.5 (C-10): one in INFORMATIONAL is refused with its type, and the SA goes on', () => {
    const pair = upPair(transport)
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [CRITICAL, { type: 'D', protocol: 1, spis: [] }])
    expect(pair.lastInner(pair.gateway)).toEqual([notify(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, Uint8Array.of(200))])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.5 (C-10): an unknown payload that is not critical is skipped, in every message', () => {
    const pair = new MeddledPair({ transports: [transport] })
    pair.meddle = (message) =>
      isIkeAuth(message, 'request') || isIkeAuth(message, 'response')
        ? [pair.resealed(message, (inner) => inner.flatMap((payload) => [UNKNOWN, payload]))]
        : undefined
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.5 (C-10): in IKE_SA_INIT too', () => {
    const pair = new MeddledPair({ transports: [transport], clientTimers: { retry: 60_000 } })
    pair.meddle = (message) =>
      isIkeSaInit(message, 'request') ? [rewritten(message, (payloads) => [UNKNOWN, ...payloads, UNKNOWN])] : undefined
    pair.initiate()
    pair.run(300)
    expect(pair.transcript()[1]).toContain('SAr1, KEr, Nr')
  })

  it('RFC 7296 §2.5 (C-10): the critical bit on a payload that everybody knows means nothing', () => {
    const pair = new MeddledPair({ transports: [transport] })
    pair.meddle = (message) =>
      isIkeAuth(message, 'request') || isIkeAuth(message, 'response')
        ? [pair.resealed(message, (inner) => inner.map((payload) => ({ ...payload, critical: true as const })))]
        : undefined
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each(['reversed', 'rotated by one', 'rotated by three'])('RFC 7296 §2.5 (C-11): payloads %s are taken as well', (order) => {
    const shuffle = (payloads: readonly Payload[]): readonly Payload[] => {
      const by = order === 'rotated by one' ? 1 : 3
      return order === 'reversed' ? payloads.toReversed() : [...payloads.slice(by), ...payloads.slice(0, by)]
    }
    const pair = new MeddledPair({ transports: [transport] })
    pair.meddle = (message) =>
      isIkeAuth(message, 'request') || isIkeAuth(message, 'response') ? [pair.resealed(message, shuffle)] : undefined
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each(['request', 'response'] as const)('RFC 7296 §2.5 (C-11): the payloads of an IKE_SA_INIT %s may stand in any order', (kind) => {
    const pair = new MeddledPair({ transports: [transport], clientTimers: { retry: 60_000 } })
    pair.meddle = (message) => (isIkeSaInit(message, kind) ? [rewritten(message, (payloads) => payloads.toReversed())] : undefined)
    pair.initiate()
    pair.run(300)
    // AUTH signs the octets, so only IKE_SA_INIT itself can come through.
    expect(pair.transcript().some((line) => line.includes(kind === 'request' ? 'SAr1' : 'SK {IDi'))).toBe(true)
  })

  it('RFC 7296 §3.1 (C-10): reserved bits of the header flags are ignored, and sent as 0', () => {
    const pair = upPair(transport)
    for (const reservedFlags of [0x01, 0x40, 0x80, 0xc7]) {
      const messageId = pair.saOf(pair.client).window.takeMessageId()
      const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [], { messageId, reservedFlags })
      expect(decodeMessage(request).header.flags).toBe(HeaderFlag.INITIATOR | reservedFlags)
      pair.deliverIke(pair.gateway, request)
      const answer = decodeMessage(pair.log.findLast((entry) => entry.from === pair.gateway)!.octets).header
      expect([answer.messageId, answer.exchangeType]).toEqual([messageId, ExchangeType.INFORMATIONAL])
    }
    for (const entry of pair.log) expect(decodeMessage(entry.octets).header.flags & ~(HeaderFlag.INITIATOR | HeaderFlag.RESPONSE)).toBe(0)
  })

  it('RFC 7296 §3.1 (C-30): I is set by the original initiator alone, R on responses alone', () => {
    const pair = upPair(transport)
    pair.command(pair.gateway, { kind: 'check-liveness' })
    pair.settle()
    for (const [index, entry] of pair.log.entries()) {
      const { flags } = decodeMessage(entry.octets).header
      expect((flags & HeaderFlag.INITIATOR) !== 0).toBe(entry.from === pair.client)
      expect((flags & HeaderFlag.RESPONSE) !== 0).toBe(index % 2 === 1)
    }
  })

  it('RFC 7296 §2 (C-1): a message of 3000 octets is taken', () => {
    const pair = upPair(transport)
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [{ type: 'V', data: new Uint8Array(3000) }])
    expect(pair.lastInner(pair.gateway)).toEqual([])
  })

  it.each([0, 16, 240])('RFC 7296 §3.14 (C-31): %i octets of padding are taken', (padding) => {
    const pair = upPair(transport)
    pair.deliverIke(
      pair.gateway,
      pair.forge(pair.client, ExchangeType.INFORMATIONAL, [{ type: 'V', data: new Uint8Array(11) }], { padding }),
    )
    expect(pair.lastInner(pair.gateway)).toEqual([])
  })

  it('RFC 7296 §2.21.3: nonsense inside the protection is INVALID_SYNTAX, and the SA goes on both sides', () => {
    const pair = upPair(transport)
    pair.deliverIke(
      pair.gateway,
      pair.forgeRaw(pair.client, ExchangeType.INFORMATIONAL, { firstPayload: 41, bytes: new Uint8Array(16).fill(0xff) }),
    )
    expect(pair.log.at(-1)!.text).toBe('HDR, SK {N(INVALID_SYNTAX)}')
    expect(pair.gateway.core.ikeSas.size).toBe(0)
  })
})
