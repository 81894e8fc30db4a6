/**
 * IKE_SA_INIT (RFC 7296 §1.2), in the clear and before any key.
 *
 *   HDR, SAi1, KEi, Ni  -->
 *                      <--  HDR, SAr1, KEr, Nr
 *
 * with N(COOKIE) or N(INVALID_KE_PAYLOAD) in between where the responder asks for them (§2.6, §1.2).
 */
import {
  type CodecError,
  decodeMessage,
  ExchangeType,
  encodeMessage,
  HeaderFlag,
  type IkeMessage,
  NotifyType,
  notify,
  type Payload,
  type Proposal,
  TransformType,
  unsupportedCriticalPayload,
} from '@underpass/ike-codec'
import type { IkeSuite } from '../config.ts'
import { SessionError } from '../session-error.ts'
import { cookieIn } from './cookie.ts'
import type { InitOffer } from './ike-sa.ts'
import { find, findErrorNotify, findNotify } from './payload-queries.ts'
import { type ChosenIke, chooseIkeProposal, isAnswerTo } from './proposals.ts'

/** Octets; half the key size of the largest PRF on offer at least (C-20). */
export const NONCE_LENGTH = 32

/** COOKIE and INVALID_KE_PAYLOAD together: more than this is a peer that plays with us. */
const MAX_REPETITIONS = 5

/** The initiator's request: COOKIE first, all else as it was (C-12). */
export function buildIkeSaInitRequest(
  initiatorSpi: bigint,
  offer: InitOffer,
  publicValue: Uint8Array,
  natDetection: readonly Payload[],
): Uint8Array {
  return encodeMessage({
    header: { initiatorSpi, responderSpi: 0n, exchangeType: ExchangeType.IKE_SA_INIT, flags: HeaderFlag.INITIATOR, messageId: 0 },
    payloads: [
      ...(offer.cookie ? [notify(NotifyType.COOKIE, offer.cookie)] : []),
      { type: 'SA', proposals: offer.proposals },
      { type: 'KE', method: offer.method, data: publicValue },
      { type: 'Nonce', data: offer.nonce },
      ...natDetection,
    ],
  })
}

/** The responder's answer. */
export function buildIkeSaInitResponse(
  spis: { initiatorSpi: bigint; responderSpi: bigint },
  proposal: Proposal,
  method: number,
  publicValue: Uint8Array,
  nonce: Uint8Array,
  natDetection: readonly Payload[],
): Uint8Array {
  return encodeMessage({
    header: { ...spis, exchangeType: ExchangeType.IKE_SA_INIT, flags: HeaderFlag.RESPONSE, messageId: 0 },
    payloads: [
      { type: 'SA', proposals: [proposal] },
      { type: 'KE', method, data: publicValue },
      { type: 'Nonce', data: nonce },
      ...natDetection,
    ],
  })
}

/** What an IKE_SA_INIT request asks for, before any state is made of it. */
export interface IkeSaInitRequest {
  readonly message: IkeMessage
  readonly nonce: Uint8Array
  readonly cookie: Uint8Array | undefined
  readonly proposals: readonly Proposal[]
  readonly method: number
  readonly publicValue: Uint8Array
}

/** Throws `SessionError`, whose notify may be sent back, or `CodecError`. `request` is kept: the parts are views into it. */
export function readIkeSaInitRequest(request: Uint8Array): IkeSaInitRequest {
  const message = decodeMessage(request)
  const critical = unsupportedCriticalPayload(message.payloads)
  if (critical !== undefined)
    throw new SessionError('UNSUPPORTED_CRITICAL_PAYLOAD', 'malformed', `payload ${critical} is critical and not known here`, {
      value: critical,
    })
  const sa = find(message.payloads, 'SA')
  const ke = find(message.payloads, 'KE')
  const nonce = find(message.payloads, 'Nonce')
  if (!sa || !ke || !nonce) throw new SessionError('INVALID_SYNTAX', 'malformed', 'IKE_SA_INIT without SA, KE or Nonce')
  checkNonce(nonce.data)
  return {
    message,
    nonce: nonce.data,
    cookie: cookieIn(message.payloads),
    proposals: sa.proposals,
    method: ke.method,
    publicValue: ke.data,
  }
}

/** Throws `SessionError` NO_PROPOSAL_CHOSEN or INVALID_KE_PAYLOAD. */
export function chooseForRequest(request: IkeSaInitRequest, suites: readonly IkeSuite[]): ChosenIke {
  const chosen = chooseIkeProposal(request.proposals, suites, request.method)
  if (!chosen) throw new SessionError('NO_PROPOSAL_CHOSEN', 'incompatible', 'none of the IKE proposals fits the configuration')
  if (chosen.suite.keyExchange !== request.method) {
    throw new SessionError(
      'INVALID_KE_PAYLOAD',
      'incompatible',
      `key exchange method ${chosen.suite.keyExchange} wanted, ${request.method} came`,
      { value: chosen.suite.keyExchange },
    )
  }
  return chosen
}

/** An unprotected answer that makes no state: a notify alone, SPIs and Message ID as they came (RFC 7296 §2.6, §2.21.4). */
export function statelessAnswer(
  message: Pick<IkeMessage, 'header'>,
  notifyType: number,
  data: Uint8Array,
  more: readonly Payload[] = [],
): Uint8Array {
  const { initiatorSpi, responderSpi, exchangeType, messageId } = message.header
  // C-30: who answers the original responder is the original initiator.
  const flags = HeaderFlag.RESPONSE | ((message.header.flags & HeaderFlag.INITIATOR) === 0 ? HeaderFlag.INITIATOR : 0)
  return encodeMessage({
    header: { initiatorSpi, responderSpi, exchangeType, messageId, flags },
    payloads: [notify(notifyType, data), ...more],
  })
}

export type IkeSaInitAnswer =
  | { readonly kind: 'repeat'; readonly offer: InitOffer; readonly reason: 'COOKIE' | 'INVALID_KE_PAYLOAD' }
  | { readonly kind: 'refused'; readonly notifyType: number }
  /** Not an answer to what we asked; `detail` for people. Over UDP anybody can send such a thing. */
  | { readonly kind: 'unusable'; readonly detail: string }
  | {
      readonly kind: 'chosen'
      readonly suite: IkeSuite
      readonly nonce: Uint8Array
      readonly peerPublic: Uint8Array
      readonly payloads: readonly Payload[]
    }

/** What the responder's answer means for an offer. `response` is kept: the parts are views into it. */
export function readIkeSaInitResponse(response: Uint8Array, offer: InitOffer): IkeSaInitAnswer {
  let message: IkeMessage
  try {
    message = decodeMessage(response)
  } catch (error) {
    return { kind: 'unusable', detail: (error as CodecError).message }
  }
  const { payloads, header } = message
  const critical = unsupportedCriticalPayload(payloads)
  if (critical !== undefined) return { kind: 'unusable', detail: `payload ${critical} is critical and not known here` }
  const cookie = cookieIn(payloads)
  if (cookie) return repeat(offer, { cookie: cookie.slice() }, 'COOKIE')
  const invalidKe = findNotify(payloads, NotifyType.INVALID_KE_PAYLOAD)
  if (invalidKe) return otherMethod(offer, invalidKe.data)
  const error = findErrorNotify(payloads)
  if (error) return { kind: 'refused', notifyType: error.notifyType }
  return chosen(message, offer, header.responderSpi)
}

function otherMethod(offer: InitOffer, data: Uint8Array): IkeSaInitAnswer {
  const method = data.length === 2 ? (data[0]! << 8) | data[1]! : undefined
  const isOffered = offer.proposals.some((proposal) =>
    proposal.transforms.some((transform) => transform.type === TransformType.KE && transform.id === method),
  )
  if (method === undefined || !isOffered) return { kind: 'unusable', detail: 'INVALID_KE_PAYLOAD asks for a method that was not offered' }
  if (method === offer.method || offer.refusedMethods.includes(method))
    return { kind: 'unusable', detail: 'INVALID_KE_PAYLOAD asks for a method that was tried' }
  return repeat(offer, { method, refusedMethods: [...offer.refusedMethods, offer.method] }, 'INVALID_KE_PAYLOAD')
}

function repeat(offer: InitOffer, change: Partial<InitOffer>, reason: 'COOKIE' | 'INVALID_KE_PAYLOAD'): IkeSaInitAnswer {
  if (offer.repetitions >= MAX_REPETITIONS)
    return { kind: 'unusable', detail: `the responder asked ${offer.repetitions} times to repeat IKE_SA_INIT` }
  return { kind: 'repeat', offer: { ...offer, ...change, repetitions: offer.repetitions + 1 }, reason }
}

function chosen(message: IkeMessage, offer: InitOffer, responderSpi: bigint): IkeSaInitAnswer {
  const sa = find(message.payloads, 'SA')
  const ke = find(message.payloads, 'KE')
  const nonce = find(message.payloads, 'Nonce')
  if (!sa || !ke || !nonce || responderSpi === 0n) return { kind: 'unusable', detail: 'IKE_SA_INIT response without SA, KE, Nonce or SPI' }
  if (nonce.data.length < 16 || nonce.data.length > 256) return { kind: 'unusable', detail: `a nonce of ${nonce.data.length} octets` }
  if (!isAnswerTo(sa.proposals, offer.proposals)) return { kind: 'unusable', detail: 'the proposal chosen was not on offer' }
  const suite = suiteOf(sa.proposals[0]!)
  if (!suite || suite.keyExchange !== ke.method || ke.method !== offer.method)
    return { kind: 'unusable', detail: 'the KE payload is not of the method chosen' }
  return { kind: 'chosen', suite, nonce: nonce.data, peerPublic: ke.data, payloads: message.payloads }
}

/** The suite that a proposal with one transform a type is. */
export function suiteOf(proposal: Proposal): IkeSuite | undefined {
  const of = (type: number): Proposal['transforms'][number] | undefined => proposal.transforms.find((transform) => transform.type === type)
  const encryption = of(TransformType.ENCR)
  const integrity = of(TransformType.INTEG)
  const prf = of(TransformType.PRF)
  const ke = of(TransformType.KE)
  if (!encryption || !prf || !ke) return undefined
  return {
    encryption: encryption.id,
    keyLength: encryption.keyLength,
    integrity: integrity === undefined || integrity.id === 0 ? undefined : integrity.id,
    prf: prf.id,
    keyExchange: ke.id,
  }
}

/** C-20. */
function checkNonce(nonce: Uint8Array): void {
  if (nonce.length < 16 || nonce.length > 256) throw new SessionError('INVALID_SYNTAX', 'malformed', `a nonce of ${nonce.length} octets`)
}
