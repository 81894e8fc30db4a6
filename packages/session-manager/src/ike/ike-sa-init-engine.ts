/**
 * IKE_SA_INIT around its slow part: the responder's checks that cost nothing, the key exchange as a job, the answer; and the
 * initiator's request, its repetitions and the keys. State is made only when every cheap check has passed (RFC 7296 §2.6).
 */
import { CodecError, type IkeHeader, NotifyType } from '@underpass/ike-codec'
import { skeyseed } from '@underpass/ike-crypto'
import type { CryptoResult, Endpoint } from '../contract.ts'
import type { Core } from '../core.ts'
import { readU64 } from '../octets.ts'
import { localOf, type Path, remoteOf } from '../paths/path.ts'
import { tellOfferRefused } from '../peers/mismatch.ts'
import { suitesFor } from '../peers/peer-choice.ts'
import { notifyFor, SessionError } from '../session-error.ts'
import { markSpi } from '../shard-spi.ts'
import { fragmentationSupport } from './fragmentation.ts'
import { IkeSa, type InitOffer, type InitRecord, isInitAnswered } from './ike-sa.ts'
import {
  buildIkeSaInitRequest,
  buildIkeSaInitResponse,
  chooseForRequest,
  type IkeSaInitRequest,
  NONCE_LENGTH,
  readIkeSaInitRequest,
  readIkeSaInitResponse,
  statelessAnswer,
} from './ike-sa-init.ts'
import { attachPath, closeIkeSa, takeStep } from './ike-sa-life.ts'
import { continueHandshake, intermediateSupport, nextKeyExchange } from './intermediate.ts'
import { detectNat, natDetectionPayloads } from './nat-detection.ts'
import { nameOfNotify } from './payload-queries.ts'
import { announcesPpk, ppkSupport } from './ppk.ts'
import { prfOf, protectionFor } from './protection.ts'
import { readPeerSignatures, signaturesAnswered, signaturesOffered } from './signature-support.ts'
import type { Verdict } from './step.ts'
import { retransmissionDelay, sendStateless, sendTo } from './transmission.ts'

/** A responder gets an IKE_SA_INIT request. `octets` is lent. */
export function answerIkeSaInit(core: Core, octets: Uint8Array, header: IkeHeader, arrival: Path): Verdict {
  const remote = remoteOf(arrival)
  if (!core.config.acceptsPeers) return refuse(core, arrival, 'ike-not-accepting', 'this end answers nobody')
  const known = core.halfOpen.find(header.initiatorSpi, remote.address, octets)
  if (known) return repeatAnswer(core, known, arrival)
  if (isConnectionTaken(arrival, header.initiatorSpi)) {
    core.count('ike-second-sa-on-connection')
    if (arrival.transport === 'tcp') core.closeConnection(arrival.connection, 'end', 'a second IKE SA on one connection (RFC 9329 §6.1)')
    return 'ignored'
  }
  const { limits } = core.config
  if (core.ikeSas.size >= limits.maxIkeSas) return refuseForLimit(core, 'maxIkeSas', remote)
  if (core.halfOpen.size >= limits.maxHalfOpen) return refuseForLimit(core, 'maxHalfOpen', remote)
  const request = octets.slice()
  try {
    const asked = readIkeSaInitRequest(request)
    const isProven = isAddressProven(core, arrival, asked, header.initiatorSpi)
    const isFull = core.halfOpen.countFrom(remote.address, isProven) >= limits.maxHalfOpenPerAddress
    if (isFull) refuseForLimit(core, 'maxHalfOpenPerAddress', remote)
    if (!isProven && (isFull || core.halfOpen.size >= limits.cookieThreshold)) return askForCookie(core, asked, header, arrival)
    if (isFull) return 'ignored'
    startResponder(core, { request, asked, header, arrival, isProven })
    return 'valid'
  } catch (error) {
    return answerError(core, error, { request, header, arrival })
  }
}

/** An initiator has its key pair and, over TCP, its connection: both are needed, in either order. */
export function sendIkeSaInit(core: Core, sa: IkeSa): void {
  const { state, path } = sa
  if (state.kind !== 'KE_INITIATED' || !path || (path.transport === 'tcp' && !path.connection.isOpen)) return
  const context = { initiatorSpi: sa.initiatorSpi, responderSpi: 0n, local: localOf(path), remote: remoteOf(path) }
  // C-27: over UDP a source hash that cannot match makes the peer encapsulate ESP, which is all that userspace can receive.
  const natDetection = natDetectionPayloads(context, state.offer.natMismatch)
  const signatures = sa.peer ? signaturesOffered(sa.peer) : []
  const last = [...natDetection, ...fragmentationSupport(), ...state.offer.extensions, ...signatures]
  const request = buildIkeSaInitRequest(sa.initiatorSpi, state.offer, state.publicValue, last)
  sa.state = { ...state, kind: 'IKE_SA_INIT_SENT', request, transmissions: 0 }
  transmitIkeSaInit(core, sa)
  sa.initiator?.initSent(core, sa)
}

/** An initiator that has the keys goes on, to IKE_AUTH at last. */
export function sendIkeAuth(core: Core, sa: IkeSa): void {
  const { state, path } = sa
  if (state.kind !== 'KEYS_READY') return
  if (path?.transport === 'udp' && sa.initiator) sa.path = sa.initiator.pathForIkeAuth(sa, path)
  takeStep(core, sa, continueHandshake(core, sa))
}

/** The first request again: over UDP on its timer, over TCP never on the same connection (T-RTX-1). */
export function transmitIkeSaInit(core: Core, sa: IkeSa): void {
  if (sa.state.kind !== 'IKE_SA_INIT_SENT' || !sa.path) return
  sa.state.transmissions++
  sendTo(core, sa.path, sa.state.request)
  if (sa.transport === 'udp') core.timers.set(sa, 'retransmit', core.now + retransmissionDelay(core, sa.state.transmissions))
}

/** Makes a key pair of the offer's method; what follows is `sendIkeSaInit`. */
export function startKeyExchange(core: Core, sa: IkeSa, offer: InitOffer): void {
  sa.state = { kind: 'KE_INITIATE', offer }
  core.startJob({ kind: 'ke-initiate', method: offer.method }, sa, keyPairReady)
}

/** The initiator gets an answer to its IKE_SA_INIT. `octets` is lent. */
export function handleIkeSaInitResponse(core: Core, sa: IkeSa, octets: Uint8Array, header: IkeHeader, arrival: Path): Verdict {
  const { state } = sa
  if (state.kind !== 'IKE_SA_INIT_SENT' || header.messageId !== 0)
    return refuse(core, arrival, 'ike-unexpected', 'an IKE_SA_INIT response that nobody waits for')
  const response = octets.slice()
  const answer = readIkeSaInitResponse(response, state.offer)
  switch (answer.kind) {
    case 'repeat':
      return repeatRequest(core, sa, answer.offer, answer.reason)
    case 'refused':
      return takeRefusal(core, sa, { detail: 'the responder refused IKE_SA_INIT', notify: nameOfNotify(answer.notifyType) })
    case 'unusable':
      return takeRefusal(core, sa, { detail: `IKE_SA_INIT: ${answer.detail}` })
    case 'chosen': {
      if (sa.peer?.ppk?.isRequired && !announcesPpk(answer.payloads))
        return takeRefusal(core, sa, { detail: 'IKE_SA_INIT: a PPK is required, and the responder announces none (RFC 8784)' })
      core.timers.clear(sa, 'retransmit')
      sa.responderSpi = header.responderSpi
      sa.suite = answer.suite
      sa.nat = detectNat(
        { initiatorSpi: sa.initiatorSpi, responderSpi: sa.responderSpi, local: localOf(arrival), remote: remoteOf(arrival) },
        answer.payloads,
      )
      sa.isFragmenting = fragmentationSupport(answer.payloads).length > 0
      sa.usesPpk = sa.peer?.ppk !== undefined && announcesPpk(answer.payloads)
      sa.peerSignatures = readPeerSignatures(answer.payloads)
      const record = { request: state.request, response, initiatorNonce: state.offer.nonce, responderNonce: answer.nonce }
      sa.state = { kind: 'KE_COMPLETE', record, suite: answer.suite, sent: state }
      core.startJob(
        { kind: 'ke-complete', method: answer.suite.keyExchange, secret: state.secret, peerPublic: answer.peerPublic },
        sa,
        keyExchangeComplete,
      )
      return 'valid'
    }
    default:
      return answer satisfies never
  }
}

interface ReceivedRequest {
  readonly request: Uint8Array
  readonly header: IkeHeader
  readonly arrival: Path
}

interface AcceptedRequest extends ReceivedRequest {
  readonly asked: IkeSaInitRequest
  readonly isProven: boolean
}

function startResponder(core: Core, { request, asked, header, arrival, isProven }: AcceptedRequest): void {
  const { suite, proposal } = chooseForRequest(asked, suitesFor(core.config, { local: localOf(arrival), remote: remoteOf(arrival) }))
  const sa = new IkeSa({
    role: 'responder',
    transport: arrival.transport,
    initiatorSpi: header.initiatorSpi,
    responderSpi: freshIkeSpi(core),
    state: { kind: 'KE_RESPOND', request, initiatorNonce: asked.nonce, proposal, suite, clear: asked.message.payloads },
    path: undefined,
    now: core.now,
  })
  sa.suite = suite
  core.ikeSas.set(sa.localSpi, sa)
  core.halfOpen.add(sa, remoteOf(arrival).address, isProven)
  attachPath(core, sa, arrival)
  core.timers.set(sa, 'handshake', core.now + core.config.timers.handshake)
  core.startJob({ kind: 'ke-respond', method: suite.keyExchange, peerPublic: asked.publicValue }, sa, answerReady)
}

/** Room for the responder's half: keys, the answer, and now IKE_AUTH may come. */
function answerReady(core: Core, sa: IkeSa, result: CryptoResult): void {
  const { state, path } = sa
  if (state.kind !== 'KE_RESPOND') return
  if (result.kind !== 'ke-responded') return keepRefused(core, sa, result)
  if (!path) return closeIkeSa(core, sa, 'the connection is gone', false)
  const nonce = core.random(NONCE_LENGTH)
  const context = { initiatorSpi: sa.initiatorSpi, responderSpi: sa.responderSpi, local: localOf(path), remote: remoteOf(path) }
  sa.nat = detectNat({ ...context, responderSpi: 0n }, state.clear)
  const natDetection = sa.nat ? natDetectionPayloads(context, sa.transport === 'udp' ? core.random(20) : undefined) : []
  sa.peerSignatures = readPeerSignatures(state.clear)
  const fragmentation = fragmentationSupport(state.clear)
  sa.isFragmenting = fragmentation.length > 0
  const ppk = ppkSupport(core.config.peers, state.clear)
  sa.usesPpk = ppk.length > 0
  const signatures = signaturesAnswered(core, state.clear, path.transport === 'tcp')
  const last = [...natDetection, ...fragmentation, ...intermediateSupport(state.clear), ...ppk, ...signatures]
  const response = buildIkeSaInitResponse(context, state.proposal, state.suite.keyExchange, result.publicValue, nonce, last)
  const record = { request: state.request, response, initiatorNonce: state.initiatorNonce, responderNonce: nonce }
  deriveKeys(sa, record, result.sharedSecret)
  sa.state = { kind: nextKeyExchange(sa, record) ? 'IKE_INTERMEDIATE_EXPECTED' : 'IKE_SA_INIT_ANSWERED', record }
  sendTo(core, path, response)
}

/** K-2: dropped. Its half-open slot is not free before its time, so that who makes us compute for nothing meets a cookie (RFC 7296 §2.6). */
function keepRefused(core: Core, sa: IkeSa, result: CryptoResult): void {
  core.count('ike-invalid-public-values')
  const detail = result.kind === 'failed' ? `key exchange: ${result.detail}` : 'key exchange'
  core.event({ kind: 'dropped', what: 'ike-invalid-public-values', remote: sa.path && remoteOf(sa.path), detail })
}

function keyPairReady(core: Core, sa: IkeSa, result: CryptoResult): void {
  if (sa.state.kind !== 'KE_INITIATE') return
  if (result.kind !== 'ke-initiated') return closeIkeSa(core, sa, result.kind === 'failed' ? result.detail : 'no key pair', false)
  sa.state = { kind: 'KE_INITIATED', offer: sa.state.offer, publicValue: result.publicValue, secret: result.secret }
  sendIkeSaInit(core, sa)
}

function keyExchangeComplete(core: Core, sa: IkeSa, result: CryptoResult): void {
  const { state } = sa
  if (state.kind !== 'KE_COMPLETE') return
  if (result.kind !== 'ke-completed') {
    const detail = result.kind === 'failed' ? `key exchange: ${result.detail}` : 'key exchange'
    if (sa.transport === 'tcp') return closeIkeSa(core, sa, detail, false)
    // K-2: dropped, and a legitimate answer may still come.
    sa.refusal = detail
    sa.responderSpi = 0n
    sa.state = state.sent
    core.timers.set(sa, 'retransmit', core.now + retransmissionDelay(core, state.sent.transmissions))
    return
  }
  deriveKeys(sa, state.record, result.sharedSecret)
  state.sent.secret.fill(0)
  sa.state = { kind: 'KEYS_READY', record: state.record }
  sa.initiator?.keysReady(core, sa)
}

function deriveKeys(sa: IkeSa, record: InitRecord, sharedSecret: Uint8Array): void {
  const { suite } = sa
  if (!suite) throw new SessionError('INVARIANT', 'bug', 'keys before a suite was chosen')
  const seed = skeyseed(prfOf(suite), record.initiatorNonce, record.responderNonce, sharedSecret)
  sa.protection = protectionFor(suite, seed, record.initiatorNonce, record.responderNonce, sa.initiatorSpi, sa.responderSpi)
  seed.fill(0)
  sharedSecret.fill(0)
}

function repeatRequest(core: Core, sa: IkeSa, offer: InitOffer, reason: 'COOKIE' | 'INVALID_KE_PAYLOAD'): Verdict {
  core.count(reason === 'COOKIE' ? 'ike-cookies-returned' : 'ike-invalid-ke-retries')
  core.timers.clear(sa, 'retransmit')
  const { state } = sa
  if (state.kind !== 'IKE_SA_INIT_SENT') return 'ignored'
  if (offer.method !== state.offer.method) {
    state.secret.fill(0)
    startKeyExchange(core, sa, offer)
  } else {
    sa.state = { kind: 'KE_INITIATED', offer, publicValue: state.publicValue, secret: state.secret }
    sendIkeSaInit(core, sa)
  }
  return 'valid'
}

/** T-ERR-1: over TCP no better answer can come, over UDP anybody may have sent this one. */
function takeRefusal(core: Core, sa: IkeSa, refusal: { readonly detail: string; readonly notify?: string }): Verdict {
  core.count('ike-refusals-in')
  sa.refusal = refusal.notify ?? refusal.detail
  if (sa.transport === 'udp') return 'ignored'
  core.event({ kind: 'handshake-failed', ikeSa: sa.id, peer: sa.peerName, ...refusal })
  closeIkeSa(core, sa, refusal.notify === undefined ? refusal.detail : `${refusal.detail}: ${refusal.notify}`, true)
  return 'ignored'
}

function repeatAnswer(core: Core, sa: IkeSa, arrival: Path): Verdict {
  core.count('ike-retransmissions-in')
  if (isInitAnswered(sa.state)) sendTo(core, arrival, sa.state.record.response)
  return 'ignored'
}

/** T-LIFE-10: in RFC 9329 a connection carries one IKE SA, also where the same IKE_SA_INIT comes again; pauly-03 allows several. */
function isConnectionTaken(arrival: Path, initiatorSpi: bigint): boolean {
  if (arrival.transport !== 'tcp' || arrival.connection.framing === 'pauly-03') return false
  return [...arrival.connection.ikeSas].some((sa) => sa.initiatorSpi !== initiatorSpi || !sa.isHalfOpen)
}

function refuseForLimit(core: Core, limit: string, remote: Endpoint): Verdict {
  core.count(`limit-${limit}`)
  core.event({ kind: 'limit-reached', limit, remote })
  return 'ignored'
}

/** Over UDP anybody can write any source, until a cookie comes back; over TCP the address is proven already (T-CK-1). */
function isAddressProven(core: Core, arrival: Path, asked: IkeSaInitRequest, initiatorSpi: bigint): boolean {
  if (arrival.transport === 'tcp' && !core.config.limits.cookiesOverTcp) return true
  if (asked.cookie === undefined) return false
  return core.cookies.isOurs(asked.cookie, asked.nonce, remoteOf(arrival).address, initiatorSpi, core.now)
}

function askForCookie(core: Core, asked: IkeSaInitRequest, header: IkeHeader, arrival: Path): Verdict {
  core.count('ike-cookies-asked')
  const cookie = core.cookies.bake(asked.nonce, remoteOf(arrival).address, header.initiatorSpi, core.now)
  sendStateless(core, arrival, statelessAnswer({ header }, NotifyType.COOKIE, cookie), core.config.timers.cookieReply)
  return 'valid'
}

function answerError(core: Core, error: unknown, { request, header, arrival }: ReceivedRequest): Verdict {
  const refusal =
    error instanceof CodecError
      ? { notifyType: NotifyType.INVALID_SYNTAX, data: new Uint8Array(0) }
      : error instanceof SessionError && error.blame !== 'bug'
        ? notifyFor(error)
        : undefined
  if (!(error instanceof Error) || !refusal) throw error
  core.count('ike-init-refused')
  core.event({ kind: 'dropped', what: 'ike-init-refused', remote: remoteOf(arrival), detail: error.message })
  // §2.21.4, but for what has a way on: anybody can write any source over UDP.
  const isRationed = arrival.transport === 'udp' && refusal.notifyType !== NotifyType.INVALID_KE_PAYLOAD
  if (!isRationed || core.mayAnswerStranger()) sendStateless(core, arrival, statelessAnswer({ header }, refusal.notifyType, refusal.data))
  if (refusal.notifyType === NotifyType.NO_PROPOSAL_CHOSEN)
    tellOfferRefused(core, request, header.initiatorSpi, { local: localOf(arrival), remote: remoteOf(arrival) })
  return error instanceof CodecError || (error instanceof SessionError && error.blame === 'malformed') ? 'unparsable' : 'ignored'
}

/** Random and not 0 (RFC 7296 §2.6). */
export function freshIkeSpi(core: Core): bigint {
  for (;;) {
    const spi = readU64(markSpi(core.random(8), core.config.shard))
    if (spi !== 0n && !core.ikeSas.has(spi)) return spi
  }
}

function refuse(core: Core, arrival: Path, what: string, detail: string): Verdict {
  core.count(what)
  core.event({ kind: 'dropped', what, remote: remoteOf(arrival), detail })
  return 'ignored'
}
