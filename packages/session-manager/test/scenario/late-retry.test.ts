import { decodeMessage, ExchangeType, encodeMessage, HeaderFlag, NotifyType, type Payload } from '@underpass/ike-codec'
import { Deframer } from '@underpass/tcp-framing'
import { describe, expect, it } from 'vitest'
import { ikeFrame, join, PREFIX } from '../frames.ts'
import { rewritten } from '../meddler.ts'
import type { RawConnection } from '../network.ts'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.4 (T-ERR-2): an answer that is no end gives the connection its time again', () => {
  it.each([
    ['INVALID_KE_PAYLOAD', NotifyType.INVALID_KE_PAYLOAD, (): Uint8Array => rewritten({ octets: REQUEST }, withOtherMethod)],
    ['NO_PROPOSAL_CHOSEN', NotifyType.NO_PROPOSAL_CHOSEN, (): Uint8Array => rewritten({ octets: REQUEST }, withOtherTransforms)],
    ['INVALID_MAJOR_VERSION', NotifyType.INVALID_MAJOR_VERSION, (): Uint8Array => withOctet(REQUEST, 17, 0x30)],
    ['INVALID_IKE_SPI', NotifyType.INVALID_IKE_SPI, unknownSpi],
  ] as const)('%s 4 s after the prefix, and the right request 4 s later', (_, notifyType, first) => {
    const { pair, stranger } = dialled()
    pair.run(4_000)
    stranger.write(ikeFrame(first()))
    expect(notifiesIn(stranger)).toEqual([notifyType])
    pair.run(4_000)
    expect(stranger.isClosed()).toBe(false)
    stranger.write(ikeFrame(REQUEST))
    pair.run(200)
    expect(pair.gateway.core.halfOpen.size).toBe(1)
  })

  it('but not for ever: `timers.handshake` after the prefix it is closed, whatever is asked on it', () => {
    const { pair, stranger } = dialled()
    for (let second = 0; second < 29; second++) {
      pair.run(1_000)
      stranger.write(ikeFrame(unknownSpi()))
    }
    expect(stranger.isClosed()).toBe(false)
    pair.run(1_100)
    expect(stranger.isClosed()).toBe(true)
  })

  it('RFC 9329 §6.3 (T-CK-2): nor for who asks for cookies and brings none back', () => {
    const { pair, stranger } = dialled({ cookiesOverTcp: true, cookieThreshold: 0 })
    for (let second = 0; second < 29; second++) {
      pair.run(1_000)
      stranger.write(ikeFrame(REQUEST))
    }
    expect(stranger.isClosed()).toBe(false)
    pair.run(1_100)
    expect(stranger.isClosed()).toBe(true)
  })
})

function dialled(gatewayLimits = {}): { pair: Pair; stranger: RawConnection } {
  const pair = new Pair({ gatewayLimits, gatewayTimers: { handshake: 30_000, idleConnection: 5_000, cookieReply: 8_000 } })
  const stranger = pair.dialRaw(pair.gateway)
  stranger.write(PREFIX)
  return { pair, stranger }
}

function notifiesIn(stranger: RawConnection): number[] {
  const deframer = new Deframer('rfc9329', { role: 'originator' })
  deframer.push(join(stranger.read()))
  const found: number[] = []
  while (deframer.next() === 'ike')
    for (const payload of decodeMessage(deframer.buffer.slice(deframer.offset, deframer.offset + deframer.length)).payloads)
      if (payload.type === 'N') found.push(payload.notifyType)
  return found
}

function unknownSpi(): Uint8Array {
  const header = { initiatorSpi: 7n, responderSpi: 8n, exchangeType: ExchangeType.INFORMATIONAL, flags: HeaderFlag.INITIATOR, messageId: 3 }
  return encodeMessage({ header, payloads: [] })
}

function withOtherMethod(payloads: readonly Payload[]): Payload[] {
  return payloads.map((payload) => (payload.type === 'KE' ? { ...payload, method: 60_000 } : payload))
}

function withOtherTransforms(payloads: readonly Payload[]): Payload[] {
  return payloads.map((payload) =>
    payload.type === 'SA'
      ? {
          ...payload,
          proposals: payload.proposals.map((proposal) => ({
            ...proposal,
            transforms: proposal.transforms.map((transform) => ({ ...transform, id: 60_000 })),
          })),
        }
      : payload,
  )
}

function withOctet(octets: Uint8Array, at: number, value: number): Uint8Array {
  const changed = octets.slice()
  changed[at] = value
  return changed
}

const REQUEST: Uint8Array = (() => {
  const pair = new Pair()
  pair.initiate()
  pair.run(1_000, () => pair.log.length > 0)
  return pair.log[0]!.octets
})()
