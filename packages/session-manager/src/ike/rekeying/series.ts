/**
 * One IKE SA takes the place of another (RFC 7296 §2.8, §2.18): the new one inherits the Child SAs, the addresses and the path, and the Delete of
 * the old one is the last that is asked on it. Where both ends rekeyed at once the new ones contend until it is known which stays (§2.8.2).
 */
import { rekeySkeyseed } from '@underpass/ike-crypto'
import type { IkeSuite } from '../../config.ts'
import type { Core } from '../../core.ts'
import { startIkeLifetime } from '../../lifetimes.ts'
import { SessionError } from '../../session-error.ts'
import { formatIkeSpi, IkeSa } from '../ike-sa.ts'
import { attachPath, closeIkeSa, confirm, deleteIkeSa, keepNatMapping, startSession } from '../ike-sa-life.ts'
import { buildIkeSaDelete } from '../informational-requests.ts'
import type { RequestPlan } from '../message-window.ts'
import { protectionFor } from '../protection.ts'
import { checkRoutability } from '../return-routability.ts'
import type { Effect } from '../step.ts'
import { sendNextRequest, sendRequest } from '../transmission.ts'
import { ikeCreationOf } from './creation.ts'

/** What the exchange agreed on. */
export interface SuccessorTerms {
  /** Ours in it: the initiator of the exchange is the new SA's original initiator. */
  readonly role: 'initiator' | 'responder'
  readonly localSpi: bigint
  readonly peerSpi: bigint
  readonly suite: IkeSuite
  readonly initiatorNonce: Uint8Array
  readonly responderNonce: Uint8Array
  /** Of its key exchanges, in order (RFC 9370 §2.2.4); one at least. */
  readonly sharedSecrets: readonly Uint8Array[]
}

/** It stands beside the old one, on the same path, and has nothing yet. */
export function makeSuccessor(core: Core, old: IkeSa, terms: SuccessorTerms): IkeSa {
  const { role, localSpi, peerSpi, suite, initiatorNonce, responderNonce, sharedSecrets } = terms
  const [initiatorSpi, responderSpi] = role === 'initiator' ? [localSpi, peerSpi] : [peerSpi, localSpi]
  const { protection } = old
  const [sharedSecret] = sharedSecrets
  if (!protection || !sharedSecret) throw new SessionError('INVARIANT', 'bug', 'an IKE SA rekeyed without keys')
  const seed = rekeySkeyseed(protection.prf, protection.keys.skd, sharedSecret, initiatorNonce, responderNonce)
  const sa = new IkeSa({
    role,
    transport: old.transport,
    initiatorSpi,
    responderSpi,
    state: { kind: 'ESTABLISHED' },
    path: undefined,
    now: old.begunAt,
    series: old.series,
  })
  sa.suite = suite
  sa.protection = protectionFor(suite, seed, initiatorNonce, responderNonce, initiatorSpi, responderSpi)
  for (const secret of [seed, ...sharedSecrets]) secret.fill(0)
  sa.peer = old.peer
  sa.remoteId = old.remoteId
  sa.eapIdentity = old.eapIdentity
  sa.isMobike = old.isMobike
  sa.isFragmenting = old.isFragmenting
  sa.lastInboundAt = core.now
  sa.lastPath = old.lastPath
  core.ikeSas.set(sa.localSpi, sa)
  if (old.path) attachPath(core, sa, old.path)
  return sa
}

/** From now on it is the one that counts. */
export function replaceIkeSa(core: Core, old: IkeSa, successor: IkeSa): void {
  const reason = old.state.kind === 'DELETING' ? old.state.reason : undefined
  old.series.current = successor
  old.state = { kind: 'DELETING', reason: 'rekeyed' }
  handOver(core, old, successor)
  handOverRequests(core, old, successor)
  successor.establishedAt = core.now
  startTimers(core, old, successor)
  core.event({
    kind: 'ike-sa-rekeyed',
    ikeSa: successor.id,
    formerIkeSa: old.id,
    peer: successor.peerName,
    by: successor.role === 'initiator' ? 'us' : 'peer',
    ...(core.config.shard && { localSpi: formatIkeSpi(successor.localSpi), formerLocalSpi: formatIkeSpi(old.localSpi) }),
  })
  successor.initiator = old.initiator
  if (!successor.isUnconfirmed) confirm(successor)
  // It was to be deleted, when the answer came that made another of it.
  if (reason !== undefined) return deleteIkeSa(core, successor, reason)
  sendNextRequest(core, successor)
}

/** The last that is asked on it (§2.8). */
export function endIkeSa(core: Core, sa: IkeSa, reason: string): void {
  sa.state = { kind: 'DELETING', reason }
  core.timers.set(sa, 'replaced', core.now + core.config.timers.replaced)
  sendRequest(core, sa, buildIkeSaDelete())
}

/** Theirs, which we answered while ours was out, stands for the old one now. */
export function yieldTo(core: Core, contender: IkeSa): void {
  const { current } = contender.series
  const ours = ikeCreationOf(current)
  if (ours) current.creations.delete(ours)
  replaceIkeSa(core, current, contender)
}

/** A request on one that contends, other than its Delete: its maker knows of no other (§2.8.2). */
export function isUsed(sa: IkeSa, isDelete: boolean): boolean {
  return !sa.isCurrent && sa.state.kind === 'ESTABLISHED' && !isDelete
}

/** The peer deletes the IKE SA: where it has rekeyed it, and we meanwhile, too, then ours is forgotten (§2.8.2). */
export function beforeDeletion(sa: IkeSa): readonly Effect[] {
  const rival = sa.isCurrent ? ikeCreationOf(sa)?.rival?.sa : undefined
  return rival && isContending(rival) ? [{ kind: 'rekeying', apply: (core) => yieldTo(core, rival) }] : []
}

export function isContending(sa: IkeSa): boolean {
  return !sa.isCurrent && sa.state.kind === 'ESTABLISHED'
}

/** Its time is over: who was replaced goes without a word, another was not rekeyed in time. */
export function endLifetime(core: Core, sa: IkeSa): void {
  if (sa.isCurrent) deleteIkeSa(core, sa, 'the lifetime of the IKE SA is over, and it was not rekeyed')
  else closeIkeSa(core, sa, 'replaced', false)
}

function handOver(core: Core, old: IkeSa, successor: IkeSa): void {
  for (const [from, to] of [
    [old.children, successor.children],
    [old.draining, successor.draining],
  ] as const) {
    for (const child of from) {
      child.ikeSa = successor
      to.add(child)
    }
    from.clear()
  }
  successor.leases = old.leases.splice(0)
  successor.addresses = old.addresses
  successor.additionalAddresses = old.additionalAddresses
  successor.nat = old.nat
  successor.routability = old.routability
  successor.fttKat = old.fttKat
  successor.livenessPeriod = old.livenessPeriod
  successor.isInitialContact = old.isInitialContact
  successor.resumedAt = old.resumedAt
  successor.owesPathProbe = old.owesPathProbe
  successor.pathChecks = old.pathChecks && { ...old.pathChecks, out: undefined }
  core.identities.replace(old, successor)
}

/** What has not been asked yet is asked on the new one; of what is out, what the answer to Delete may leave open. */
function handOverRequests(core: Core, old: IkeSa, successor: IkeSa): void {
  for (const creation of old.creations) {
    if (old.window.waiting.some((plan) => plan.creation === creation)) successor.creations.add(creation)
    // Its key pair is not made yet: begun anew.
    else if (creation.kind === 'child-sa' && creation.replaces) core.timers.set(creation.replaces, 'rekey', core.now)
  }
  old.creations.clear()
  const outstanding = old.window.outstanding?.plan
  const plans = [...(outstanding?.purpose === 'return-routability' ? [outstanding] : []), ...old.window.waiting.splice(0)]
  successor.window.waiting.push(...plans.filter(({ purpose }) => purpose !== 'delete-ike-sa' && !SAID_ANEW.has(purpose)))
  if (plans.concat(outstanding ?? []).some(({ purpose }) => purpose === 'update-sa-addresses')) successor.owesPathProbe = true
}

/** They name the IKE SA's SPIs, or are answered by whatever comes. */
const SAID_ANEW: ReadonlySet<RequestPlan['purpose']> = new Set(['update-sa-addresses', 'liveness', 'path-check'])

const ENDED = ['liveness', 'nat-keepalive', 'rekey', 'expire', 'disconnected', 'handshake', 'routability', 'session'] as const

function startTimers(core: Core, old: IkeSa, successor: IkeSa): void {
  for (const name of ENDED) core.timers.clear(old, name)
  core.timers.set(old, 'replaced', core.now + core.config.timers.replaced)
  core.timers.clear(successor, 'replaced')
  core.timers.set(successor, 'liveness', core.now + (successor.livenessPeriod ?? core.config.timers.liveness))
  startIkeLifetime(core, successor)
  successor.sessionEndsAt = old.sessionEndsAt
  startSession(core, successor)
  keepNatMapping(core, successor)
  if (successor.routability.unproven !== undefined) checkRoutability(core, successor)
  if (!successor.path && successor.series.role === 'responder')
    core.timers.set(successor, 'disconnected', core.now + core.config.timers.disconnected)
}
