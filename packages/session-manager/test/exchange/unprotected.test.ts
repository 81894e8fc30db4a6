import { decodeMessage, ExchangeType, encodeMessage, HeaderFlag, NotifyType, notify, type Payload } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import type { TransportOption } from '../../src/index.ts'
import { isIkeSaInit, isSilent, MeddledPair, upPair } from '../meddler.ts'
import type { Node } from '../network.ts'
import { TCP, UDP } from '../pair.ts'

const TRANSPORTS: [string, TransportOption][] = [
  ['TCP', TCP],
  ['UDP', UDP],
]

describe.each(TRANSPORTS)('RFC 7296 §2.4, §2.21 what nothing protects, over %s', (_, transport) => {
  it.each([
    NotifyType.INVALID_IKE_SPI,
    NotifyType.AUTHENTICATION_FAILED,
    NotifyType.INVALID_SYNTAX,
    NotifyType.INVALID_MESSAGE_ID,
    NotifyType.NO_PROPOSAL_CHOSEN,
    NotifyType.INITIAL_CONTACT,
  ])('RFC 7296 §2.21.4 (C-8, C-26): a notify %i in the clear changes nothing, as request or response, in either role', (notifyType) => {
    const pair = upPair(transport)
    pair.command(pair.client, { kind: 'check-liveness' })
    pair.command(pair.gateway, { kind: 'check-liveness' })
    const before = picture(pair)
    for (const node of [pair.client, pair.gateway])
      for (const isAnswer of [true, false])
        for (const exchangeType of [ExchangeType.INFORMATIONAL, ExchangeType.IKE_AUTH, ExchangeType.CREATE_CHILD_SA])
          for (const messageId of [0, 1, 2])
            expect(
              isSilent(pair, () =>
                pair.deliverIke(
                  node,
                  inClear(pair, node, exchangeType, messageId, isAnswer, [notify(notifyType), { type: 'D', protocol: 1, spis: [] }]),
                ),
              ),
            ).toBe(true)
    expect(picture(pair)).toEqual(before)
    pair.settle()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.21.4 (C-26): a request for an unknown SPI is told INVALID_IKE_SPI in the clear, with SPIs and Message ID as they came', () => {
    const pair = upPair(transport)
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
    const pair = upPair(transport)
    const response = encodeMessage({
      header: { initiatorSpi: 7n, responderSpi: 8n, exchangeType: ExchangeType.INFORMATIONAL, flags: 0x28, messageId: 33 },
      payloads: [],
    })
    expect(isSilent(pair, () => pair.deliverIke(pair.gateway, response))).toBe(true)
  })

  it('RFC 7296 §2.21.4 (C-26): strangers get at most ten such answers in a second', () => {
    const pair = upPair(transport)
    const before = pair.log.length
    for (let spi = 1n; spi <= 100n; spi++)
      pair.deliverIke(
        pair.gateway,
        encodeMessage({ header: { initiatorSpi: spi, responderSpi: 8n, exchangeType: 37, flags: 8, messageId: 0 }, payloads: [] }),
      )
    expect(pair.log.length - before).toBe(10)
  })

  it('RFC 7296 §2.5 (C-9): a request of a higher major version is dropped and told INVALID_MAJOR_VERSION in version 2.0', () => {
    const pair = upPair(transport)
    const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    request[17] = 0x30
    pair.deliverIke(pair.gateway, request)
    const answer = decodeMessage(pair.log.at(-1)!.octets)
    expect(answer.header).toMatchObject({ majorVersion: 2, minorVersion: 0 })
    expect(answer.payloads).toEqual([notify(NotifyType.INVALID_MAJOR_VERSION)])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 9329 §6.4 (T-ERR-2): and neither that nor a response of version 3 costs the connection', () => {
    const pair = upPair(transport)
    const response = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [], { isResponse: true, messageId: 0 })
    response[17] = 0x30
    expect(isSilent(pair, () => pair.deliverIke(pair.gateway, response))).toBe(true)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.5 (C-9): version 1 is dropped in silence', () => {
    const pair = upPair(transport)
    const request = pair.forge(pair.client, ExchangeType.INFORMATIONAL, [])
    request[17] = 0x10
    expect(isSilent(pair, () => pair.deliverIke(pair.gateway, request))).toBe(true)
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
