/**
 * IKE_AUTH with a shared secret (RFC 7296 §1.2, §2.15): proves both ends and makes the first Child SA.
 *
 *   HDR, SK {IDi, [N(INITIAL_CONTACT),] [IDr,] AUTH, [CP(CFG_REQUEST),] SAi2, TSi, TSr}  -->
 *                      <--  HDR, SK {IDr, AUTH, [CP(CFG_REPLY),] SAr2, TSi, TSr}
 */
import { CfgType, ExchangeType, NotifyType, notify, type Payload, type PayloadOf, type Proposal, TransformType } from '@underpass/ike-codec'
import type { ChildSa } from '../child/child-sa.ts'
import {
  addressOctets,
  allocateEspSpi,
  anyAddressSelectors,
  configuredSelectors,
  makeFirstChild,
  usableEspSuites,
} from '../child/negotiation.ts'
import type { EspSuite, Identity, PeerConfig } from '../config.ts'
import type { Core } from '../core.ts'
import { formatAddress } from '../ip-address.ts'
import { readU32, u32 } from '../octets.ts'
import { notifyFor, SessionError } from '../session-error.ts'
import { authPayload, type VerifiedPeer, verifyPsk } from './authentication.ts'
import { configurationReply, configurationRequest, readConfigurationReply, requestedFamilies } from './configuration.ts'
import { describeIdentity, isSameIdentity } from './identification.ts'
import type { ChildOffer, IkeSa, InitRecord } from './ike-sa.ts'
import type { RequestPlan } from './message-window.ts'
import { mobikeSupport } from './mobike.ts'
import { find, findErrorNotify, findNotify, nameOfNotify } from './payload-queries.ts'
import { chooseEspProposal, espOffer, isAnswerTo, isEspSpi } from './proposals.ts'
import type { AuthenticatedMessage, Protection } from './protection.ts'
import type { Effect, Step } from './step.ts'
import { areWithin, type IpSelector, narrowTrafficSelectors } from './traffic-selectors.ts'

/** The initiator's request. `isFirstContact`: no other IKE SA with this peer is known here (RFC 7296 §2.4). */
export function buildIkeAuthRequest(
  core: Core,
  peer: PeerConfig,
  protection: Protection,
  record: InitRecord,
  isFirstContact: boolean,
): { plan: RequestPlan; child: ChildOffer } {
  const inboundSpi = allocateEspSpi(core)
  const proposals = espOffer(usableEspSuites(core, peer), u32(inboundSpi), peer.esn)
  const configuration = configurationRequest(peer)
  const payloads: Payload[] = [
    { type: 'IDi', ...peer.localId },
    ...(isFirstContact ? [notify(NotifyType.INITIAL_CONTACT)] : []),
    ...(peer.remoteId ? [{ type: 'IDr' as const, ...peer.remoteId }] : []),
    authPayload(protection, record, 'initiator', peer.localId, peer.psk),
    ...(configuration ? [configuration] : []),
    { type: 'SA', proposals },
    { type: 'TSi', selectors: initiatorSelectors(peer) },
    { type: 'TSr', selectors: configuredSelectors(peer.remoteSubnets === 'virtual' ? [] : peer.remoteSubnets, []) },
    ...mobikeSupport(),
  ]
  return { plan: { purpose: 'ike-auth', exchangeType: ExchangeType.IKE_AUTH, payloads }, child: { inboundSpi, proposals } }
}

/** The responder's answer: who is it, is it true, and what may pass. */
export function answerIkeAuthRequest(core: Core, sa: IkeSa, message: AuthenticatedMessage): Step {
  const { protection, state } = sa
  if (!protection || state.kind !== 'IKE_SA_INIT_ANSWERED') throw new SessionError('INVARIANT', 'bug', `IKE_AUTH in state ${state.kind}`)
  const { inner } = message
  const idi = find(inner, 'IDi')!
  const remoteId: Identity = { idType: idi.idType, data: idi.data.slice() }
  const candidates = candidatesFor(core, remoteId, find(inner, 'IDr'))
  const auth = find(inner, 'AUTH')
  const peer =
    auth &&
    candidates
      .map((candidate) => verifyPsk(protection, state.record, 'responder', remoteId, auth, candidate))
      .find((found) => found !== undefined)
  if (!peer) return refuseAuthentication(sa, remoteId, candidates, auth)

  const reply: Payload[] = [
    { type: 'IDr', ...peer.peer.localId },
    authPayload(protection, state.record, 'responder', peer.peer.localId, peer.peer.psk),
  ]
  sa.peer = peer.peer
  sa.remoteId = peer.remoteId
  const mobike = mobikeSupport(inner)
  sa.isMobike = mobike.length > 0
  const effects: Effect[] = findNotify(inner, NotifyType.INITIAL_CONTACT)
    ? [{ kind: 'forget-others' }, { kind: 'established' }]
    : [{ kind: 'established' }]
  try {
    const { child, payloads } = answerFirstChild(core, sa, peer, state.record, inner)
    return {
      to: { kind: 'ESTABLISHED' },
      reply: [...reply, ...payloads, ...mobike],
      effects: [...effects, { kind: 'install-child', child }],
    }
  } catch (error) {
    // The IKE SA stands even where no Child SA could be made (RFC 7296 §1.2).
    if (!(error instanceof SessionError) || error.blame !== 'incompatible') throw error
    const refusal = notifyFor(error)!
    const event = {
      kind: 'handshake-failed',
      ikeSa: sa.id,
      peer: peer.peer.name,
      detail: error.message,
      notify: nameOfNotify(refusal.notifyType),
    } as const
    return {
      to: { kind: 'ESTABLISHED' },
      reply: [...reply, notify(refusal.notifyType, refusal.data)],
      effects: [...effects, { kind: 'event', event }],
    }
  }
}

/** The initiator, on the answer. */
export function handleIkeAuthResponse(core: Core, sa: IkeSa, message: AuthenticatedMessage): Step {
  const { protection, peer, state } = sa
  if (!protection || !peer || state.kind !== 'IKE_AUTH_SENT')
    throw new SessionError('INVARIANT', 'bug', `IKE_AUTH response in state ${state.kind}`)
  const { inner } = message
  const idr = find(inner, 'IDr')
  const auth = find(inner, 'AUTH')
  const refusal = findErrorNotify(inner)
  if (!idr || !auth) return refusedByResponder(sa, peer, refusal)
  const remoteId: Identity = { idType: idr.idType, data: idr.data.slice() }
  if (peer.remoteId && !isSameIdentity(peer.remoteId, remoteId))
    return distrust(
      sa,
      peer,
      remoteId,
      `the gateway says it is ${describeIdentity(remoteId)}, the configuration names ${describeIdentity(peer.remoteId)}`,
    )
  const verifiedPeer = verifyPsk(protection, state.record, 'initiator', remoteId, auth, peer)
  if (!verifiedPeer)
    return distrust(
      sa,
      peer,
      remoteId,
      `the AUTH payload of ${describeIdentity(remoteId)} does not verify: the two ends have different keys`,
    )
  sa.remoteId = verifiedPeer.remoteId
  sa.isMobike = mobikeSupport(inner).length > 0
  if (refusal) {
    const detail = `the gateway refused the Child SA: ${nameOfNotify(refusal.notifyType)}`
    return {
      to: { kind: 'ESTABLISHED' },
      effects: [
        {
          kind: 'event',
          event: { kind: 'handshake-failed', ikeSa: sa.id, peer: peer.name, detail, notify: nameOfNotify(refusal.notifyType) },
        },
        { kind: 'delete', reason: detail },
      ],
    }
  }
  return acceptFirstChild(core, sa, verifiedPeer, state, inner)
}

function answerFirstChild(
  core: Core,
  sa: IkeSa,
  { peer, remoteId }: VerifiedPeer,
  record: InitRecord,
  inner: readonly Payload[],
): { child: ChildSa; payloads: Payload[] } {
  const request = findConfiguration(inner, CfgType.CFG_REQUEST)
  const pool = peer.pool
  if (peer.remoteSubnets === 'virtual' && !request)
    throw new SessionError('FAILED_CP_REQUIRED', 'incompatible', 'an inner address is handed out here and none was asked for')
  const offered = find(inner, 'SA')!
  const inboundSpi = allocateEspSpi(core)
  const chosen = chooseEspProposal(offered.proposals, usableEspSuites(core, peer), peer.esn, u32(inboundSpi))
  if (!chosen) throw new SessionError('NO_PROPOSAL_CHOSEN', 'incompatible', 'none of the ESP proposals fits the configuration')
  const leased =
    request && pool
      ? leaseAddresses(core, sa, peer, describeIdentity(remoteId), request, findNotify(inner, NotifyType.INITIAL_CONTACT) !== undefined)
      : []
  const remoteTs = narrowTrafficSelectors(find(inner, 'TSi')!.selectors, configuredSelectors(peer.remoteSubnets, leased))
  const localTs = narrowTrafficSelectors(find(inner, 'TSr')!.selectors, configuredSelectors(peer.localSubnets, []))
  if (remoteTs.length === 0 || localTs.length === 0)
    throw new SessionError('TS_UNACCEPTABLE', 'incompatible', 'the traffic selectors do not meet the configuration')
  const outboundSpi = readU32(chosen.peerSpi)
  const child = makeFirstChild(core, sa, peer, record, { inboundSpi, outboundSpi, suite: chosen.suite, esn: chosen.esn, localTs, remoteTs })
  return {
    child,
    payloads: [
      ...(pool && leased.length > 0 ? [configurationReply(leased, pool)] : []),
      { type: 'SA', proposals: [chosen.proposal] },
      { type: 'TSi', selectors: remoteTs },
      { type: 'TSr', selectors: localTs },
    ],
  }
}

/** One address for each family that is asked for and that the pool has; INTERNAL_ADDRESS_FAILURE where none can be had at all. */
function leaseAddresses(
  core: Core,
  sa: IkeSa,
  peer: PeerConfig,
  owner: string,
  request: PayloadOf<'CP'>,
  isFirstContact: boolean,
): Uint8Array[] {
  const pool = core.pools.get(peer.name)
  const wanted = requestedFamilies(request).filter(({ family }) => pool?.hasFamily(family))
  const leased = wanted.flatMap(({ family, hint }) => pool?.lease(owner, family, hint, isFirstContact) ?? [])
  sa.leases = leased
  sa.addresses = leased.map((address) => ({ address: formatAddress(address), prefixLength: address.length * 8 }))
  if (leased.length === 0)
    throw new SessionError(
      'INTERNAL_ADDRESS_FAILURE',
      'incompatible',
      wanted.length === 0 ? 'no inner address of the family asked for is configured' : 'the address pool is exhausted',
    )
  return leased
}

function acceptFirstChild(
  core: Core,
  sa: IkeSa,
  { peer, remoteId }: VerifiedPeer,
  { record, child: offer }: { record: InitRecord; child: ChildOffer },
  inner: readonly Payload[],
): Step {
  const answer = find(inner, 'SA')
  const tsi = find(inner, 'TSi')
  const tsr = find(inner, 'TSr')
  const reject = (detail: string): Step => ({
    to: { kind: 'ESTABLISHED' },
    effects: [
      { kind: 'event', event: { kind: 'handshake-failed', ikeSa: sa.id, peer: peer.name, detail } },
      { kind: 'delete', reason: detail },
    ],
  })
  if (!answer || !tsi || !tsr) return reject('the gateway made no Child SA and did not say why')
  const proposal = answer.proposals[0]
  if (!proposal || !isEspSpi(proposal.spi) || !isAnswerTo(answer.proposals, offer.proposals))
    return reject('the ESP proposal chosen was not on offer')
  if (!areWithin(tsi.selectors, initiatorSelectors(peer)) || !areWithin(tsr.selectors, configuredSelectors(peer.remoteSubnets, [])))
    return reject('the traffic selectors of the answer are wider than those asked for')
  // C-25: an answer to what was not asked is none.
  const cp = peer.requestAddresses.length > 0 ? findConfiguration(inner, CfgType.CFG_REPLY) : undefined
  const configuration = cp && readConfigurationReply(cp)
  if (peer.requestAddresses.length > 0 && !configuration?.addresses.length) return reject('the gateway assigned no inner address')
  const assigned = addressOctets(configuration?.addresses ?? [])
  const localTs = copySelectors(
    peer.localSubnets === 'virtual'
      ? narrowTrafficSelectors(tsi.selectors, configuredSelectors('virtual', assigned))
      : (tsi.selectors as readonly IpSelector[]),
  )
  if (localTs.length === 0) return reject('the traffic selectors of the answer do not hold the address assigned')
  const { suite, esn } = readEspAnswer(proposal)
  const child = makeFirstChild(core, sa, peer, record, {
    inboundSpi: offer.inboundSpi,
    outboundSpi: readU32(proposal.spi),
    suite,
    esn,
    localTs,
    remoteTs: copySelectors(tsr.selectors as readonly IpSelector[]),
  })
  sa.addresses = configuration?.addresses ?? []
  sa.remoteId = remoteId
  const assignedEvent: Effect[] = configuration
    ? [{ kind: 'event', event: { kind: 'addresses-assigned', ikeSa: sa.id, peer: peer.name, ...configuration } }]
    : []
  return { to: { kind: 'ESTABLISHED' }, effects: [{ kind: 'established' }, ...assignedEvent, { kind: 'install-child', child }] }
}

/** The peers whose identities fit, those that name the identity first. */
function candidatesFor(core: Core, remoteId: Identity, idr: Identity | undefined): PeerConfig[] {
  const fitting = core.config.peers.filter((peer) => peer.remoteId === undefined || isSameIdentity(peer.remoteId, remoteId))
  const rank = (peer: PeerConfig): number => (peer.remoteId ? 0 : 2) + (idr === undefined || isSameIdentity(peer.localId, idr) ? 0 : 1)
  return fitting.toSorted((a, b) => rank(a) - rank(b))
}

function refuseAuthentication(sa: IkeSa, remoteId: Identity, candidates: readonly PeerConfig[], auth: PayloadOf<'AUTH'> | undefined): Step {
  const detail =
    candidates.length === 0
      ? 'no connection of the configuration is for this identity'
      : auth === undefined
        ? 'it asks for EAP, which is not offered here'
        : auth.method === 2
          ? 'its AUTH payload does not verify: the two ends have different keys'
          : `it authenticates by method ${auth.method}, a shared key is wanted`
  const localId = candidates[0] ? describeIdentity(candidates[0].localId) : ''
  return {
    to: { kind: 'IKE_AUTH_REFUSED' },
    reply: [notify(NotifyType.AUTHENTICATION_FAILED)],
    effects: [
      { kind: 'event', event: { kind: 'authentication-failed', ikeSa: sa.id, localId, remoteId: describeIdentity(remoteId), detail } },
    ],
    // Over UDP the answer may be lost: until the handshake's time is over it is there to be said again (C-2).
    ...(sa.transport === 'tcp' ? { afterReply: [{ kind: 'close', reason: 'authentication failed', byPeer: false }] as const } : {}),
  }
}

function refusedByResponder(sa: IkeSa, peer: PeerConfig, refusal: PayloadOf<'N'> | undefined): Step {
  const reason = refusal ? nameOfNotify(refusal.notifyType) : 'an IKE_AUTH response without IDr and AUTH'
  const localId = describeIdentity(peer.localId)
  const remoteId = peer.remoteId ? describeIdentity(peer.remoteId) : 'the gateway'
  const effect: Effect =
    refusal?.notifyType === NotifyType.AUTHENTICATION_FAILED
      ? {
          kind: 'event',
          event: {
            kind: 'authentication-failed',
            ikeSa: sa.id,
            localId,
            remoteId,
            detail: `${remoteId} refused ${localId}: identity or key is not what it expects`,
          },
        }
      : {
          kind: 'event',
          event: {
            kind: 'handshake-failed',
            ikeSa: sa.id,
            peer: peer.name,
            detail: `${remoteId} refused IKE_AUTH: ${reason}`,
            ...(refusal ? { notify: reason } : {}),
          },
        }
  return { effects: [effect, { kind: 'close', reason: `refused: ${reason}`, byPeer: true }] }
}

/** We do not believe them: say so in an INFORMATIONAL of its own, then forget the SA (RFC 7296 §2.21.2). */
function distrust(sa: IkeSa, peer: PeerConfig, remoteId: Identity, detail: string): Step {
  const event = {
    kind: 'authentication-failed',
    ikeSa: sa.id,
    localId: describeIdentity(peer.localId),
    remoteId: describeIdentity(remoteId),
    detail,
  } as const
  return {
    to: { kind: 'ESTABLISHED' },
    effects: [
      { kind: 'event', event },
      { kind: 'delete', reason: 'authentication failed', notifyType: NotifyType.AUTHENTICATION_FAILED },
    ],
  }
}

function initiatorSelectors(peer: PeerConfig): IpSelector[] {
  return peer.localSubnets === 'virtual' ? anyAddressSelectors(peer.requestAddresses) : configuredSelectors(peer.localSubnets, [])
}

function readEspAnswer(proposal: Proposal): { suite: EspSuite; esn: boolean } {
  const idOf = (type: number): number | undefined => proposal.transforms.find((transform) => transform.type === type)?.id
  const encryption = proposal.transforms.find((transform) => transform.type === TransformType.ENCR)
  const integrity = idOf(TransformType.INTEG)
  return {
    suite: { encryption: encryption?.id ?? 0, keyLength: encryption?.keyLength, integrity: integrity === 0 ? undefined : integrity },
    esn: idOf(TransformType.SN) === 1,
  }
}

function findConfiguration(inner: readonly Payload[], cfgType: number): PayloadOf<'CP'> | undefined {
  return inner.find((payload): payload is PayloadOf<'CP'> => payload.type === 'CP' && payload.cfgType === cfgType)
}

/** Decoded selectors are views into a message that will be gone. */
function copySelectors(selectors: readonly IpSelector[]): IpSelector[] {
  return selectors.map((selector) => ({
    ...selector,
    startAddress: selector.startAddress.slice(),
    endAddress: selector.endAddress.slice(),
  }))
}
