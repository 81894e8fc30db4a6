import { decodeMessage, ExchangeType, encodeMessage, HeaderFlag, NotifyType, notify, type Payload } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import type { TransportOption } from '../../src/index.ts'
import { isIkeAuth, isIkeSaInit, isResponse, MeddledPair, nextRequestOf, rewritten } from '../meddler.ts'
import type { Node } from '../network.ts'
import { TCP, UDP } from '../pair.ts'

const TRANSPORTS: [string, TransportOption][] = [
  ['TCP', TCP],
  ['UDP', UDP],
]
const UNKNOWN: Payload = { type: 'unknown', payloadType: 200, body: new Uint8Array(8).fill(1) }
const CRITICAL: Payload = { ...UNKNOWN, critical: true }

describe.each(TRANSPORTS)('RFC 7296 §2.1 to §2.3 the message window over %s', (_, transport) => {
  it('RFC 7296 §2.1 (C-2, C-3): a repeated request gets the very same response, and is done once', () => {
    const pair = up(transport)
    const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    const before = pair.log.length
    for (let count = 0; count < 3; count++) pair.deliverIke(pair.gateway, request)
    const answers = pair.log.slice(before).map((entry) => entry.octets)
    expect(answers).toHaveLength(3)
    expect(answers[1]).toEqual(answers[0])
    expect(answers[2]).toEqual(answers[0])
    expect(pair.gateway.core.counters['ike-retransmissions-in']).toBe(2)
  })

  it('RFC 7296 §2.1 (C-2): the cached response is the core’s own: what a driver does to the octets it got does not show', () => {
    const pair = up(transport)
    const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    const given: Uint8Array[] = []
    const collect = (): void => {
      pair.gateway.core.handleInput(inputFor(pair, pair.gateway, request), pair.now)
      for (let output = pair.gateway.core.pollOutput(); output.kind !== 'wait-until'; output = pair.gateway.core.pollOutput())
        if (output.kind === 'send-datagram' || output.kind === 'write-connection') {
          given.push(output.bytes.slice())
          output.bytes.fill(0)
        }
    }
    collect()
    collect()
    expect(given).toHaveLength(2)
    expect(given[1]).toEqual(given[0])
  })

  it('RFC 7296 §2.2 (C-3): a request older than the window is ignored', () => {
    const pair = up(transport)
    const old = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [])
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [])
    expect(silence(pair, () => pair.deliverIke(pair.gateway, old))).toBe(true)
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each([2, 100, 0x7fffffff, 0xffffffff])('RFC 7296 §2.3 (C-7): a request %i ahead is not answered, with INVALID_MESSAGE_ID least of all', (ahead) => {
    const pair = up(transport)
    const messageId = Math.min(0xffffffff, nextRequestOf(pair, pair.client) + ahead)
    const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [], { messageId })
    expect(silence(pair, () => pair.deliverIke(pair.gateway, request))).toBe(true)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.1 (C-3): another request under an answered Message ID is ignored, though it is authentic', () => {
    const pair = up(transport)
    const messageId = pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [])
    const other = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [{ type: 'D', protocol: 1, spis: [] }], { messageId })
    expect(silence(pair, () => pair.deliverIke(pair.gateway, other))).toBe(true)
    expect(pair.isUp).toBe(true)
  })

  it('RFC 7296 §2.2 (C-5): Message IDs start at 0 in each direction and rise by one', () => {
    const pair = up(transport)
    const idsOf = (node: Node): number[] =>
      pair.log.map((entry) => ({ entry, header: decodeMessage(entry.octets).header }))
        .filter(({ entry, header }) => entry.from === node && !isResponse(header))
        .map(({ header }) => header.messageId)
    for (const node of [pair.client, pair.gateway, pair.client]) {
      pair.command(node, { kind: 'check-liveness' })
      pair.settle()
    }
    expect(idsOf(pair.client)).toEqual([0, 1, 2, 3])
    expect(idsOf(pair.gateway)).toEqual([0])
  })

  it('RFC 7296 §3.1 (C-30): a response is never answered, expected or not', () => {
    const pair = up(transport)
    for (const messageId of [0, 1, 2, 5])
      for (const exchange of [ExchangeType.INFORMATIONAL, ExchangeType.CREATE_CHILD_SA, ExchangeType.IKE_AUTH]) {
        const response = pair.forge(pair.client, exchange, [], { messageId, isResponse: true })
        expect(silence(pair, () => pair.deliverIke(pair.gateway, response))).toBe(true)
      }
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.2: a response of another exchange type is not the one awaited', () => {
    const pair = up(transport)
    pair.client.isFrozen = false
    pair.command(pair.client, { kind: 'check-liveness' })
    const { messageId } = pair.saOf(pair.client).window.outstanding!
    pair.deliverIke(pair.client, pair.forge(pair.gateway, ExchangeType.CREATE_CHILD_SA, [], { messageId, isResponse: true }))
    expect(pair.saOf(pair.client).window.outstanding).toBeDefined()
  })
})

describe.each(TRANSPORTS)('RFC 7296 §2.4, §2.21 what nothing protects, over %s', (_, transport) => {
  it.each([
    NotifyType.INVALID_IKE_SPI,
    NotifyType.AUTHENTICATION_FAILED,
    NotifyType.INVALID_SYNTAX,
    NotifyType.INVALID_MESSAGE_ID,
    NotifyType.NO_PROPOSAL_CHOSEN,
    NotifyType.INITIAL_CONTACT,
  ])('RFC 7296 §2.21.4 (C-8, C-26): a notify %i in the clear changes nothing, as request or response, in either role', (notifyType) => {
    const pair = up(transport)
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.command(pair.gateway, { kind: 'check-liveness' })
    const before = picture(pair)
    for (const node of [pair.client, pair.gateway])
      for (const isAnswer of [true, false])
        for (const exchangeType of [ExchangeType.INFORMATIONAL, ExchangeType.IKE_AUTH, ExchangeType.CREATE_CHILD_SA])
          for (const messageId of [0, 1, 2])
            expect(silence(pair, () => pair.deliverIke(node, inClear(pair, node, exchangeType, messageId, isAnswer, [notify(notifyType), { type: 'D', protocol: 1, spis: [] }])))).toBe(true)
    expect(picture(pair)).toEqual(before)
    pair.settle()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.21.4 (C-26): a request for an unknown SPI is told INVALID_IKE_SPI in the clear, with SPIs and Message ID as they came', () => {
    const pair = up(transport)
    for (const [node, flag] of [
      [pair.gateway, HeaderFlag.INITIATOR],
      [pair.client, 0],
    ] as const) {
      const request = encodeMessage({
        header: { initiatorSpi: 7n, responderSpi: 8n, exchangeType: ExchangeType.INFORMATIONAL, flags: flag, messageId: 33 },
        payloads: [],
      })
      pair.deliverIke(node, request)
      const answer = decodeMessage(pair.log.at(-1)!.octets)
      expect(answer.payloads).toEqual([notify(NotifyType.INVALID_IKE_SPI)])
      expect(answer.header).toMatchObject({ initiatorSpi: 7n, responderSpi: 8n, messageId: 33, majorVersion: 2, minorVersion: 0 })
      // C-30: R says that it is a response; I that the original initiator says it.
      expect(answer.header.flags).toBe(HeaderFlag.RESPONSE | (HeaderFlag.INITIATOR ^ flag))
    }
  })

  it('RFC 7296 §2.21.4 (C-26): a response for an unknown SPI is not answered', () => {
    const pair = up(transport)
    const response = encodeMessage({
      header: { initiatorSpi: 7n, responderSpi: 8n, exchangeType: ExchangeType.INFORMATIONAL, flags: 0x28, messageId: 33 },
      payloads: [],
    })
    expect(silence(pair, () => pair.deliverIke(pair.gateway, response))).toBe(true)
  })

  it('RFC 7296 §2.21.4 (C-26): strangers get at most ten such answers in a second', () => {
    const pair = up(transport)
    const before = pair.log.length
    for (let spi = 1n; spi <= 100n; spi++)
      pair.deliverIke(pair.gateway, encodeMessage({ header: { initiatorSpi: spi, responderSpi: 8n, exchangeType: 37, flags: 8, messageId: 0 }, payloads: [] }))
    expect(pair.log.length - before).toBe(10)
  })

  it('RFC 7296 §2.5 (C-9): a request of a higher major version is dropped and told INVALID_MAJOR_VERSION in version 2.0', () => {
    const pair = up(transport)
    const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    request[17] = 0x30
    pair.deliverIke(pair.gateway, request)
    const answer = decodeMessage(pair.log.at(-1)!.octets)
    expect(answer.header).toMatchObject({ majorVersion: 2, minorVersion: 0 })
    expect(answer.payloads).toEqual([notify(NotifyType.INVALID_MAJOR_VERSION)])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 9329 §6.4 (T-ERR-2): and neither that nor a response of version 3 costs the connection', () => {
    const pair = up(transport)
    const response = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [], { isResponse: true, messageId: 0 })
    response[17] = 0x30
    expect(silence(pair, () => pair.deliverIke(pair.gateway, response))).toBe(true)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.5 (C-9): version 1 is dropped in silence', () => {
    const pair = up(transport)
    const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    request[17] = 0x10
    expect(silence(pair, () => pair.deliverIke(pair.gateway, request))).toBe(true)
  })

  it('RFC 7296 §2.5 (C-9): a higher minor version is spoken with', () => {
    const pair = new MeddledPair({ transports: [transport] })
    pair.meddle = (message) => {
      if (!isIkeSaInit(message, 'response')) return undefined
      // AUTH signs what was sent, so the gateway's record has to have it too.
      const octets = message.octets.slice()
      octets[17] = 0x21
      const { state } = pair.saOf(pair.gateway)
      if (state.kind === 'IKE_SA_INIT_ANSWERED') state.record.response[17] = 0x21
      return [octets]
    }
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
  })
})

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
    const pair = new MeddledPair({ transports: [transport], gateway: { psk: Uint8Array.of(1) }, clientTimers: { retry: 60_000 } })
    pair.meddle = (message) => (isIkeAuth(message, 'request') ? [pair.resealed(message, (inner) => [...inner, CRITICAL])] : undefined)
    pair.initiate()
    pair.run(300)
    expect(pair.transcript()[3]).toBe('R → I  HDR, SK {N(UNSUPPORTED_CRITICAL_PAYLOAD)}')
    expect(pair.gateway.eventsOf('authentication-failed')).toHaveLength(0)
    expect(pair.gateway.core.sad.size).toBe(0)
  })

  it('RFC 7296 §2.5 (C-10): one in INFORMATIONAL is refused with its type, and the SA goes on', () => {
    const pair = up(transport)
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
    pair.meddle = (message) => (isIkeSaInit(message, 'request') ? [rewritten(message, (payloads) => [UNKNOWN, ...payloads, UNKNOWN])] : undefined)
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

  it('RFC 7296 §3.1 (C-10): reserved bits of the header flags are ignored', () => {
    const pair = up(transport)
    const sa = pair.saOf(pair.client)
    const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    expect(sa.role).toBe('initiator')
    expect(decodeMessage(request).header.flags).toBe(HeaderFlag.INITIATOR)
    for (const entry of pair.log) expect(decodeMessage(entry.octets).header.flags & ~(HeaderFlag.INITIATOR | HeaderFlag.RESPONSE)).toBe(0)
  })

  it('RFC 7296 §3.1 (C-30): I is set by the original initiator alone, R on responses alone', () => {
    const pair = up(transport)
    pair.command(pair.gateway, { kind: 'check-liveness' })
    pair.settle()
    for (const [index, entry] of pair.log.entries()) {
      const { flags } = decodeMessage(entry.octets).header
      expect((flags & HeaderFlag.INITIATOR) !== 0).toBe(entry.from === pair.client)
      expect((flags & HeaderFlag.RESPONSE) !== 0).toBe(index % 2 === 1)
    }
  })

  it('RFC 7296 §2 (C-1): a message of 3000 octets is taken', () => {
    const pair = up(transport)
    pair.sayAs(pair.client, ExchangeType.INFORMATIONAL, [{ type: 'V', data: new Uint8Array(3000) }])
    expect(pair.lastInner(pair.gateway)).toEqual([])
  })

  it.each([0, 16, 240])('RFC 7296 §3.14 (C-31): %i octets of padding are taken', (padding) => {
    const pair = up(transport)
    pair.deliverIke(pair.gateway, pair.forge(pair.client, ExchangeType.INFORMATIONAL, [{ type: 'V', data: new Uint8Array(11) }], { padding }))
    expect(pair.lastInner(pair.gateway)).toEqual([])
  })

  it('RFC 7296 §2.21.3: nonsense inside the protection is INVALID_SYNTAX, and the SA goes on both sides', () => {
    const pair = up(transport)
    pair.deliverIke(pair.gateway, pair.forgeRaw(pair.client, ExchangeType.INFORMATIONAL, { firstPayload: 41, bytes: new Uint8Array(16).fill(0xff) }))
    expect(pair.log.at(-1)!.text).toBe('HDR, SK {N(INVALID_SYNTAX)}')
    expect(pair.gateway.core.ikeSas.size).toBe(0)
  })
})

describe('RFC 7296 §2.11 (C-21) ports', () => {
  it('RFC 7296 §2.11 (C-21): a request from any port is answered to that port', () => {
    const pair = up(UDP)
    const seen: unknown[] = []
    for (const port of [1, 500, 4500, 4501, 65_535]) {
      const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [], { messageId: pair.saOf(pair.client).window.takeMessageId() })
      const bytes = request
      pair.gateway.core.handleInput(
        { kind: 'datagram', local: { address: '198.51.100.1', port: 4500 }, remote: { address: '192.0.2.10', port }, message: 'ike', bytes },
        pair.now,
      )
      for (let output = pair.gateway.core.pollOutput(); output.kind !== 'wait-until'; output = pair.gateway.core.pollOutput())
        if (output.kind === 'send-datagram') seen.push([output.remote.port, output.local.port])
    }
    expect(seen).toEqual([1, 500, 4500, 4501, 65_535].map((port) => [port, 4500]))
  })

  it('RFC 7296 §2.23 (C-21): a NAT that gives another port is followed by valid messages only', () => {
    const pair = up(UDP)
    const remote = { address: '203.0.113.5', port: 6000 }
    const forged = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    forged[forged.length - 1]! ^= 1
    pair.deliverIke(pair.gateway, forged, { transport: 'udp', remote })
    expect(pair.gateway.eventsOf('path-moved')).toHaveLength(0)
    pair.deliverIke(pair.gateway, pair.forge(pair.client, ExchangeType.INFORMATIONAL, []), { transport: 'udp', remote })
    expect(pair.gateway.eventsOf('path-moved')).toMatchObject([{ to: { remote } }])
  })

  it('RFC 7296 §2.23: a repeated request is answered where it came from and moves nothing', () => {
    const pair = up(UDP)
    const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    pair.deliverIke(pair.gateway, request)
    pair.deliverIke(pair.gateway, request, { transport: 'udp', remote: { address: '203.0.113.5', port: 6000 } })
    expect(pair.gateway.eventsOf('path-moved')).toHaveLength(0)
  })
})

function up(transport: TransportOption): MeddledPair {
  const pair = new MeddledPair({ transports: [transport] })
  pair.connect()
  return pair
}

/** Whether nothing was put on the wire. */
function silence(pair: MeddledPair, act: () => void): boolean {
  const before = pair.log.length
  act()
  return pair.log.length === before
}

function picture(pair: MeddledPair): unknown {
  return [pair.client, pair.gateway].map((node) => {
    const { ikeSas, connections } = node.core.inspect(0)
    return { ikeSas: ikeSas.map(({ state, path, children }) => ({ state, path, children })), connections }
  })
}

function inClear(pair: MeddledPair, to: Node, exchangeType: number, messageId: number, isAnswer: boolean, payloads: Payload[]): Uint8Array {
  const { initiatorSpi, responderSpi, role } = pair.saOf(to)
  const flags = (role === 'responder' ? HeaderFlag.INITIATOR : 0) | (isAnswer ? HeaderFlag.RESPONSE : 0)
  return encodeMessage({ header: { initiatorSpi, responderSpi, exchangeType, flags, messageId }, payloads })
}

function inputFor(pair: MeddledPair, to: Node, octets: Uint8Array): Parameters<Node['core']['handleInput']>[0] {
  const inputs: Parameters<Node['core']['handleInput']>[0][] = []
  const deliver = pair.deliver.bind(pair)
  pair.deliver = (_, input) => void inputs.push(input)
  pair.deliverIke(to, octets)
  pair.deliver = deliver
  return inputs[0]!
}
