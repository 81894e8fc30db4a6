/**
 * IKE_AUTH, the initiator's half (RFC 7296 §1.2, §2.15): proves who we are, believes the responder or not, takes
 * the first Child SA.
 *
 *   HDR, SK {IDi, [N(INITIAL_CONTACT),] [IDr,] AUTH, [CP(CFG_REQUEST),] SAi2, TSi, TSr}  -->
 */
import {
  CfgType,
  ExchangeType,
  NotifyType,
  notify,
  type Payload,
  type PayloadOf,
  type Proposal,
  SequenceNumbers,
  TransformType,
} from '@underpass/ike-codec'
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
import type { AssignedAddress } from '../events.ts'
import { readU32, u32 } from '../octets.ts'
import { SessionError } from '../session-error.ts'
import { mismatchWords, type VerifiedPeer, verifyAuth } from './authentication.ts'
import { configurationRequest, readConfigurationReply, readTunnelTimes } from './configuration.ts'
import { describeIdentity, isSameIdentity } from './identification.ts'
import type { ChildOffer, IkeSa, InitRecord } from './ike-sa.ts'
import { whyNoAddress } from './internal-names.ts'
import type { RequestPlan } from './message-window.ts'
import { mobikeSupport, readAdditionalAddresses } from './mobike.ts'
import { hasPathCheckVendorId, pathCheckVendorId } from './path-check.ts'
import { find, findConfiguration, findErrorNotify, nameOfNotify } from './payload-queries.ts'
import { makeAuthWithPpk, settlePpk } from './ppk.ts'
import { espOffer, isAnswerTo, isEspSpi } from './proposals.ts'
import type { AuthenticatedMessage } from './protection.ts'
import { crashToken } from './quick-crash-detection.ts'
import { certificateRequests, certificatesOf } from './signature-support.ts'
import type { Effect, Step } from './step.ts'
import { areWithin, type IpSelector, narrowTrafficSelectors } from './traffic-selectors.ts'

/** The initiator has the keys, and leave to go on: it proves who it is and asks for the first Child SA. */
export function beginIkeAuth(core: Core, sa: IkeSa): Step {
  const { peer, state } = sa
  if (!peer || state.kind !== 'KEYS_READY') throw new SessionError('INVARIANT', 'bug', `IKE_AUTH is begun in state ${state.kind}`)
  const { record } = state
  if (peer.auth.local.kind === 'eap') return sendIkeAuthRequest(core, sa, peer, record, undefined, eapOnlySupport(peer))
  const step = makeAuthWithPpk(sa, record, peer, (auth, why, more) =>
    auth ? sendIkeAuthRequest(core, sa, peer, record, auth, more) : cannotProve(sa, peer, why),
  )
  return step.job ? { to: { kind: 'AUTH_MAKE', record }, ...step } : step
}

function sendIkeAuthRequest(
  core: Core,
  sa: IkeSa,
  peer: PeerConfig,
  record: InitRecord,
  auth: PayloadOf<'AUTH'> | undefined,
  more: readonly Payload[],
): Step {
  const isFirstContact = ![...core.ikeSas.values()].some(
    (other) => other !== sa && other.peer === peer && other.state.kind === 'ESTABLISHED',
  )
  const { plan, child } = buildIkeAuthRequest(core, peer, auth, isFirstContact, sa.initiator?.assigned ?? [])
  const payloads = [...plan.payloads, ...more, ...crashToken(core, sa)]
  const kind = auth ? 'IKE_AUTH_SENT' : 'EAP_ASKED'
  return { to: { kind, record, child }, effects: [{ kind: 'request', plan: { ...plan, payloads } }] }
}

/** RFC 5998 §3: whoever can do without the responder's signature says so. */
function eapOnlySupport({ auth }: PeerConfig): Payload[] {
  return auth.remote.kind === 'eap-only' ? [notify(NotifyType.EAP_ONLY_AUTHENTICATION)] : []
}

/**
 * The initiator's request, without `auth` where it asks for EAP. `isFirstContact`: no other IKE SA with this peer is known here (RFC 7296 §2.4).
 * `formerAddresses`: what the peer assigned before, and is asked for again.
 */
function buildIkeAuthRequest(
  core: Core,
  peer: PeerConfig,
  auth: PayloadOf<'AUTH'> | undefined,
  isFirstContact: boolean,
  formerAddresses: readonly AssignedAddress[],
): { plan: RequestPlan; child: ChildOffer } {
  const inboundSpi = allocateEspSpi(core)
  const proposals = espOffer(usableEspSuites(core, peer), u32(inboundSpi), peer.esn)
  const configuration = configurationRequest(peer, formerAddresses)
  const payloads: Payload[] = [
    { type: 'IDi', ...peer.localId },
    ...certificatesOf(peer),
    ...certificateRequests(peer),
    ...(isFirstContact ? [notify(NotifyType.INITIAL_CONTACT)] : []),
    ...(peer.remoteId ? [{ type: 'IDr' as const, ...peer.remoteId }] : []),
    ...(auth ? [auth] : []),
    ...(configuration ? [configuration] : []),
    { type: 'SA', proposals },
    { type: 'TSi', selectors: initiatorSelectors(peer) },
    { type: 'TSr', selectors: configuredSelectors(peer.remoteSubnets === 'virtual' ? [] : peer.remoteSubnets, []) },
    ...mobikeSupport(),
    ...pathCheckVendorId(peer),
  ]
  return { plan: { purpose: 'ike-auth', exchangeType: ExchangeType.IKE_AUTH, payloads }, child: { inboundSpi, proposals } }
}

/** The initiator, on the answer. */
export function handleIkeAuthResponse(core: Core, sa: IkeSa, message: AuthenticatedMessage): Step {
  const { peer, state } = sa
  if (!peer || state.kind !== 'IKE_AUTH_SENT') throw new SessionError('INVARIANT', 'bug', `IKE_AUTH response in state ${state.kind}`)
  const { inner } = message
  const idr = find(inner, 'IDr')
  const auth = find(inner, 'AUTH')
  if (!idr || !auth) return refusedByResponder(sa, peer, findErrorNotify(inner))
  const remoteId: Identity = { idType: idr.idType, data: idr.data.slice() }
  const stranger = otherName(sa, peer, remoteId)
  if (stranger) return stranger
  const step = settlePpk(sa, peer, inner, () =>
    verifyAuth(sa, state.record, { remoteId, auth, inner }, [peer], (verified, why) =>
      verified
        ? acceptResponder(core, sa, verified, state, inner)
        : distrust(
            sa,
            peer,
            remoteId,
            `the AUTH payload of ${describeIdentity(remoteId)} does not verify: ${why || mismatchWords(peer, auth)}`,
          ),
    ),
  )
  return step ?? distrust(sa, peer, remoteId, `${describeIdentity(remoteId)} did without the PPK, which is required`)
}

/** A responder with another name than the configuration has for it is not believed. */
export function otherName(sa: IkeSa, peer: PeerConfig, remoteId: Identity): Step | undefined {
  if (!peer.remoteId || isSameIdentity(peer.remoteId, remoteId)) return undefined
  const [said, wanted] = [describeIdentity(remoteId), describeIdentity(peer.remoteId)]
  return distrust(sa, peer, remoteId, `the gateway says it is ${said}, the configuration names ${wanted}`)
}

/** It is who it says. */
export function acceptResponder(
  core: Core,
  sa: IkeSa,
  verified: VerifiedPeer,
  asked: { record: InitRecord; child: ChildOffer },
  inner: readonly Payload[],
): Step {
  const { peer } = verified
  const refusal = findErrorNotify(inner)
  const isMobike = mobikeSupport(inner).length > 0
  const authenticated = (addresses: readonly AssignedAddress[]): Effect => ({
    kind: 'authenticated',
    verified,
    isMobike,
    additionalAddresses: (isMobike && readAdditionalAddresses(inner)) || [],
    hasPathChecks: peer.pathChecks !== false && hasPathCheckVendorId(inner),
    addresses,
    leases: [],
  })
  if (refusal) {
    const why = refusal.notifyType === NotifyType.INTERNAL_ADDRESS_FAILURE ? whyNoAddress(peer.requestAddresses, inner) : undefined
    const detail = `the gateway refused the Child SA: ${nameOfNotify(refusal.notifyType)}${why === undefined ? '' : `; ${why}`}`
    return {
      to: { kind: 'ESTABLISHED' },
      effects: [
        authenticated([]),
        {
          kind: 'event',
          event: { kind: 'handshake-failed', ikeSa: sa.id, peer: peer.name, detail, notify: nameOfNotify(refusal.notifyType) },
        },
        { kind: 'delete', reason: detail },
      ],
    }
  }
  return acceptFirstChild(core, sa, peer, asked, inner, authenticated)
}

function acceptFirstChild(
  core: Core,
  sa: IkeSa,
  peer: PeerConfig,
  { record, child: offer }: { record: InitRecord; child: ChildOffer },
  inner: readonly Payload[],
  authenticated: (addresses: readonly AssignedAddress[]) => Effect,
): Step {
  const answer = find(inner, 'SA')
  const tsi = find(inner, 'TSi')
  const tsr = find(inner, 'TSr')
  const reject = (detail: string): Step => ({
    to: { kind: 'ESTABLISHED' },
    effects: [
      authenticated([]),
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
  const assignedEvent: Effect[] = configuration
    ? [{ kind: 'event', event: { kind: 'addresses-assigned', ikeSa: sa.id, peer: peer.name, ...configuration } }]
    : []
  return {
    to: { kind: 'ESTABLISHED' },
    effects: [
      authenticated(configuration?.addresses ?? []),
      ...readTunnelTimes(peer, cp),
      { kind: 'established' },
      ...assignedEvent,
      { kind: 'install-child', child },
    ],
  }
}

/** `missing`: what its answer is without, where it says no reason. */
export function refusedByResponder(sa: IkeSa, peer: PeerConfig, refusal: PayloadOf<'N'> | undefined, missing = 'IDr and AUTH'): Step {
  const reason = refusal ? nameOfNotify(refusal.notifyType) : `an IKE_AUTH response without ${missing}`
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
  // Without a refusal the responder has the SA: it is told that we have not.
  if (!refusal) return { effects: [effect, { kind: 'delete', reason, notifyType: NotifyType.INVALID_SYNTAX }] }
  return { effects: [effect, { kind: 'close', reason: `refused: ${reason}`, byPeer: true }] }
}

/** Our own key is no use: nothing was sent yet. */
export function cannotProve(sa: IkeSa, peer: PeerConfig, why: string): Step {
  const detail = `our own AUTH payload cannot be made: ${why}`
  return {
    effects: [
      { kind: 'event', event: { kind: 'handshake-failed', ikeSa: sa.id, peer: peer.name, detail } },
      { kind: 'close', reason: detail, byPeer: false },
    ],
  }
}

/** We do not believe them: say so in an INFORMATIONAL of its own, then forget the SA (RFC 7296 §2.21.2). */
export function distrust(sa: IkeSa, peer: PeerConfig, remoteId: Identity, detail: string): Step {
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

/** What an answer of one transform a type chose. */
export function readEspAnswer(proposal: Proposal): { suite: EspSuite; esn: boolean } {
  const idOf = (type: number): number | undefined => proposal.transforms.find((transform) => transform.type === type)?.id
  const encryption = proposal.transforms.find((transform) => transform.type === TransformType.ENCR)
  const integrity = idOf(TransformType.INTEG)
  return {
    suite: { encryption: encryption?.id ?? 0, keyLength: encryption?.keyLength, integrity: integrity === 0 ? undefined : integrity },
    esn: idOf(TransformType.SN) === SequenceNumbers.ESN_64,
  }
}

/** Decoded selectors are views into a message that will be gone. */
export function copySelectors(selectors: readonly IpSelector[]): IpSelector[] {
  return selectors.map((selector) => ({
    ...selector,
    startAddress: selector.startAddress.slice(),
    endAddress: selector.endAddress.slice(),
  }))
}
