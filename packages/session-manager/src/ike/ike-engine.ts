/**
 * Room "IKE in" (RFC 7296 §2): header → IKE SA by SPI → message window → SK → row and payload rules → handler → step
 * applied → reply. The functions stand in the order in which a message meets them. Nothing a peer sends makes them throw.
 */
import {
  CodecError,
  decodeHeader,
  decodeMessage,
  ExchangeType,
  HeaderFlag,
  type IkeHeader,
  type IkeMessage,
  NotifyType,
  notify,
  type Payload,
  PayloadType,
  ProtocolId,
  unsupportedCriticalPayload,
} from '@underpass/ike-codec'
import type { Core } from '../core.ts'
import { type Path, remoteOf } from '../paths/path.ts'
import { notifyFor, SessionError } from '../session-error.ts'
import { type FragmentResult, forgetFragments, takeFragment } from './fragmentation.ts'
import type { IkeSa } from './ike-sa.ts'
import { statelessAnswer } from './ike-sa-init.ts'
import { answerIkeSaInit, handleIkeSaInitResponse } from './ike-sa-init-engine.ts'
import { applyStep, closeIkeSa, confirm, deleteIkeSa, learnNat, movePath, replyToPending, takeStep } from './ike-sa-life.ts'
import { handleInformationalResponse } from './informational.ts'
import { declareDead, suspectLoss } from './liveness.ts'
import { hasUnexpectedNat, isRoutable } from './mobike.ts'
import { answerPathCheck, finishPathCheck } from './path-check.ts'
import { findNotify } from './payload-queries.ts'
import { type AuthenticatedMessage, type OpenResult, openMessage, type Protection } from './protection.ts'
import { crashTokenFor, crashTokensIn, keepCrashTokens, provesCrash } from './quick-crash-detection.ts'
import { rejectSyntax } from './reject-syntax.ts'
import { isUsed, yieldTo } from './rekeying/series.ts'
import { answerAgain, awaitAnswer } from './repetition.ts'
import { checkRoutability, cookieReturned } from './return-routability.ts'
import type { Step, Verdict } from './step.ts'
import { findTransition } from './transitions.ts'
import { resend, sendNextRequest, sendStateless } from './transmission.ts'

/** Decrypted, its ICV right; what is inside may still be no payloads. */
type Opened = Exclude<OpenResult, { kind: 'unauthentic' }>

/** One IKE message, header first. `octets` is lent. */
export function handleIkeMessage(core: Core, octets: Uint8Array, arrival: Path): Verdict {
  core.count('ike-messages-in')
  let header: IkeHeader
  try {
    header = decodeHeader(octets)
  } catch (error) {
    return drop(core, arrival, 'ike-malformed', error instanceof CodecError ? error.message : 'not a header', 'unparsable')
  }
  const isResponse = (header.flags & HeaderFlag.RESPONSE) !== 0
  const fromInitiator = (header.flags & HeaderFlag.INITIATOR) !== 0
  if (header.majorVersion !== 2) return refuseVersion(core, header, isResponse, arrival)
  if (header.exchangeType === ExchangeType.IKE_SA_INIT && !isResponse) {
    if (!fromInitiator || header.responderSpi !== 0n || header.messageId !== 0 || header.initiatorSpi === 0n)
      return drop(core, arrival, 'ike-malformed', 'IKE_SA_INIT request with wrong flags, SPI or Message ID', 'unparsable')
    return answerIkeSaInit(core, octets, header, arrival)
  }
  const sa = core.ikeSas.get(fromInitiator ? header.responderSpi : header.initiatorSpi)
  if (!sa || !belongsTo(header, sa, fromInitiator)) return refuseUnknownSpi(core, header, isResponse, arrival)
  if (sa.transport !== arrival.transport && !mayCross(sa))
    return drop(core, arrival, 'ike-wrong-transport', `a message for an IKE SA that uses ${sa.transport}`, 'ignored')
  if (header.exchangeType === ExchangeType.IKE_SA_INIT) return handleIkeSaInitResponse(core, sa, octets, header, arrival)
  return handleProtected(core, sa, octets, header, isResponse, arrival)
}

function handleProtected(core: Core, sa: IkeSa, octets: Uint8Array, header: IkeHeader, isResponse: boolean, arrival: Path): Verdict {
  const { protection, window } = sa
  if (!protection || sa.state.kind === 'CLOSED') return drop(core, arrival, 'ike-unexpected', 'no keys yet', 'ignored')
  const loss = readLoss(octets, header)
  if (loss) {
    if (provesCrash(sa, loss)) return believeCrash(core, sa)
    suspectLoss(core, sa)
    return drop(core, arrival, 'ike-unprotected', `INVALID_IKE_SPI, Message ID ${header.messageId}`, 'ignored')
  }
  const outstanding = window.outstanding
  if (isResponse) {
    if (outstanding?.messageId !== header.messageId || outstanding.plan.exchangeType !== header.exchangeType)
      return drop(core, arrival, 'ike-unexpected-response', `response ${header.messageId}`, 'ignored')
  } else {
    if (sa.state.kind === 'IKE_AUTH_SENT' && sa.isIkeAuthAnswered) return keepForLater(sa, octets, arrival)
    // The answer that makes the SA is still on its way: what overtook it over UDP comes again (§2.1).
    if (sa.role === 'initiator' && sa.isHalfOpen)
      return drop(core, arrival, 'ike-unexpected', 'a request before the IKE_AUTH response', 'ignored')
    const place = window.placeOf(header.messageId)
    if (place === 'repeated') return answerAgain(core, sa, octets, arrival)
    if (place === 'pending') return awaitAnswer(core, sa, octets, arrival)
    if (place === 'outside') return drop(core, arrival, 'ike-outside-window', `request ${header.messageId}`, 'ignored')
  }
  let message: IkeMessage
  try {
    message = decodeMessage(octets)
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return drop(core, arrival, 'ike-malformed', error.message, 'unparsable')
  }
  // Neither forged nor damaged, only unprotected (§2.21.4).
  if (!message.payloads.some((payload) => payload.type === 'SK' || payload.type === 'SKF'))
    return drop(core, arrival, 'ike-unprotected', `exchange ${header.exchangeType}, Message ID ${header.messageId}`, 'ignored')
  const result = openAny(core, sa, protection, octets, message)
  if (result.kind === 'unauthentic')
    return drop(core, arrival, 'ike-icv-failures', `exchange ${header.exchangeType}, Message ID ${header.messageId}`, 'unauthentic')
  if (result.kind === 'discarded') return drop(core, arrival, 'ike-fragments-discarded', result.detail, 'ignored')
  // From here on it is the peer: its path is where it sends from now (T-LIFE-18).
  sa.lastInboundAt = core.now
  if (result.kind === 'held') return 'valid'
  const { opened, first } = result
  // In CREATE_CHILD_SA they are those of the IKE SA that it makes.
  if (opened.kind === 'authenticated' && header.exchangeType !== ExchangeType.CREATE_CHILD_SA)
    keepCrashTokens(sa, crashTokensIn(opened.message.inner))
  if (sa.isUnconfirmed) confirm(sa)
  const hasMoved = mayMove(sa, arrival, isResponse, opened) && movePath(core, sa, arrival)
  if (isResponse) handleAnswer(core, sa, header, opened, arrival)
  else handleRequest(core, sa, first.slice(), header, opened, arrival)
  if (hasMoved) {
    // What we still wait for is asked there again (T-RTX-2, T-MOB-9): over UDP, too, it may have been lost, and what is to be asked waits for it.
    resend(core, sa)
    checkRoutability(core, sa)
  }
  sendNextRequest(core, sa)
  return 'valid'
}

/** One SK, or the fragment that completes a message; `first` are its octets, or those of its first fragment. */
function openAny(core: Core, sa: IkeSa, protection: Protection, octets: Uint8Array, message: IkeMessage): FragmentResult {
  if (message.payloads.at(-1)?.type === 'SKF') return takeFragment(core, sa, protection, octets, message)
  const opened = openMessage(protection, octets, message)
  if (opened.kind === 'unauthentic') return opened
  forgetFragments(sa, message.header)
  return { kind: 'complete', opened, first: octets }
}

/** INVALID_IKE_SPI in the clear, as a peer says it that has lost the SA: a hint and no more (§2.4, C-8), but with its token. */
function readLoss(octets: Uint8Array, header: IkeHeader): readonly Payload[] | undefined {
  if (header.nextPayload !== PayloadType.N) return undefined
  try {
    const { payloads } = decodeMessage(octets)
    const isProtected = payloads.some((payload) => payload.type === 'SK' || payload.type === 'SKF')
    return !isProtected && findNotify(payloads, NotifyType.INVALID_IKE_SPI) ? payloads : undefined
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

/** RFC 6290 §4.5: discarded without a word. */
function believeCrash(core: Core, sa: IkeSa): Verdict {
  core.count('ike-crashes-proved')
  declareDead(core, sa, 'the peer has lost it, as its token shows')
  return 'ignored'
}

/**
 * T-APP-4: what rides TCP stays there until MOBIKE takes it elsewhere (RFC 9329 §7.1). Which may begin with any request that was out when the
 * way was lost (T-MOB-9): it is answered where it came from, and moves nothing.
 */
function mayCross(sa: IkeSa): boolean {
  return sa.isMobike && (sa.state.kind === 'ESTABLISHED' || sa.state.kind === 'DELETING')
}

/** Over TCP any valid message moves the SA (RFC 9329 §6.1); over UDP with MOBIKE, of IKE's only UPDATE_SA_ADDRESSES (RFC 4555 §3.8). */
function mayMove(sa: IkeSa, arrival: Path, isResponse: boolean, opened: Opened): boolean {
  if (opened.kind === 'authenticated' && hasUnexpectedNat(opened.message.inner, arrival)) return false
  if (!sa.isMobike || arrival.transport === 'tcp') return true
  // Its connection is gone: any path is better than none, and a connection that comes after it moves the SA again.
  if (sa.path === undefined) return true
  return !isResponse && isUpdateSaAddresses(opened)
}

function isUpdateSaAddresses(opened: Opened): boolean {
  return opened.kind === 'authenticated' && findNotify(opened.message.inner, NotifyType.UPDATE_SA_ADDRESSES) !== undefined
}

function handleRequest(core: Core, sa: IkeSa, request: Uint8Array, header: IkeHeader, opened: Opened, arrival: Path): void {
  sa.window.pending = { request, arrival }
  if (header.exchangeType === ExchangeType.IKE_AUTH) sa.ikeAuthMessageId = header.messageId
  if (isUsed(sa, opened.kind === 'authenticated' && saysDelete(opened.message.inner))) yieldTo(core, sa)
  const step = stepFor(core, sa, opened, arrival)
  const report = opened.kind === 'authenticated' ? answerPathCheck(core, sa, opened.message.inner, arrival) : []
  takeRequestStep(core, sa, header, report, step)
}

/** The answer goes to where the request came from last, at once or when the work for it is done. */
function takeRequestStep(core: Core, sa: IkeSa, header: IkeHeader, report: readonly Payload[], step: Step): void {
  applyStep(core, sa, step)
  if (step.next && sa.state.kind !== 'CLOSED') return takeRequestStep(core, sa, header, report, step.next(core, sa))
  if (step.job) {
    const { work, then } = step.job
    return core.startJob(work, sa, (_core, _sa, result) => {
      takeRequestStep(core, sa, header, report, then(core, sa, result))
      sendNextRequest(core, sa)
    })
  }
  replyToPending(core, sa, header, [...(step.reply ?? []), ...report])
  applyStep(core, sa, step.afterReply ? { effects: step.afterReply } : {})
}

function stepFor(core: Core, sa: IkeSa, opened: Opened, arrival: Path): Step {
  if (opened.kind === 'syntax-error') return rejectSyntax(core, sa, opened.error.message)
  if (hasUnexpectedNat(opened.message.inner, arrival)) return refuseNat(core, sa, arrival)
  return stepForRequest(core, sa, opened.message)
}

/** RFC 4555 §3.9. One that is half open begins anew. */
function refuseNat(core: Core, sa: IkeSa, arrival: Path): Step {
  core.count('ike-unexpected-nat')
  const event = {
    kind: 'dropped',
    what: 'ike-unexpected-nat',
    remote: remoteOf(arrival),
    detail: 'a NAT where the peer allows none',
  } as const
  return {
    effects: [{ kind: 'event', event }],
    reply: [notify(NotifyType.UNEXPECTED_NAT_DETECTED)],
    ...(sa.isHalfOpen ? { afterReply: [{ kind: 'close', reason: 'a NAT where the peer allows none', byPeer: false }] } : {}),
  }
}

function stepForRequest(core: Core, sa: IkeSa, message: AuthenticatedMessage): Step {
  const critical = unsupportedCriticalPayload(message.inner)
  if (critical !== undefined) {
    const refusal = notifyFor(new SessionError('UNSUPPORTED_CRITICAL_PAYLOAD', 'malformed', `payload ${critical}`, { value: critical }))!
    return { reply: [notify(refusal.notifyType, refusal.data)] }
  }
  const row = findTransition(sa.state.kind, message.header.exchangeType, 'request', message.inner)
  return 'missing' in row ? rejectSyntax(core, sa, row.missing) : row.handle(core, sa, message, undefined)
}

function handleAnswer(core: Core, sa: IkeSa, header: IkeHeader, opened: Opened, arrival: Path): void {
  const isPathCheck = sa.window.outstanding?.plan.purpose === 'path-check' && opened.kind === 'authenticated'
  const check = isPathCheck ? finishPathCheck(core, sa, opened.message.inner) : undefined
  const isUnacceptable =
    opened.kind === 'authenticated' && findNotify(opened.message.inner, NotifyType.UNACCEPTABLE_ADDRESSES) !== undefined
  sa.initiator?.answeredBy(core, sa, arrival, isUnacceptable ? 'unacceptable' : check)
  handleResponse(core, sa, header, opened, arrival)
  if (check) sa.initiator?.pathChecked(core, sa, check)
}

function handleResponse(core: Core, sa: IkeSa, header: IkeHeader, opened: Opened, arrival: Path): void {
  const { plan } = sa.window.outstanding!
  if (plan.purpose === 'ike-auth') sa.isIkeAuthAnswered = true
  if (plan.purpose === 'update-sa-addresses' && opened.kind === 'authenticated') learnNat(core, sa, opened.message.inner)
  sa.window.outstanding = undefined
  core.timers.clear(sa, 'retransmit')
  core.timers.clear(sa, 'response')
  // Errors in a response are not answered (§2.21): clean up, and say Delete where the SA was good.
  if (opened.kind === 'syntax-error') return rejectResponse(core, sa, opened.error.message, NotifyType.INVALID_SYNTAX)
  if (plan.purpose === 'return-routability' && !isRoutable(plan, opened.message.inner))
    return closeIkeSa(core, sa, 'the answer to a return routability check has another COOKIE2', false)
  if (plan.purpose === 'return-routability') cookieReturned(core, sa, plan, arrival)
  const critical = unsupportedCriticalPayload(opened.message.inner)
  if (critical !== undefined)
    return rejectResponse(core, sa, `payload ${critical} is critical and not known here`, NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD)
  const row =
    header.exchangeType === ExchangeType.INFORMATIONAL
      ? undefined
      : findTransition(sa.state.kind, header.exchangeType, 'response', opened.message.inner)
  if (row === undefined) takeStep(core, sa, handleInformationalResponse(core, sa, opened.message, plan.purpose, plan.children ?? []))
  else if ('missing' in row) deleteIkeSa(core, sa, row.missing)
  else takeStep(core, sa, row.handle(core, sa, opened.message, plan), () => heedEarlyRequest(core, sa))
}

/** The peer has the SA and makes use of it, while we still look at who it is. Over TCP it does not say it twice (T-RTX-1). */
function keepForLater(sa: IkeSa, octets: Uint8Array, arrival: Path): Verdict {
  sa.earlyRequest ??= { octets: octets.slice(), arrival }
  return 'ignored'
}

function heedEarlyRequest(core: Core, sa: IkeSa): void {
  const early = sa.earlyRequest
  sa.earlyRequest = undefined
  if (early && (early.arrival.transport === 'udp' || core.connections.has(early.arrival.connection.id)))
    handleIkeMessage(core, early.octets, early.arrival)
}

function rejectResponse(core: Core, sa: IkeSa, detail: string, notifyType: number): void {
  core.count('ike-syntax-errors')
  core.event({ kind: 'dropped', what: 'ike-syntax-errors', remote: sa.path && remoteOf(sa.path), detail })
  // Only the exchange that follows IKE_AUTH says why (§2.21.2).
  deleteIkeSa(core, sa, `error in a response: ${detail}`, sa.isHalfOpen ? notifyType : undefined)
}

function saysDelete(inner: readonly Payload[]): boolean {
  return inner.some((payload) => payload.type === 'D' && payload.protocol === ProtocolId.IKE)
}

/** C-9: a higher major version is dropped; a request is told which one we speak. */
function refuseVersion(core: Core, header: IkeHeader, isResponse: boolean, arrival: Path): Verdict {
  if (!isResponse && header.majorVersion > 2 && core.mayAnswerStranger())
    sendStateless(core, arrival, statelessAnswer({ header }, NotifyType.INVALID_MAJOR_VERSION, new Uint8Array(0)))
  return drop(core, arrival, 'ike-wrong-version', `version ${header.majorVersion}`, 'ignored')
}

/** C-26: said without protection, changes no state, and never in answer to a response. */
function refuseUnknownSpi(core: Core, header: IkeHeader, isResponse: boolean, arrival: Path): Verdict {
  if (!isResponse && core.mayAnswerStranger())
    sendStateless(core, arrival, statelessAnswer({ header }, NotifyType.INVALID_IKE_SPI, new Uint8Array(0), crashTokenFor(core, header)))
  return drop(core, arrival, 'ike-unknown-spi', `exchange ${header.exchangeType}`, 'ignored')
}

function belongsTo(header: IkeHeader, sa: IkeSa, fromInitiator: boolean): boolean {
  if (fromInitiator !== (sa.role === 'responder')) return false
  if (header.initiatorSpi !== sa.initiatorSpi) return false
  return header.exchangeType === ExchangeType.IKE_SA_INIT || header.responderSpi === sa.responderSpi
}

function drop(core: Core, arrival: Path, what: string, detail: string, verdict: Verdict): Verdict {
  core.count(what)
  core.event({ kind: 'dropped', what, remote: remoteOf(arrival), detail })
  return verdict
}
