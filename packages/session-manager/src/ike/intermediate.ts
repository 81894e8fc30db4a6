/**
 * IKE_INTERMEDIATE (RFC 9242), for the additional key exchanges of RFC 9370: one exchange for each, in order, between IKE_SA_INIT and IKE_AUTH,
 * each under the keys that the one before it made.
 *
 *   HDR, SK {KEi(n)}  -->
 *                    <--  HDR, SK {KEr(n)}
 */
import {
  ExchangeType,
  encodeMessage,
  encodePayloads,
  type HeaderFields,
  HeaderFlag,
  NotifyType,
  notify,
  type Payload,
} from '@underpass/ike-codec'
import { intermediateAuth, rekeySkeyseed } from '@underpass/ike-crypto'
import type { AdditionalKeyExchange } from '../config.ts'
import type { CryptoResult } from '../contract.ts'
import type { Core } from '../core.ts'
import { SessionError } from '../session-error.ts'
import { beginIkeAuth } from './ike-auth-initiator.ts'
import type { IkeSa, InitRecord } from './ike-sa.ts'
import { find, findErrorNotify, findNotify, nameOfNotify } from './payload-queries.ts'
import { type AuthenticatedMessage, type Content, type Protection, protectionFor } from './protection.ts'
import { afterWork, type Step } from './step.ts'

/** RFC 9242 §3.1: what a responder announces where the `request` did. */
export function intermediateSupport(request: readonly Payload[]): Payload[] {
  return announcesIntermediate(request) ? [notify(NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED)] : []
}

export function announcesIntermediate(payloads: readonly Payload[]): boolean {
  return findNotify(payloads, NotifyType.INTERMEDIATE_EXCHANGE_SUPPORTED) !== undefined
}

/** Of an IKE_SA_INIT request: whether its additional key exchanges can be done (RFC 9370 §2.2.1). */
export function additionalFor(payloads: readonly Payload[]): 'agreed' | 'refused' {
  return announcesIntermediate(payloads) ? 'agreed' : 'refused'
}

/** The initiator, with the first keys in hand: the next additional key exchange, or IKE_AUTH where all are done. */
export function continueHandshake(core: Core, sa: IkeSa): Step {
  const { state } = sa
  if (state.kind !== 'KEYS_READY') throw new SessionError('INVARIANT', 'bug', `the handshake goes on in state ${state.kind}`)
  const { record } = state
  const next = nextKeyExchange(sa, record)
  if (!next) return beginIkeAuth(core, sa)
  const step = afterWork({ kind: 'ke-initiate', method: next.method }, (_core, _sa, result) => sendIntermediate(record, next, result))
  return { to: { kind: 'INTERMEDIATE_KE_INITIATE', record }, ...step }
}

function sendIntermediate(record: InitRecord, { method }: AdditionalKeyExchange, result: CryptoResult): Step {
  if (result.kind !== 'ke-initiated') return { effects: [{ kind: 'close', reason: detailOf(result), byPeer: false }] }
  const payloads: Payload[] = [{ type: 'KE', method, data: result.publicValue }]
  return {
    to: { kind: 'IKE_INTERMEDIATE_SENT', record, publicValue: result.publicValue, secret: result.secret },
    effects: [{ kind: 'request', plan: { purpose: 'ike-intermediate', exchangeType: ExchangeType.IKE_INTERMEDIATE, payloads } }],
  }
}

/** The responder. What breaks the rules ends the IKE SA that is being made (RFC 9242 §3.4). */
export function answerIkeIntermediateRequest(_core: Core, sa: IkeSa, message: AuthenticatedMessage): Step {
  const { state } = sa
  if (state.kind !== 'IKE_INTERMEDIATE_EXPECTED') throw new SessionError('INVARIANT', 'bug', `IKE_INTERMEDIATE in state ${state.kind}`)
  const { record } = state
  const next = nextKeyExchange(sa, record)!
  const ke = find(message.inner, 'KE')!
  if (ke.method !== next.method) return refuse(`a KE payload of method ${ke.method} where ${next.method} was agreed on`)
  return afterWork({ kind: 'ke-respond', method: next.method, peerPublic: ke.data.slice() }, (_core, _sa, result) =>
    result.kind === 'ke-responded'
      ? replyIntermediate(sa, record, message, next, result)
      : refuse(`additional key exchange: ${detailOf(result)}`),
  )
}

function replyIntermediate(
  sa: IkeSa,
  record: InitRecord,
  message: AuthenticatedMessage,
  { method }: AdditionalKeyExchange,
  { publicValue, sharedSecret }: Extract<CryptoResult, { kind: 'ke-responded' }>,
): Step {
  const reply: Payload[] = [{ type: 'KE', method, data: publicValue }]
  const response = authenticatedOctets({ ...message.header, flags: HeaderFlag.RESPONSE }, encodePayloads(reply))
  const made = finishKeyExchange(sa, record, { request: octetsOf(message), response }, sharedSecret)
  const kind = nextKeyExchange(sa, made.record) ? 'IKE_INTERMEDIATE_EXPECTED' : 'IKE_SA_INIT_ANSWERED'
  // The response is protected by the keys that the request was.
  return { to: { kind, record: made.record }, reply, afterReply: [{ kind: 'keys', protection: made.protection }] }
}

/** The initiator, on the answer. */
export function handleIkeIntermediateResponse(_core: Core, sa: IkeSa, message: AuthenticatedMessage): Step {
  const { state } = sa
  if (state.kind !== 'IKE_INTERMEDIATE_SENT') throw new SessionError('INVARIANT', 'bug', `IKE_INTERMEDIATE response in state ${state.kind}`)
  const { record, secret } = state
  const { method } = nextKeyExchange(sa, record)!
  const error = findErrorNotify(message.inner)
  if (error) return giveUp(sa, `the responder refused an additional key exchange: ${nameOfNotify(error.notifyType)}`, true)
  const ke = find(message.inner, 'KE')
  if (ke?.method !== method) return giveUp(sa, `no KE payload of method ${method} in the IKE_INTERMEDIATE response`, false)
  const request = requestOctets(sa, message, state.publicValue, method)
  return afterWork({ kind: 'ke-complete', method, secret, peerPublic: ke.data.slice() }, (_core, _sa, result) => {
    secret.fill(0)
    if (result.kind !== 'ke-completed') return giveUp(sa, `additional key exchange: ${detailOf(result)}`, false)
    const made = finishKeyExchange(sa, record, { request, response: octetsOf(message) }, result.sharedSecret)
    return {
      to: { kind: 'KEYS_READY', record: made.record },
      effects: [{ kind: 'keys', protection: made.protection }],
      next: continueHandshake,
    }
  })
}

/** The one after those that are done (RFC 9370 §2.2.1). */
export function nextKeyExchange({ suite }: IkeSa, { intermediate }: InitRecord): AdditionalKeyExchange | undefined {
  return suite?.additionalKeyExchanges?.[intermediate?.exchanges ?? 0]
}

/** The keys of RFC 9370 §2.2.2, and both messages into IntAuth under the SK_p that were good before. */
function finishKeyExchange(
  sa: IkeSa,
  record: InitRecord,
  octets: { readonly request: Uint8Array; readonly response: Uint8Array },
  sharedSecret: Uint8Array,
): { record: InitRecord; protection: Protection } {
  const { protection, suite } = sa
  if (!protection || !suite) throw new SessionError('INVARIANT', 'bug', 'IKE_INTERMEDIATE without keys')
  const { prf, keys } = protection
  const before = record.intermediate ?? { exchanges: 0, initiator: new Uint8Array(0), responder: new Uint8Array(0) }
  const intermediate = {
    exchanges: before.exchanges + 1,
    initiator: intermediateAuth(prf, keys.skpi, before.initiator, octets.request),
    responder: intermediateAuth(prf, keys.skpr, before.responder, octets.response),
  }
  const { initiatorNonce, responderNonce } = record
  // SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr): the formula of RFC 7296 §2.18.
  const seed = rekeySkeyseed(prf, keys.skd, sharedSecret, initiatorNonce, responderNonce)
  sharedSecret.fill(0)
  const next = protectionFor(suite, seed, initiatorNonce, responderNonce, sa.initiatorSpi, sa.responderSpi)
  seed.fill(0)
  return { record: { ...record, intermediate }, protection: next }
}

function requestOctets(sa: IkeSa, { header }: AuthenticatedMessage, publicValue: Uint8Array, method: number): Uint8Array {
  const { initiatorSpi, responderSpi } = sa
  const { exchangeType, messageId } = header
  const request = { initiatorSpi, responderSpi, exchangeType, messageId, flags: HeaderFlag.INITIATOR }
  return authenticatedOctets(request, encodePayloads([{ type: 'KE', method, data: publicValue }]))
}

function octetsOf({ header, clear, content }: AuthenticatedMessage): Uint8Array {
  return authenticatedOctets(header, content, clear)
}

/** IntAuth_*A | IntAuth_*P: as if the SK had held its content and no IV, Padding, Pad Length and ICV, whole (RFC 9242 §3.3.2). */
function authenticatedOctets(header: HeaderFields, { firstPayload, bytes }: Content, clear: readonly Payload[] = []): Uint8Array {
  return encodeMessage({ header, payloads: [...clear, { type: 'SK', firstPayload, body: bytes }] })
}

function refuse(reason: string): Step {
  return { reply: [notify(NotifyType.INVALID_SYNTAX)], afterReply: [{ kind: 'close', reason, byPeer: false }] }
}

function giveUp(sa: IkeSa, detail: string, byPeer: boolean): Step {
  const event = { kind: 'handshake-failed', ikeSa: sa.id, peer: sa.peerName, detail } as const
  return {
    effects: [
      { kind: 'event', event },
      { kind: 'close', reason: detail, byPeer },
    ],
  }
}

function detailOf(result: CryptoResult): string {
  return result.kind === 'failed' ? result.detail : `the work came to ${result.kind}`
}
