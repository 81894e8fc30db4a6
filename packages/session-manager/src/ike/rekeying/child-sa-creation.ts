/**
 * Making a Child SA by CREATE_CHILD_SA, one that replaces another or one more (RFC 7296 §1.3.1, §1.3.3): the half of who asks.
 *
 *   HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr}  -->
 *                          <--  HDR, SK {SA, Nr, [KEr,] TSi, TSr}
 */
import { ExchangeType, NotifyType, notify, type Payload, ProtocolId, TransformType } from '@underpass/ike-codec'
import { isUnconfirmed, replaceChild } from '../../child/child-life.ts'
import type { ChildSa } from '../../child/child-sa.ts'
import { addressOctets, allocateEspSpi, type ChildPlan, configuredSelectors, makeChild, usableEspSuites } from '../../child/negotiation.ts'
import type { PeerConfig } from '../../config.ts'
import type { Core } from '../../core.ts'
import { readU32, u32 } from '../../octets.ts'
import { copySelectors, readEspAnswer } from '../ike-auth-initiator.ts'
import type { IkeSa } from '../ike-sa.ts'
import { NONCE_LENGTH } from '../ike-sa-init.ts'
import { applyStep } from '../ike-sa-life.ts'
import { buildChildSaDelete } from '../informational-requests.ts'
import { find, findErrorNotify, nameOfNotify } from '../payload-queries.ts'
import { espOffer, isAnswerTo, isEspSpi, NO_KEY_EXCHANGE } from '../proposals.ts'
import { afterWork, type Step } from '../step.ts'
import { areWithin, type IpSelector } from '../traffic-selectors.ts'
import { sendRequest } from '../transmission.ts'
import { type ChildCreation, compareNonces, creationReplacing, dropCreation, isBeingDeleted, isNonce, lowestOf } from './creation.ts'
import { tellRekeyed } from './events.ts'
import { keyExchangeMethods } from './pfs.ts'
import { methodAskedFor, rejectAnswer, takeRefusal, tryLater } from './refusals.ts'

/** Which packets it is for, and whose place it takes. */
type Wish = Pick<ChildCreation, 'replaces' | 'localTs' | 'remoteTs'>

/** It is time, or somebody asked for it. Nothing happens where it is under way, or the Child SA is on its way out. */
export function rekeyChildSa(core: Core, child: ChildSa): void {
  const { ikeSa: sa, localTs, remoteTs } = child
  if (sa.state.kind !== 'ESTABLISHED' || !sa.isCurrent || !sa.children.has(child) || child.successor) return
  if (isBeingDeleted(sa, child) || creationReplacing(sa, child)) return
  // Our answer that made it may be lost: to the peer there is no such Child SA yet.
  if (isUnconfirmed(child)) return core.timers.set(child, 'rekey', core.now + core.config.timers.rekeyRetry)
  createChildSa(core, sa, { replaces: child, localTs, remoteTs })
}

/** One more, for all that the configuration has between the two ends. */
export function createFurtherChildSa(core: Core, sa: IkeSa): void {
  const { peer } = sa
  if (!peer || sa.state.kind !== 'ESTABLISHED' || !sa.isCurrent) return
  const addresses = addressOctets(sa.addresses)
  const localTs = configuredSelectors(peer.localSubnets, addresses)
  const remoteTs = configuredSelectors(peer.remoteSubnets, addresses)
  if (localTs.length > 0 && remoteTs.length > 0) createChildSa(core, sa, { replaces: undefined, localTs, remoteTs })
}

/** `refusedMethods`: of key exchanges, none of which is tried again; the first that is left is in the request. */
function createChildSa(core: Core, sa: IkeSa, wish: Wish, method?: number, refusedMethods: readonly number[] = []): void {
  const { peer } = sa
  if (!peer) return
  const methods = keyExchangeMethods(sa, peer, wish.replaces)
  const inboundSpi = allocateEspSpi(core)
  const creation: ChildCreation = {
    kind: 'child-sa',
    ...wish,
    inboundSpi,
    proposals: espOffer(
      usableEspSuites(core, peer),
      u32(inboundSpi),
      peer.esn,
      methods.length === 1 && methods[0] === NO_KEY_EXCHANGE ? [] : methods,
    ),
    nonce: core.random(NONCE_LENGTH),
    method: method ?? methods.find((candidate) => candidate !== NO_KEY_EXCHANGE),
    refusedMethods,
    secret: undefined,
    isAnswered: false,
    rival: undefined,
  }
  sa.creations.add(creation)
  if (creation.method === undefined) return ask(core, sa, creation, undefined)
  core.startJob({ kind: 'ke-initiate', method: creation.method }, sa, (_core, _sa, result) => {
    // The peer was first, or the Child SA is gone.
    if (!sa.creations.has(creation)) return
    if (result.kind === 'ke-initiated') {
      creation.secret = result.secret
      return ask(core, sa, creation, result.publicValue)
    }
    dropCreation(sa, creation)
    if (wish.replaces) tryLater(core, sa, wish.replaces, result.kind === 'failed' ? result.detail : 'no key pair')
  })
}

function ask(core: Core, sa: IkeSa, creation: ChildCreation, publicValue: Uint8Array | undefined): void {
  const { replaces, proposals, nonce, method, localTs, remoteTs } = creation
  const payloads: Payload[] = [
    ...(replaces ? [notify(NotifyType.REKEY_SA, undefined, { protocol: ProtocolId.ESP, spi: u32(replaces.inboundSpi) })] : []),
    { type: 'SA', proposals },
    { type: 'Nonce', data: nonce },
    ...(publicValue ? [{ type: 'KE' as const, method: method!, data: publicValue }] : []),
    { type: 'TSi', selectors: localTs },
    { type: 'TSr', selectors: remoteTs },
  ]
  core.earlyEsp.expect(sa, creation)
  sendRequest(core, sa, { purpose: 'create-child-sa', exchangeType: ExchangeType.CREATE_CHILD_SA, payloads, creation })
}

/** The answer. */
export function handleChildSaResponse(core: Core, sa: IkeSa, inner: readonly Payload[], creation: ChildCreation): Step {
  const { peer } = sa
  const refusal = findErrorNotify(inner)
  if (refusal) return takeChildRefusal(sa, creation, refusal)
  const nonce = find(inner, 'Nonce')?.data.slice()
  const plan = readAnswer(creation, inner)
  if (!peer || !nonce || !isNonce(nonce) || typeof plan === 'string')
    return rejectAnswer(sa, creation, typeof plan === 'string' ? plan : 'the answer to CREATE_CHILD_SA has no nonce')
  creation.isAnswered = true
  const { method } = plan
  if (method === undefined) return finish(core, sa, peer, creation, plan, nonce, [])
  const work = { kind: 'ke-complete', method, secret: creation.secret!, peerPublic: find(inner, 'KE')!.data.slice() } as const
  return afterWork(work, (_core, _sa, result) => {
    // K-2: the peer has a Child SA that we cannot have.
    if (result.kind !== 'ke-completed') return rejectAnswer(sa, creation, 'the public value of the peer is no good')
    return finish(core, sa, peer, creation, plan, nonce, [result.sharedSecret])
  })
}

interface AnsweredPlan extends ChildPlan {
  /** Of the key exchange that was chosen. */
  readonly method: number | undefined
}

/** What the peer chose, or what is wrong with it. */
function readAnswer(creation: ChildCreation, inner: readonly Payload[]): AnsweredPlan | string {
  const { proposals, inboundSpi, localTs, remoteTs } = creation
  const answer = find(inner, 'SA')?.proposals
  const tsi = find(inner, 'TSi')
  const tsr = find(inner, 'TSr')
  const ke = find(inner, 'KE')
  const proposal = answer && isAnswerTo(answer, proposals) ? answer[0] : undefined
  if (!proposal || !isEspSpi(proposal.spi)) return 'the ESP proposal chosen was not on offer'
  if (!tsi || !tsr || !areWithin(tsi.selectors, localTs) || !areWithin(tsr.selectors, remoteTs))
    return 'the traffic selectors of the answer are wider than those asked for'
  const chosen = proposal.transforms.find(({ type }) => type === TransformType.KE)?.id ?? NO_KEY_EXCHANGE
  const method = chosen === NO_KEY_EXCHANGE ? undefined : chosen
  if (method !== undefined && (method !== creation.method || ke?.method !== method)) return 'the KE payload is not of the method chosen'
  return {
    inboundSpi,
    outboundSpi: readU32(proposal.spi),
    ...readEspAnswer(proposal),
    localTs: copySelectors(tsi.selectors as readonly IpSelector[]),
    remoteTs: copySelectors(tsr.selectors as readonly IpSelector[]),
    method,
  }
}

/** All shared secrets are there: those of RFC 9370's further key exchanges come behind the first. */
function finish(
  core: Core,
  sa: IkeSa,
  peer: PeerConfig,
  creation: ChildCreation,
  plan: AnsweredPlan,
  responderNonce: Uint8Array,
  sharedSecrets: readonly Uint8Array[],
): Step {
  if (!sa.creations.has(creation)) return {}
  const { replaces, rival, nonce } = creation
  dropCreation(sa, creation)
  sa.refusedSince = undefined
  const child = makeChild(
    core,
    sa,
    peer,
    { role: 'initiator', initiatorNonce: nonce, responderNonce, sharedSecrets },
    { ...plan, keyExchange: plan.method ?? replaces?.keyExchange },
  )
  for (const secret of sharedSecrets) secret.fill(0)
  const other = rival && sa.children.has(rival.child) ? rival : undefined
  // §2.8.1: the SA of the lowest of the four nonces is deleted by who asked for it, the old one by who asked for the other.
  if (other && compareNonces(lowestOf(nonce, responderNonce), other.lowestNonce) < 0) {
    return { effects: [{ kind: 'install-child', child, outbound: 'none' }, deletion(child)] }
  }
  const apply = (): void => {
    if (replaces) replaceChild(core, replaces, child)
    if (other) replaceChild(core, other.child, child)
    if (replaces) tellRekeyed(core, sa, replaces, child, 'us')
  }
  const isThere = replaces !== undefined && sa.children.has(replaces)
  return { effects: [{ kind: 'install-child', child }, { kind: 'rekeying', apply }, ...(isThere ? [deletion(replaces)] : [])] }
}

function deletion(child: ChildSa): NonNullable<Step['effects']>[number] {
  return { kind: 'request', plan: buildChildSaDelete([child]) }
}

function takeChildRefusal(sa: IkeSa, creation: ChildCreation, refusal: Extract<Payload, { type: 'N' }>): Step {
  const { replaces, rival, localTs, remoteTs } = creation
  dropCreation(sa, creation)
  // §2.8.1: the peer has rekeyed it, and knows of no collision.
  if (rival) return {}
  const method = methodAskedFor(creation, refusal)
  const refusedMethods = [...creation.refusedMethods, ...(creation.method === undefined ? [] : [creation.method])]
  if (method !== undefined)
    return {
      effects: [{ kind: 'rekeying', apply: (core) => createChildSa(core, sa, { replaces, localTs, remoteTs }, method, refusedMethods) }],
    }
  if (refusal.notifyType === NotifyType.CHILD_SA_NOT_FOUND && replaces) return beginAnew(sa, replaces)
  const isLast = replaces !== undefined && !sa.children.has(replaces) && sa.children.size === 0
  if (isLast) return { effects: [{ kind: 'rekeying', apply: (core) => sa.initiator?.childrenGone(core, sa, 'deleted by the peer') }] }
  return takeRefusal(sa, replaces, refusal.notifyType, `the peer refused CREATE_CHILD_SA: ${nameOfNotify(refusal.notifyType)}`)
}

/** §2.25: the peer does not have it. It goes, without a word, and another is asked for where nothing else is for its packets. */
function beginAnew(sa: IkeSa, gone: ChildSa): Step {
  const { localTs, remoteTs } = gone
  const isCovered = [...sa.children].some(
    (child) => child !== gone && areWithin(localTs, child.localTs) && areWithin(remoteTs, child.remoteTs),
  )
  const apply = (core: Core): void => {
    if (!isCovered) createChildSa(core, sa, { replaces: undefined, localTs, remoteTs })
    if (sa.children.has(gone))
      applyStep(core, sa, { effects: [{ kind: 'remove-child', child: gone, reason: 'the peer does not have it' }] })
  }
  return { effects: [{ kind: 'rekeying', apply }] }
}
