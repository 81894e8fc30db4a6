/** An IKE SA from its first request to its end: applying the steps that handlers answer, replying, moving to another path, closing. */
import { CodecError, type IkeHeader, type Payload } from '@underpass/ike-codec'
import { eraseChild, installChild, removeChild } from '../child/child-life.ts'
import type { ChildSa } from '../child/child-sa.ts'
import type { Endpoint } from '../contract.ts'
import type { Core } from '../core.ts'
import type { SessionEvent } from '../events.ts'
import { describeEndpoint } from '../ip-address.ts'
import { startIkeLifetime } from '../lifetimes.ts'
import { keepOpen } from '../paths/ftt-keepalive.ts'
import { becameIdle } from '../paths/idle.ts'
import { describePath, isSamePath, localOf, type Path, remoteOf } from '../paths/path.ts'
import { describeIkeSuite } from '../suites.ts'
import { eraseExchange, eraseKeys, eraseSecrets } from './erasure.ts'
import { sealForPath } from './fragmentation.ts'
import { describeIdentity } from './identification.ts'
import { formatIkeSpi, type IkeSa } from './ike-sa.ts'
import { buildIkeSaDelete } from './informational-requests.ts'
import type { SealedMessage } from './message-window.ts'
import { detectNat } from './nat-detection.ts'
import type { Protection } from './protection.ts'
import type { Effect, Step } from './step.ts'
import { headerFor, resend, sendNextRequest, sendRequest, sendSealed } from './transmission.ts'

type CameAnew = NonNullable<Extract<SessionEvent, { kind: 'ike-sa-closed' }>['cameAnew']>

/** A step that answers no request, and what follows when its work is done; `whenDone`: all of it. */
export function takeStep(core: Core, sa: IkeSa, step: Step, whenDone: () => void = () => {}): void {
  applyStep(core, sa, step)
  if (step.next && sa.state.kind !== 'CLOSED') return takeStep(core, sa, step.next(core, sa), whenDone)
  if (!step.job) return whenDone()
  const { work, then } = step.job
  core.startJob(work, sa, (_core, _sa, result) => {
    takeStep(core, sa, then(core, sa, result), whenDone)
    sendNextRequest(core, sa)
  })
}

/** Everything of a step but its reply. */
export function applyStep(core: Core, sa: IkeSa, step: Omit<Step, 'reply' | 'afterReply'>): void {
  if (step.to && sa.state.kind !== 'CLOSED') sa.state = step.to
  for (const effect of step.effects ?? []) applyEffect(core, sa, effect)
}

function applyEffect(core: Core, sa: IkeSa, effect: Effect): void {
  switch (effect.kind) {
    case 'event':
      return core.event(effect.event)
    case 'install-child':
      return installChild(core, effect.child, effect.outbound ?? 'first')
    case 'remove-child':
      return loseChild(core, effect.child, effect.reason)
    case 'rekeying':
      return effect.apply(core, sa)
    case 'authenticated':
      return authenticate(core, sa, effect)
    case 'make-room':
      return makeRoom(core, sa, effect.supernumerary)
    case 'close-abandoned':
      for (const other of effect.abandoned) closeIkeSa(core, other, 'its address is wanted for a new IKE SA of the same identity', false)
      return
    case 'tunnel-times':
      sa.fttKat = effect.fttKat
      sa.livenessPeriod = effect.livenessPeriod
      if (sa.path?.transport === 'tcp') keepOpen(core, sa.path.connection)
      return
    case 'learn-addresses':
      return sa.initiator?.learnAddresses(core, sa, effect.addresses)
    case 'request':
      return sendRequest(core, sa, effect.plan)
    case 'keys':
      eraseKeys(sa)
      sa.protection = effect.protection
      return
    case 'established':
      return establish(core, sa)
    case 'forget-others':
      return forgetOthers(core, sa)
    case 'close':
      return closeIkeSa(core, sa, effect.reason, effect.byPeer)
    case 'delete':
      return deleteIkeSa(core, sa, effect.reason, effect.notifyType)
    default:
      return effect satisfies never
  }
}

function loseChild(core: Core, child: ChildSa, reason: string): void {
  const sa = child.ikeSa
  removeChild(core, child, reason)
  // One that is being made may yet take its place.
  const isAnyMade = [...sa.creations].some(({ kind }) => kind === 'child-sa')
  if (sa.children.size === 0 && !isAnyMade) sa.initiator?.childrenGone(core, sa, reason)
}

/** What the answer to UPDATE_SA_ADDRESSES says of the way that it came (RFC 4555 §3.5). */
export function learnNat(core: Core, sa: IkeSa, inner: readonly Payload[]): void {
  if (!sa.path) return
  const { initiatorSpi, responderSpi, path } = sa
  sa.nat = detectNat({ initiatorSpi, responderSpi, local: localOf(path), remote: remoteOf(path) }, inner) ?? sa.nat
  keepNatMapping(core, sa)
}

/** Over UDP and behind a NAT, from now on. */
export function keepNatMapping(core: Core, sa: IkeSa): void {
  if (sa.path?.transport !== 'udp' || sa.nat?.isLocalBehindNat !== true || core.timers.has(sa, 'nat-keepalive')) return
  core.timers.set(sa, 'nat-keepalive', core.now + core.config.timers.natKeepalive)
}

/** The response to the request in work, to where it came from (RFC 7296 §2.11), kept for its repetition. */
export function replyToPending(core: Core, sa: IkeSa, header: IkeHeader, payloads: readonly Payload[]): void {
  const { pending } = sa.window
  if (!sa.protection || !pending || sa.state.kind === 'CLOSED') return
  const { arrival } = pending
  const response = sealResponse(core, sa, sa.protection, header, payloads, arrival)
  if (!response) return closeIkeSa(core, sa, 'the answer to a request would have been too long for a message', false)
  sa.window.answer(pending.request, response)
  // One whose connection is gone is asked again on another (T-RTX-2).
  if (arrival.transport === 'udp' || core.connections.has(arrival.connection.id)) sendSealed(core, arrival, response)
}

/** `undefined` where the answer does not fit: a request that makes us say too much ends its own SA, and nothing else. */
function sealResponse(
  core: Core,
  sa: IkeSa,
  protection: Protection,
  header: IkeHeader,
  payloads: readonly Payload[],
  arrival: Path,
): SealedMessage | undefined {
  try {
    return sealForPath(core, sa, protection, headerFor(sa, header.exchangeType, header.messageId, 'response'), payloads, arrival)
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

/** A valid message came by `arrival`: that is where this SA's packets go now (RFC 9329 §6.1). Answers whether that is a change. */
export function movePath(core: Core, sa: IkeSa, arrival: Path): boolean {
  if (isSamePath(sa.path, arrival)) return false
  // The original initiator knows where its peer is; only the responder follows (RFC 7296 §2.23, T-LIFE-17).
  if (sa.series.role === 'initiator' || (sa.transport !== arrival.transport && !sa.isMobike)) return false
  if (isTaken(arrival, sa)) {
    core.count('ike-second-sa-on-connection')
    return false
  }
  const from = sa.path ? describePath(sa.path) : sa.lastPath
  attachPath(core, sa, arrival)
  if (from && !sa.isHalfOpen) core.event({ kind: 'path-moved', ikeSa: sa.id, peer: sa.peerName, from, to: describePath(arrival) })
  return true
}

/** T-LIFE-10: a connection that another IKE SA uses is not this one's too, but while one replaces the other; pauly-03 has it otherwise. */
function isTaken(arrival: Path, sa: IkeSa): boolean {
  if (arrival.transport !== 'tcp' || arrival.connection.framing === 'pauly-03') return false
  return [...arrival.connection.ikeSas].some((other) => other.series !== sa.series)
}

/** Makes `path` the SA's path, and that of its series: what those wait for is asked there again (T-LIFE-10, T-RTX-2). */
export function attachPath(core: Core, sa: IkeSa, path: Path): void {
  attach(core, sa, path)
  for (const other of sa.series.members) {
    if (other === sa || isSamePath(other.path, path)) continue
    attach(core, other, path)
    resend(core, other)
    sendNextRequest(core, other)
  }
}

/** Keeps the connections' lists of riders right. */
function attach(core: Core, sa: IkeSa, path: Path): void {
  detachPath(core, sa)
  if (sa.transport !== path.transport) {
    // Each has its own way of waiting for an answer.
    core.timers.clear(sa, 'retransmit')
    core.timers.clear(sa, 'response')
  }
  sa.path = path
  sa.transport = path.transport
  core.timers.clear(sa, 'disconnected')
  if (path.transport === 'tcp') {
    path.connection.ikeSas.add(sa)
    core.timers.clear(path.connection, 'idle')
    keepOpen(core, path.connection)
  }
}

/** The SA has no path now. A connection that nobody rides any more is closed after a while. */
export function detachPath(core: Core, sa: IkeSa): void {
  const path = sa.path
  if (path) sa.lastPath = describePath(path)
  sa.path = undefined
  if (path?.transport !== 'tcp') return
  path.connection.ikeSas.delete(sa)
  if (path.connection.ikeSas.size === 0 && core.connections.has(path.connection.id)) becameIdle(core, path.connection)
}

/** Says Delete where that is possible, waits a little for the answer, closes (T-LIFE-1). */
export function deleteIkeSa(core: Core, sa: IkeSa, reason: string, notifyType?: number): void {
  if (sa.state.kind === 'CLOSED' || sa.state.kind === 'DELETING') return
  // A responder that answered IKE_AUTH has the SA, even where its answer is no good.
  const isKnownToPeer = !sa.isHalfOpen || sa.isIkeAuthAnswered
  if (!isKnownToPeer || !sa.path) return closeIkeSa(core, sa, reason, false)
  eraseExchange(sa.state)
  sa.state = { kind: 'DELETING', reason }
  core.timers.set(sa, 'handshake', core.now + core.config.timers.deletion)
  sendRequest(core, sa, buildIkeSaDelete(notifyType))
}

export function closeIkeSa(core: Core, sa: IkeSa, reason: string, byPeer: boolean, cameAnew?: CameAnew): void {
  if (sa.state.kind === 'CLOSED') return
  const wasHalfOpen = sa.isHalfOpen
  eraseSecrets(sa)
  sa.state = { kind: 'CLOSED' }
  for (const child of [...sa.children]) removeChild(core, child, reason)
  for (const child of [...sa.draining]) eraseChild(core, child)
  sa.creations.clear()
  core.timers.clearAll(sa)
  core.ikeSas.delete(sa.localSpi)
  core.halfOpen.remove(sa)
  core.identities.remove(sa)
  const pool = core.pools.get(sa.peerName)
  for (const address of sa.leases.splice(0)) pool?.release(address)
  const connection = sa.path?.transport === 'tcp' ? sa.path.connection : undefined
  detachPath(core, sa)
  if (!sa.isCurrent) return leaveSeries(core, sa)
  confirm(sa)
  sa.series.members.delete(sa)
  for (const other of [...sa.series.members]) closeIkeSa(core, other, reason, byPeer)
  if (!wasHalfOpen)
    core.event({
      kind: 'ike-sa-closed',
      ikeSa: sa.id,
      peer: sa.peerName,
      reason,
      byPeer,
      ...(core.config.shard && { localSpi: formatIkeSpi(sa.localSpi) }),
      ...(cameAnew === undefined ? {} : { cameAnew }),
    })
  // T-LIFE-2: who opened the connection closes it when no IKE SA is left on it.
  if (connection?.role === 'originator' && connection.ikeSas.size === 0) core.closeConnection(connection, 'end', 'no IKE SA is left on it')
  sa.initiator?.ikeSaClosed(core, sa, reason)
}

/** One that was replaced, or was not needed, is gone: nobody has to hear of it. */
function leaveSeries(core: Core, sa: IkeSa): void {
  const { members, current } = sa.series
  // The other end has what replaced this one.
  confirm(current)
  members.delete(sa)
  sendNextRequest(core, current)
}

/** The other end has this IKE SA, which we answered with: it is what is kept up now, and asked on. */
export function confirm(sa: IkeSa): void {
  sa.isUnconfirmed = false
  if (!sa.isCurrent) return
  for (const other of sa.series.members) {
    if (other === sa) continue
    other.initiator?.rekeyed(other, sa)
    other.initiator = undefined
  }
}

function authenticate(core: Core, sa: IkeSa, effect: Extract<Effect, { kind: 'authenticated' }>): void {
  const { peer, remoteId, eapIdentity, grant } = effect.verified
  const pool = core.pools.get(peer.name)
  sa.peer = peer
  sa.remoteId = remoteId
  sa.eapIdentity = eapIdentity
  sa.sessionEndsAt = grant?.sessionTimeout === undefined ? undefined : core.now + grant.sessionTimeout * 1_000
  sa.isMobike = effect.isMobike
  sa.additionalAddresses = effect.additionalAddresses
  sa.pathChecks = effect.hasPathChecks ? { last: undefined, out: undefined } : undefined
  sa.addresses = effect.addresses
  for (const offer of effect.leases) {
    pool?.take(offer)
    sa.leases.push(offer.address)
  }
}

export function makeRoom(core: Core, sa: IkeSa, supernumerary: readonly IkeSa[]): void {
  for (const other of supernumerary) {
    core.count('limit-maxIkeSasPerIdentity')
    core.event({ kind: 'limit-reached', limit: 'maxIkeSasPerIdentity', remote: sa.path && remoteOf(sa.path) })
    deleteIkeSa(core, other, 'too many IKE SAs of one identity (limits.maxIkeSasPerIdentity)')
  }
}

function establish(core: Core, sa: IkeSa): void {
  const { suite, path, peer, remoteId } = sa
  core.halfOpen.remove(sa)
  core.identities.add(sa)
  core.timers.clear(sa, 'handshake')
  core.timers.set(sa, 'liveness', core.now + (sa.livenessPeriod ?? core.config.timers.liveness))
  sa.establishedAt = core.now
  startIkeLifetime(core, sa)
  startSession(core, sa)
  keepNatMapping(core, sa)
  if (!suite || !path || !peer || !remoteId) return
  core.event({
    kind: 'ike-sa-established',
    ikeSa: sa.id,
    peer: peer.name,
    role: sa.role,
    localId: describeIdentity(peer.localId),
    remoteId: describeIdentity(remoteId),
    ...(sa.eapIdentity !== undefined && { eapIdentity: sa.eapIdentity }),
    proposal: describeIkeSuite(suite),
    path: describePath(path),
    ...(core.config.shard && {
      localSpi: formatIkeSpi(sa.localSpi),
      isInitialContact: sa.isInitialContact,
      begunMillisecondsAgo: core.now - sa.begunAt,
    }),
  })
}

export function startSession(core: Core, sa: IkeSa): void {
  if (sa.sessionEndsAt !== undefined) core.timers.set(sa, 'session', sa.sessionEndsAt)
}

function forgetOthers(core: Core, sa: IkeSa): void {
  sa.isInitialContact = true
  if (!sa.peer || !sa.remoteId) return
  for (const other of core.identities.of(sa.peer, sa.remoteId, sa.eapIdentity))
    if (other !== sa) closeForNewcomer(core, other, sa.eapIdentity ?? describeIdentity(sa.remoteId), sa.path && remoteOf(sa.path))
}

/** Without a word to the old one: it is lost, says the peer (RFC 7296 §2.4). Two machines with one identity each say that of the other. */
export function closeForNewcomer(core: Core, other: IkeSa, identity: string, from: Endpoint | undefined): void {
  if (!from) return closeIkeSa(core, other, `${identity} came anew (INITIAL_CONTACT)`, true)
  const before = other.path ? remoteOf(other.path) : other.lastPath?.remote
  closeIkeSa(core, other, `${identity} came anew from ${describeEndpoint(from)} (INITIAL_CONTACT)`, true, { from, before })
}
