import { decodeHeader, decodeMessage, ExchangeType, NotifyType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { DEFAULT_IKE_SUITES, parseIkeSuite } from '../../src/index.ts'
import { type InTransit, isIkeSaInit, isResponse, MeddledPair, replacing, rewritten } from '../meddler.ts'
import { type PairOptions, TCP, UDP } from '../pair.ts'

const PLAIN = 'aes256gcm16-prfsha256-x25519'
const ONE = `${PLAIN}-ke1_ecp256`
const THREE = 'aes256-sha256-x25519-ke1_ecp256-ke3_ecp384-ke7_x448'

describe('RFC 9370, RFC 9242 additional key exchanges', () => {
  it('RFC 9370 §2.2 (P-1, P-2): one takes place in IKE_INTERMEDIATE, between IKE_SA_INIT and IKE_AUTH', () => {
    const pair = pairOf([ONE], [ONE])
    pair.connect()
    expect(pair.transcript().slice(0, 6)).toEqual([
      'I → R  HDR, SAi1, KEi, Ni, N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP), N(IKEV2_FRAGMENTATION_SUPPORTED), N(INTERMEDIATE_EXCHANGE_SUPPORTED)',
      'R → I  HDR, SAr1, KEr, Nr, N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP), N(IKEV2_FRAGMENTATION_SUPPORTED), N(INTERMEDIATE_EXCHANGE_SUPPORTED)',
      'I → R  HDR, SK {KEi}',
      'R → I  HDR, SK {KEr}',
      expect.stringMatching(/^I → R {2}HDR, SK \{IDi/),
      expect.stringMatching(/^R → I {2}HDR, SK \{IDr/),
    ])
    expect(pair.log.slice(0, 6).map(({ octets }) => decodeHeader(octets).messageId)).toEqual([0, 0, 1, 1, 2, 2])
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([TCP, UDP])(
    'RFC 9370 §2.2.1, §2.2.2 (P-1, P-2): three, in the order of their types, each under the keys of the one before',
    (transport) => {
      const pair = pairOf([THREE], [THREE], { transports: [transport] })
      pair.connect()
      const exchanges = pair.log.filter(({ octets }) => decodeHeader(octets).exchangeType === ExchangeType.IKE_INTERMEDIATE)
      expect(exchanges.length).toBe(6)
      expect(pair.saOf(pair.client).protection!.keys).toEqual(pair.saOf(pair.gateway).protection!.keys)
      expect(pair.client.eventsOf('ike-sa-established')).toMatchObject([{ proposal: THREE }])
      expect(pair.gateway.eventsOf('ike-sa-established')).toMatchObject([{ proposal: THREE }])
      expect(pair.passesTraffic()).toBe(true)
    },
  )

  it('RFC 9370 §2.2.1 (P-2): falls back to a proposal without them where the other end has none', () => {
    for (const [client, gateway] of [
      [[ONE, PLAIN], [PLAIN]],
      [[PLAIN], [ONE, PLAIN]],
    ] as const) {
      const pair = pairOf(client, gateway)
      pair.connect()
      expect(pair.client.eventsOf('ike-sa-established')).toMatchObject([{ proposal: PLAIN }])
    }
  })

  it('RFC 9370 §2.2.1 (P-2): where the responder wants one and the initiator has none, NO_PROPOSAL_CHOSEN', () => {
    const pair = pairOf([PLAIN], [ONE])
    pair.initiate()
    pair.run(1_000)
    expect(pair.client.eventsOf('handshake-failed')[0]).toMatchObject({ notify: 'NO_PROPOSAL_CHOSEN' })
  })

  it('RFC 9370 §2.2.1 (P-2): without INTERMEDIATE_EXCHANGE_SUPPORTED proposals with ADDKE are passed over', () => {
    const pair = pairOf([ONE, PLAIN], [ONE, PLAIN], { transports: [UDP] })
    pair.meddle = (message) => (isIkeSaInit(message, 'request') ? [withoutIntermediate(message)] : undefined)
    pair.initiate()
    pair.run(400)
    const answer = pair.log.find(({ from }) => from === pair.gateway)!
    expect(decodeMessage(answer.octets).payloads[0]).toMatchObject({ type: 'SA', proposals: [{ number: 2 }] })
    // AUTH covers what was taken away.
    expect(pair.isUp).toBe(false)
  })

  it('RFC 9370 §2.2.1 (P-2): an answer with ADDKE and without INTERMEDIATE_EXCHANGE_SUPPORTED is none', () => {
    const pair = pairOf([ONE], [ONE])
    pair.meddle = (message) => (isIkeSaInit(message, 'response') ? [withoutIntermediate(message)] : undefined)
    pair.initiate()
    pair.run(1_000)
    expect(pair.client.eventsOf('handshake-failed')[0]!.detail).toContain('IKE_INTERMEDIATE is not known there')
  })

  it('RFC 9242 §3.3.2 (P-1): a message of IKE_INTERMEDIATE that somebody with the keys changed fails in AUTH', () => {
    for (const kind of ['request', 'response'] as const) {
      const pair = pairOf([ONE], [ONE])
      pair.meddle = (message) =>
        isIntermediate(message, kind) ? [pair.resealed(message, (inner) => [...inner, { type: 'V', data: Uint8Array.of(1) }])] : undefined
      pair.initiate()
      pair.run(1_000)
      expect(pair.isUp).toBe(false)
      expect([...pair.client.eventsOf('authentication-failed'), ...pair.gateway.eventsOf('authentication-failed')].length).toBeGreaterThan(
        0,
      )
    }
  })

  it('RFC 9242 §3.3.2 (P-1): IntAuth is of the whole message, however it was cut', () => {
    const pair = pairOf([THREE], [THREE], { transports: [UDP], clientLimits: { maxIkeDatagramIpv4: 256 } })
    pair.connect()
    expect(pair.log.some(({ octets }) => octets[16] === 53)).toBe(true)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.1 (P-1): each message that is lost comes again', () => {
    for (let lost = 0; lost < 10; lost++) {
      const pair = pairOf([THREE], [THREE], { transports: [UDP] })
      let count = 0
      pair.link.loses = ({ kind }) => kind === 'ike' && count++ === lost
      pair.connect()
      expect(pair.passesTraffic(), `message ${lost}`).toBe(true)
    }
  })

  it('RFC 9242 §3.2 (P-1): IKE_AUTH before the additional key exchanges are done ends the IKE SA', () => {
    const pair = pairOf([ONE], [ONE])
    pair.meddle = (message) =>
      isIntermediate(message, 'request') ? [pair.forge(pair.client, ExchangeType.IKE_AUTH, [], { messageId: 1 })] : undefined
    pair.initiate()
    pair.run(1_000)
    expect(pair.counter(pair.gateway, 'ike-syntax-errors')).toBeGreaterThan(0)
    expect(pair.gateway.core.sad.size).toBe(0)
  })

  it('RFC 9370 §2.2.2 (P-1): a KE payload of another method, or none, ends it', () => {
    for (const change of [replacing('KE', (payload) => ({ ...payload, method: 20 })), replacing('KE', () => undefined)])
      for (const kind of ['request', 'response'] as const) {
        const pair = pairOf([ONE], [ONE])
        pair.meddle = (message) => (isIntermediate(message, kind) ? [pair.resealed(message, change)] : undefined)
        pair.initiate()
        pair.run(1_000)
        expect(pair.isUp).toBe(false)
        expect(pair.log.some(({ octets }) => decodeHeader(octets).exchangeType === ExchangeType.IKE_AUTH)).toBe(false)
      }
  })

  it('RFC 6989 §2 (K-2): a public value that is no good ends it, on either side', () => {
    for (const kind of ['request', 'response'] as const) {
      const pair = pairOf([ONE], [ONE])
      pair.meddle = (message) =>
        isIntermediate(message, kind)
          ? [
              pair.resealed(
                message,
                replacing('KE', (payload) => ({ ...payload, data: new Uint8Array(64).fill(1) })),
              ),
            ]
          : undefined
      pair.initiate()
      pair.run(1_000)
      expect(pair.isUp).toBe(false)
      expect(pair.log.some(({ octets }) => decodeHeader(octets).exchangeType === ExchangeType.IKE_AUTH)).toBe(false)
    }
  })
})

describe('draft-ietf-ipsecme-ikev2-mlkem ML-KEM', () => {
  it.each(['mlkem512', 'mlkem768', 'mlkem1024'])('RFC 9370 §2.2.2 (P-4): X25519 and %s', (kem) => {
    for (const transport of [TCP, UDP]) {
      const pair = pairOf([`${PLAIN}-ke1_${kem}`], [`${PLAIN}-ke1_${kem}`], { transports: [transport] })
      pair.connect()
      expect(pair.client.eventsOf('ike-sa-established')).toMatchObject([{ proposal: `${PLAIN}-ke1_${kem}` }])
      expect(pair.passesTraffic()).toBe(true)
    }
  })

  it('(P-4): it is on where the configuration names nothing, and is gone without where the other end has it not', () => {
    const both = pairOf(DEFAULT_IKE_SUITES, DEFAULT_IKE_SUITES)
    both.connect()
    expect(both.client.eventsOf('ike-sa-established')).toMatchObject([{ proposal: 'aes256gcm16-prfsha512-x25519-ke1_mlkem768' }])
    const old = DEFAULT_IKE_SUITES.filter((suite) => !suite.includes('mlkem'))
    for (const pair of [pairOf(DEFAULT_IKE_SUITES, old), pairOf(old, DEFAULT_IKE_SUITES)]) {
      pair.connect()
      expect(pair.gateway.eventsOf('ike-sa-established')).toMatchObject([{ proposal: 'aes256gcm16-prfsha512-x25519' }])
    }
  })

  it.each([
    ['a coefficient that is not reduced', (data: Uint8Array) => new Uint8Array(data.length).fill(0xff)],
    ['another length', (data: Uint8Array) => data.subarray(1)],
    ['nothing', () => new Uint8Array(0)],
  ])('FIPS 203 §7.2 (P-4): the responder refuses an encapsulation key with %s: INVALID_SYNTAX', (_what, change) => {
    const pair = pairOf([HYBRID], [HYBRID])
    pair.meddle = (message) => (isIntermediate(message, 'request') ? [pair.resealed(message, withKe(change))] : undefined)
    pair.initiate()
    pair.run(1_000)
    expect(pair.transcript()).toContain('R → I  HDR, SK {N(INVALID_SYNTAX)}')
    expect(pair.isUp).toBe(false)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
  })

  it('FIPS 203 §7.3 (P-4): the initiator gives up on a ciphertext of another length', () => {
    const pair = pairOf([HYBRID], [HYBRID])
    pair.meddle = (message) =>
      isIntermediate(message, 'response')
        ? [
            pair.resealed(
              message,
              withKe((data) => data.subarray(1)),
            ),
          ]
        : undefined
    pair.initiate()
    pair.run(1_000)
    expect(pair.client.eventsOf('handshake-failed')[0]!.detail).toContain('additional key exchange')
    expect(pair.log.some(({ octets }) => decodeHeader(octets).exchangeType === ExchangeType.IKE_AUTH)).toBe(false)
  })

  it('FIPS 203 §6.3 (P-4): a ciphertext that was changed gives keys that fit nobody’s', () => {
    const pair = pairOf([HYBRID], [HYBRID])
    pair.meddle = (message) =>
      isIntermediate(message, 'response')
        ? [
            pair.resealed(
              message,
              withKe((data) => data.map((octet, index) => (index === 7 ? octet ^ 1 : octet))),
            ),
          ]
        : undefined
    pair.initiate()
    pair.run(1_000)
    expect(pair.counter(pair.gateway, 'ike-icv-failures')).toBeGreaterThan(0)
    expect(pair.isUp).toBe(false)
  })

  it('§2 (P-5): in IKE_SA_INIT it goes over TCP, and not over UDP where there is anything else', () => {
    const suites = ['aes256gcm16-prfsha256-mlkem1024', PLAIN]
    const overTcp = pairOf(suites, suites)
    overTcp.connect()
    expect(overTcp.client.eventsOf('ike-sa-established')).toMatchObject([{ proposal: suites[0] }])
    const overUdp = pairOf(suites, suites, { transports: [UDP] })
    overUdp.connect()
    expect(overUdp.client.eventsOf('ike-sa-established')).toMatchObject([{ proposal: PLAIN }])
    expect(overUdp.log[0]!.octets.length).toBeLessThan(576)
  })
})

const HYBRID = `${PLAIN}-ke1_mlkem768`

function withKe(change: (data: Uint8Array) => Uint8Array): ReturnType<typeof replacing> {
  return replacing('KE', (payload) => ({ ...payload, data: change(payload.data) }))
}

function pairOf(client: readonly string[], gateway: readonly string[], options: PairOptions = {}): MeddledPair {
  return new MeddledPair({
    clientTimers: { retry: 60_000 },
    ...options,
    client: { ikeProposals: client.map(parseIkeSuite) },
    gateway: { ikeProposals: gateway.map(parseIkeSuite) },
  })
}

function isIntermediate({ header }: InTransit, kind: 'request' | 'response'): boolean {
  return header.exchangeType === ExchangeType.IKE_INTERMEDIATE && isResponse(header) === (kind === 'response')
}

function withoutIntermediate(message: InTransit): Uint8Array {
  return rewritten(
    message,
    replacing('N', (payload) => (payload.notifyType === NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED ? undefined : payload)),
  )
}
