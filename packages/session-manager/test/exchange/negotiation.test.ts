import { decodeMessage, KeyExchangeMethod, NotifyType, notify } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import {
  DEFAULT_ESP_SUITES,
  DEFAULT_IKE_SUITES,
  parseEspSuite,
  parseIkeSuite,
  SessionError,
  type TransportOption,
} from '../../src/index.ts'
import { isIkeSaInit, MeddledPair, replacing, rewritten } from '../meddler.ts'
import { Pair, TCP, UDP } from '../pair.ts'

const ike = (...texts: string[]): ReturnType<typeof parseIkeSuite>[] => texts.map(parseIkeSuite)
const esp = (...texts: string[]): ReturnType<typeof parseEspSuite>[] => texts.map(parseEspSuite)
const SLOW = { retry: 60_000 }

describe('RFC 7296 §2.7 every suite', () => {
  it.each(DEFAULT_IKE_SUITES.map((text, index) => [text, DEFAULT_ESP_SUITES[index % DEFAULT_ESP_SUITES.length]!]))(
    'RFC 7296 §2.7: %s with ESP %s establishes and passes traffic',
    (ikeText, espText) => {
      const suites = { ikeProposals: ike(ikeText), espProposals: esp(espText) }
      const pair = new Pair({ client: suites, gateway: suites })
      pair.connect()
      expect(pair.client.eventsOf('ike-sa-established')[0]!.proposal).toBe(ikeText)
      expect(pair.client.eventsOf('child-sa-installed')[0]!.proposal).toBe(espText)
      expect(pair.passesTraffic()).toBe(true)
    },
  )

  it.each(['aes128gmac', 'null-sha256', 'aes192-sha512', 'aes256ccm16', 'aes128-sha1'])(
    'RFC 4303 §3.2 (E-6): ESP %s passes traffic',
    (text) => {
      const pair = new Pair({ client: { espProposals: esp(text) }, gateway: { espProposals: esp(text) } })
      pair.connect()
      expect(pair.passesTraffic()).toBe(true)
    },
  )

  it.each([
    [true, true, true],
    [true, false, false],
    [false, true, false],
  ])('RFC 4303 §2.2.1: ESN with the client %j and the gateway %j: %j', (client, gateway, isEsn) => {
    const pair = new Pair({ client: { esn: client }, gateway: { esn: gateway } })
    pair.connect()
    expect(pair.client.eventsOf('child-sa-installed')[0]!.proposal.endsWith('-esn')).toBe(isEsn)
    expect(pair.gateway.eventsOf('child-sa-installed')[0]!.proposal.endsWith('-esn')).toBe(isEsn)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.10 (C-20): nonces are 16 to 256 octets, at least half the key of any PRF, and never the same', () => {
    const nonces = new Set<string>()
    const pair = new Pair()
    for (let round = 0; round < 5; round++) {
      const from = pair.log.length
      pair.connect()
      for (const entry of pair.log.slice(from, from + 2)) {
        const nonce = decodeMessage(entry.octets).payloads.find((payload) => payload.type === 'Nonce')!
        expect(nonce.data.length).toBeGreaterThanOrEqual(32)
        expect(nonce.data.length).toBeLessThanOrEqual(256)
        nonces.add(nonce.data.join())
      }
      pair.command(pair.client, { kind: 'terminate' })
      pair.settle()
    }
    expect(nonces.size).toBe(10)
  })

  it.each([
    ['15 octets, from the initiator', 'request', 15],
    ['257 octets, from the initiator', 'request', 257],
    ['15 octets, from the responder', 'response', 15],
    ['257 octets, from the responder', 'response', 257],
  ] as const)('RFC 7296 §2.10 (C-20): a nonce of %s makes no IKE SA', (_, kind, length) => {
    const pair = new MeddledPair({ clientTimers: SLOW })
    pair.meddle = (message) =>
      isIkeSaInit(message, kind)
        ? [
            rewritten(
              message,
              replacing('Nonce', () => ({ type: 'Nonce', data: new Uint8Array(length).fill(1) })),
            ),
          ]
        : undefined
    pair.initiate()
    pair.run(5_000)
    expect(pair.isUp).toBe(false)
    expect(pair.log.some((entry) => entry.text.includes('SK {IDi'))).toBe(false)
  })
})

describe('RFC 7296 §1.2 NO_PROPOSAL_CHOSEN', () => {
  it('RFC 9329 §6.4 (T-ERR-1): over TCP the initiator gives up at once and says why', () => {
    const pair = new Pair({ gateway: { ikeProposals: ike('aes128-sha256-modp2048') }, clientTimers: SLOW })
    pair.initiate()
    pair.run(200)
    expect(pair.transcript()).toHaveLength(2)
    expect(pair.transcript()[1]).toBe('R → I  HDR, N(NO_PROPOSAL_CHOSEN)')
    expect(pair.client.eventsOf('handshake-failed')).toMatchObject([{ notify: 'NO_PROPOSAL_CHOSEN' }])
    expect(pair.client.core.ikeSas.size).toBe(0)
  })

  it('RFC 7296 §2.21.1 (T-ERR-1, C-8): over UDP it waits for a better answer, for anybody may have sent this one', () => {
    const pair = new MeddledPair({ transports: [UDP] })
    let forged = 0
    pair.meddle = (message) =>
      isIkeSaInit(message, 'response') && forged++ === 0
        ? [rewritten(message, () => [notify(NotifyType.NO_PROPOSAL_CHOSEN)]), message.octets]
        : undefined
    pair.connect()
    expect(pair.client.eventsOf('handshake-failed')).toHaveLength(0)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.21.1: and if none comes, it names the refusal', () => {
    const pair = new Pair({ transports: [UDP], gateway: { ikeProposals: ike('aes128-sha256-modp2048') }, clientTimers: SLOW })
    pair.initiate()
    pair.run(40_000)
    expect(pair.client.eventsOf('transport-failed')[0]!.reason).toMatch(/NO_PROPOSAL_CHOSEN/)
  })

  it('RFC 7296 §1.2: where only ESP does not fit, the IKE SA is made and the Child SA is refused by name', () => {
    const pair = new Pair({ gateway: { espProposals: esp('chacha20poly1305') }, clientTimers: SLOW })
    pair.initiate()
    pair.run(2_000)
    expect(pair.transcript()[3]).toBe('R → I  HDR, SK {IDr, AUTH, N(NO_PROPOSAL_CHOSEN)}')
    expect(pair.client.eventsOf('handshake-failed')).toMatchObject([{ notify: 'NO_PROPOSAL_CHOSEN' }])
    expect(pair.client.eventsOf('authentication-failed')).toHaveLength(0)
    expect(pair.client.core.ikeSas.size + pair.gateway.core.ikeSas.size).toBe(0)
  })
})

describe('RFC 7296 §1.2 INVALID_KE_PAYLOAD', () => {
  const options = {
    client: { ikeProposals: ike('aes256gcm16-prfsha256-x25519', 'aes256gcm16-prfsha256-ecp256') },
    gateway: { ikeProposals: ike('aes256gcm16-prfsha256-ecp256') },
  }

  it.each<[string, TransportOption]>([
    ['TCP', TCP],
    ['UDP', UDP],
  ])('RFC 7296 §1.2 (C-13): over %s the initiator comes again with the group wanted and all its proposals', (_, transport) => {
    const pair = new Pair({ ...options, transports: [transport] })
    pair.connect()
    const [first, refusal, second] = pair.log.map((entry) => decodeMessage(entry.octets).payloads)
    expect(refusal).toEqual([notify(NotifyType.INVALID_KE_PAYLOAD, Uint8Array.of(0, KeyExchangeMethod.ECP_256))])
    expect(second![0]).toEqual(first![0])
    expect(second![1]).toMatchObject({ type: 'KE', method: KeyExchangeMethod.ECP_256 })
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 9329 §6.4 (T-ERR-2): the retry arrives on the same TCP connection', () => {
    const pair = new Pair(options)
    pair.connect()
    expect(pair.pipes).toHaveLength(1)
    expect(pair.gateway.eventsOf('connection-closed')).toHaveLength(0)
  })

  it.each([
    ['that was not on offer', Uint8Array.of(0, KeyExchangeMethod.MODP_2048)],
    ['that was the one sent', Uint8Array.of(0, KeyExchangeMethod.CURVE25519)],
    ['of three octets', Uint8Array.of(0, 0, 19)],
    ['of no octets', new Uint8Array(0)],
  ])('RFC 7296 §1.2: a group %s is not followed', (_, data) => {
    const pair = new MeddledPair({ ...options, transports: [UDP], clientTimers: SLOW })
    pair.meddle = (message) =>
      isIkeSaInit(message, 'response') ? [rewritten(message, () => [notify(NotifyType.INVALID_KE_PAYLOAD, data)])] : undefined
    pair.initiate()
    pair.run(20_000)
    const requests = pair.log.filter((entry) => entry.from === pair.client).map((entry) => entry.octets.join())
    expect(new Set(requests).size).toBe(1)
  })

  it('RFC 7296 §1.2: a responder that sends it to and fro does not keep the initiator going', () => {
    const pair = new MeddledPair({ ...options, clientTimers: SLOW })
    pair.meddle = (message) => {
      if (!isIkeSaInit(message, 'response')) return undefined
      const sent = decodeMessage(pair.log.findLast((entry) => entry.from === pair.client)!.octets).payloads.find(
        (payload) => payload.type === 'KE',
      )!
      const other = sent.method === KeyExchangeMethod.ECP_256 ? KeyExchangeMethod.CURVE25519 : KeyExchangeMethod.ECP_256
      return [rewritten(message, () => [notify(NotifyType.INVALID_KE_PAYLOAD, Uint8Array.of(0, other))])]
    }
    pair.initiate()
    pair.run(5_000)
    expect(pair.log.filter((entry) => entry.from === pair.client)).toHaveLength(2)
    expect(pair.client.core.ikeSas.size).toBe(0)
  })
})

describe('RFC 7296 §5 (C-35) what a configuration cannot ask for', () => {
  it.each([
    ['AES-CBC without integrity', { ...parseIkeSuite('aes256-sha256-ecp256'), integrity: undefined }],
    ['no encryption', { ...parseIkeSuite('aes256-sha256-ecp256'), encryption: 11, keyLength: undefined }],
    ['an unknown PRF', { ...parseIkeSuite('aes256-sha256-ecp256'), prf: 99 }],
    ['an unknown key exchange', { ...parseIkeSuite('aes256-sha256-ecp256'), keyExchange: 99 }],
  ])('RFC 7296 §5 (C-35): %s for the IKE SA is refused at the start, not at the handshake', (_, suite) => {
    expect(() => new Pair({ client: { ikeProposals: [suite] } })).toThrow(SessionError)
  })

  it.each([
    ['AES-CBC without integrity', { encryption: 12, keyLength: 256, integrity: undefined }],
    ['neither encryption nor integrity', { encryption: 11, keyLength: undefined, integrity: undefined }],
  ])('RFC 4301 §3.2 (E-6): ESP with %s is refused at the start', (_, suite) => {
    expect(() => new Pair({ client: { espProposals: [suite] } })).toThrow(SessionError)
  })
})
