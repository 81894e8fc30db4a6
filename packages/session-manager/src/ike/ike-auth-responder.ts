/**
 * IKE_AUTH, the responder's half (RFC 7296 §1.2, §2.15): who is it, is it true, and what may pass.
 *
 *                      <--  HDR, SK {IDr, AUTH, [CP(CFG_REPLY),] SAr2, TSi, TSr}
 */
import type { EapGrant } from '@underpass/eap'
import { CfgType, NotifyType, notify, type Payload, type PayloadOf, type TrafficSelectors } from '@underpass/ike-codec'
import type { ChildSa } from '../child/child-sa.ts'
import { allocateEspSpi, configuredSelectors, makeFirstChild, usableEspSuites } from '../child/negotiation.ts'
import type { Identity, PeerConfig } from '../config.ts'
import type { Endpoint } from '../contract.ts'
import type { Core } from '../core.ts'
import { formatAddress } from '../ip-address.ts'
import { readU32, u32 } from '../octets.ts'
import { localOf, remoteOf } from '../paths/path.ts'
import type { AddressOffer } from '../peers/address-pool.ts'
import { espMismatch, selectorMismatch } from '../peers/mismatch.ts'
import { isKnownIdentity, peersFor } from '../peers/peer-choice.ts'
import { notifyFor, SessionError } from '../session-error.ts'
import { makeAuth, mismatchWords, type VerifiedPeer, verifyAuth } from './authentication.ts'
import { configurationReply, requestedFamilies, tunnelTimes } from './configuration.ts'
import { describeIdentity } from './identification.ts'
import type { IkeSa, InitRecord } from './ike-sa.ts'
import { familiesAllowed } from './internal-names.ts'
import { additionalAddresses, mobikeSupport } from './mobike.ts'
import { pathCheckVendorId } from './path-check.ts'
import { find, findConfiguration, findNotify, nameOfNotify } from './payload-queries.ts'
import { choosePpk, ppkTaken, takePpk } from './ppk.ts'
import { chooseEspProposal } from './proposals.ts'
import type { AuthenticatedMessage } from './protection.ts'
import { crashToken } from './quick-crash-detection.ts'
import { certificatesOf } from './signature-support.ts'
import type { Effect, Step } from './step.ts'
import { type IpSelector, narrowTrafficSelectors } from './traffic-selectors.ts'

export function answerIkeAuthRequest(core: Core, sa: IkeSa, message: AuthenticatedMessage): Step {
  const { state } = sa
  if (state.kind !== 'IKE_SA_INIT_ANSWERED') throw new SessionError('INVARIANT', 'bug', `IKE_AUTH in state ${state.kind}`)
  const { inner } = message
  const idi = find(inner, 'IDi')!
  const remoteId: Identity = { idType: idi.idType, data: idi.data.slice() }
  const candidates = candidatesFor(core, sa, remoteId, find(inner, 'IDr'))
  const auth = find(inner, 'AUTH')!
  const choice = choosePpk(sa, candidates, inner, auth)
  return takePpk(sa, choice.ppk, () =>
    verifyAuth(sa, state.record, { remoteId, auth: choice.auth, inner }, choice.candidates, (verified, why) =>
      verified
        ? makeAuth(sa, state.record, verified.peer, inner, (ours, detail) =>
            ours ? admitInitiator(core, sa, verified, state.record, inner, ours) : cannotProve(core, sa, verified, detail),
          )
        : refuseAuthentication(
            core,
            sa,
            remoteId,
            candidates,
            `its AUTH payload does not verify: ${why || mismatchWords(candidates[0], auth)}`,
          ),
    ),
  )
}

/** It is who it says, and `auth` tells it who we are, with `introduction` where that was not said before: what may pass. */
export function admitInitiator(
  core: Core,
  sa: IkeSa,
  peer: VerifiedPeer,
  record: InitRecord,
  inner: readonly Payload[],
  auth: PayloadOf<'AUTH'>,
  introduction: readonly Payload[] = introductionOf(peer.peer),
): Step {
  if (isOvertaken(core, sa, peer, inner)) return leaveOvertaken(core, sa)
  const reply: Payload[] = [...introduction, auth, ...ppkTaken(sa), ...crashToken(core, sa)]
  const mobike = mobikeSupport(inner)
  const pathChecks = pathCheckVendorId(peer.peer, inner)
  const last = [...mobike, ...(mobike.length > 0 ? additionalAddresses(peer.peer) : []), ...pathChecks]
  // RFC 7619 §2.3: who is nobody in particular is not the one who was here before.
  const isNamed = peer.peer.auth.remote.kind !== 'null'
  const siblings = isNamed ? siblingsOf(core, peer) : NO_SIBLINGS
  const effects = (leased: Leased): Effect[] => [
    ...(siblings.supernumerary.length > 0 ? [{ kind: 'make-room' as const, supernumerary: siblings.supernumerary }] : []),
    ...(leased.needsAbandoned ? [{ kind: 'close-abandoned' as const, abandoned: siblings.abandoned }] : []),
    {
      kind: 'authenticated',
      verified: peer,
      isMobike: mobike.length > 0,
      // §3.6: a responder does not look for another way.
      additionalAddresses: [],
      hasPathChecks: pathChecks.length > 0,
      addresses: leased.offers.map(({ address }) => ({ address: formatAddress(address), prefixLength: address.length * 8 })),
      leases: leased.offers,
    },
    ...(isNamed && findNotify(inner, NotifyType.INITIAL_CONTACT) ? [{ kind: 'forget-others' as const }] : []),
    { kind: 'established' },
  ]
  try {
    const { child, leased, payloads } = answerFirstChild(core, sa, peer, siblings, record, inner)
    return {
      to: { kind: 'ESTABLISHED' },
      reply: [...reply, ...payloads, ...last],
      effects: [...effects(leased), { kind: 'install-child', child }],
    }
  } catch (error) {
    // The IKE SA stands even where no Child SA could be made (RFC 7296 §1.2).
    if (!(error instanceof SessionError) || error.blame !== 'incompatible') throw error
    const refusal = notifyFor(error)!
    const event = {
      kind: 'handshake-failed',
      ikeSa: sa.id,
      peer: peer.peer.name,
      detail: `${describeIdentity(peer.remoteId)}: ${error.message}`,
      notify: nameOfNotify(refusal.notifyType),
      ...remoteIn(sa),
    } as const
    return {
      to: { kind: 'ESTABLISHED' },
      reply: [...reply, notify(refusal.notifyType, refusal.data), ...familiesFor(peer.peer, refusal.notifyType)],
      effects: [...effects(NOTHING_LEASED), { kind: 'event', event }],
    }
  }
}

/** Who we are. */
export function introductionOf(peer: PeerConfig): Payload[] {
  return [{ type: 'IDr', ...peer.localId }, ...certificatesOf(peer)]
}

/** Where no address could be had: which there are. */
function familiesFor({ pool }: PeerConfig, refusal: number): Payload[] {
  return pool && refusal === NotifyType.INTERNAL_ADDRESS_FAILURE ? familiesAllowed(pool) : []
}

/**
 * INITIAL_CONTACT says that there is no other IKE SA (RFC 7296 §2.4). One of the same identity that began after this one and is up already shows
 * that this was said before: by an initiator that tries several transports (RFC 9329 §5.1) and has long left this one.
 */
function isOvertaken(core: Core, sa: IkeSa, { peer, remoteId, eapIdentity }: VerifiedPeer, inner: readonly Payload[]): boolean {
  if (peer.auth.remote.kind === 'null' || !findNotify(inner, NotifyType.INITIAL_CONTACT)) return false
  return core.identities.of(peer, remoteId, eapIdentity).some(({ begunAt, state }) => begunAt > sa.begunAt && state.kind === 'ESTABLISHED')
}

/** Without an answer: who waits for one all the same asks again, and anew. */
function leaveOvertaken(core: Core, sa: IkeSa): Step {
  core.count('ike-overtaken')
  const detail = 'IKE_AUTH of an IKE SA that a newer one of the same identity has overtaken'
  const event = { kind: 'dropped', what: 'ike-overtaken', remote: sa.path && remoteOf(sa.path), detail } as const
  return {
    effects: [
      { kind: 'event', event },
      { kind: 'close', reason: 'overtaken', byPeer: false },
    ],
  }
}

function answerFirstChild(
  core: Core,
  sa: IkeSa,
  verified: VerifiedPeer,
  siblings: Siblings,
  record: InitRecord,
  inner: readonly Payload[],
): { child: ChildSa; leased: Leased; payloads: Payload[] } {
  const { peer } = verified
  const request = findConfiguration(inner, CfgType.CFG_REQUEST)
  const pool = peer.pool
  if (peer.remoteSubnets === 'virtual' && !request)
    throw new SessionError('FAILED_CP_REQUIRED', 'incompatible', 'an inner address is handed out here and none was asked for')
  const offered = find(inner, 'SA')!
  const inboundSpi = allocateEspSpi(core)
  const suites = usableEspSuites(core, peer)
  const chosen = chooseEspProposal(offered.proposals, suites, peer.esn, u32(inboundSpi))
  if (!chosen) {
    const detail = `no common algorithms for ESP: ${espMismatch(offered.proposals, suites)}`
    throw new SessionError('NO_PROPOSAL_CHOSEN', 'incompatible', detail)
  }
  const isFirstContact = peer.auth.remote.kind !== 'null' && findNotify(inner, NotifyType.INITIAL_CONTACT) !== undefined
  const leased = request && pool ? findAddresses(core, verified, siblings, request, isFirstContact) : NOTHING_LEASED
  const addresses = leased.offers.map(({ address }) => address)
  const remoteTs = narrow('its', find(inner, 'TSi')!, configuredSelectors(peer.remoteSubnets, addresses))
  const localTs = narrow('our', find(inner, 'TSr')!, configuredSelectors(peer.localSubnets, []))
  const outboundSpi = readU32(chosen.peerSpi)
  const child = makeFirstChild(core, sa, peer, record, { inboundSpi, outboundSpi, suite: chosen.suite, esn: chosen.esn, localTs, remoteTs })
  return {
    child,
    leased,
    payloads: [
      ...(pool && addresses.length > 0
        ? [configurationReply(addresses, pool, request, request && tunnelTimes(request, core.config.timers))]
        : []),
      { type: 'SA', proposals: [chosen.proposal] },
      { type: 'TSi', selectors: remoteTs },
      { type: 'TSr', selectors: localTs },
      ...(request && pool ? familiesAllowed(pool) : []),
    ],
  }
}

/** Throws `SessionError` TS_UNACCEPTABLE where nothing is left. */
function narrow(whose: 'its' | 'our', { selectors }: TrafficSelectors, configured: readonly IpSelector[]): IpSelector[] {
  const narrowed = narrowTrafficSelectors(selectors, configured)
  if (narrowed.length > 0) return narrowed
  throw new SessionError(
    'TS_UNACCEPTABLE',
    'incompatible',
    `the traffic selectors of ${whose} side do not meet: ${selectorMismatch(selectors, configured)}`,
  )
}

/** What the pool is to give for this SA, and whether it can only once the abandoned SAs of the identity are closed. */
interface Leased {
  readonly offers: readonly AddressOffer[]
  readonly needsAbandoned: boolean
}

const NOTHING_LEASED: Leased = { offers: [], needsAbandoned: false }

/** One address for each family that is asked for and that the pool has; INTERNAL_ADDRESS_FAILURE where none can be had at all. */
function findAddresses(
  core: Core,
  { peer, remoteId, eapIdentity, grant }: VerifiedPeer,
  { supernumerary, abandoned }: Siblings,
  request: PayloadOf<'CP'>,
  takesOver: boolean,
): Leased {
  const pool = core.pools.get(peer.name)
  // Who is believed without proof gets nothing that another of the name had.
  const owner =
    eapIdentity === undefined ? `${peer.auth.remote.kind === 'null' ? 'NULL ' : ''}${describeIdentity(remoteId)}` : `EAP ${eapIdentity}`
  const wanted = requestedFamilies(request).filter(({ family }) => pool?.hasFamily(family))
  const without = (closed: readonly IkeSa[]): AddressOffer[] => {
    const released = closed.flatMap((other) => other.leases)
    return wanted.flatMap(
      ({ family, hint }) => pool?.offer({ owner, family, hint, fixed: fixedIn(grant, family), takesOver, released }) ?? [],
    )
  }
  // One with a path is told by a Delete, and holds its addresses until that is answered.
  const closedAtOnce = supernumerary.filter((other) => other.path === undefined)
  const offers = without(closedAtOnce)
  if (offers.length > 0) return { offers, needsAbandoned: false }
  const offersAfterClosing = without([...closedAtOnce, ...abandoned])
  if (offersAfterClosing.length > 0) return { offers: offersAfterClosing, needsAbandoned: true }
  throw new SessionError(
    'INTERNAL_ADDRESS_FAILURE',
    'incompatible',
    wanted.length === 0 ? 'no inner address of the family asked for is configured' : whyNone(grant),
  )
}

function fixedIn(grant: EapGrant | undefined, family: 'ipv4' | 'ipv6'): Uint8Array | undefined {
  return grant?.addresses.find(({ length }) => length === (family === 'ipv4' ? 4 : 16))
}

function whyNone(grant: EapGrant | undefined): string {
  const given = (grant?.addresses ?? []).map(formatAddress).join(', ')
  return given === '' ? 'the address pool is exhausted' : `the user is to have ${given}, which is not in the pool or somebody else's`
}

/** Other IKE SAs of the same peer and identity that may have to go for this one. */
interface Siblings {
  readonly supernumerary: readonly IkeSa[]
  /** Without a connection, and not supernumerary already. */
  readonly abandoned: readonly IkeSa[]
}

const NO_SIBLINGS: Siblings = { supernumerary: [], abandoned: [] }

/** What an identity has too much of, what it has left behind first: so that none can empty the pool or fill the table for all. */
function siblingsOf(core: Core, { peer, remoteId, eapIdentity }: VerifiedPeer): Siblings {
  const siblings = core.identities.of(peer, remoteId, eapIdentity)
  const abandonedFirst = [...siblings.filter((other) => other.path === undefined), ...siblings.filter((other) => other.path !== undefined)]
  const supernumerary = abandonedFirst.slice(0, Math.max(0, siblings.length - core.config.limits.maxIkeSasPerIdentity + 1))
  return { supernumerary, abandoned: siblings.filter((other) => other.path === undefined && !supernumerary.includes(other)) }
}

export function candidatesFor(core: Core, { path, suite }: IkeSa, remoteId: Identity, idr: Identity | undefined): PeerConfig[] {
  return path ? peersFor(core.config, { local: localOf(path), remote: remoteOf(path) }, remoteId, { idr, suite }) : []
}

/** `why`: where there are candidates. */
export function refuseAuthentication(
  core: Core,
  sa: IkeSa,
  remoteId: Identity,
  candidates: readonly PeerConfig[],
  why: string,
  reply: readonly Payload[] = [notify(NotifyType.AUTHENTICATION_FAILED)],
): Step {
  const detail =
    candidates.length === 0
      ? `no connection of the configuration is for this identity${isKnownIdentity(core.config, remoteId) ? ' at these addresses and with these algorithms' : ''}`
      : why
  const localId = candidates[0] ? describeIdentity(candidates[0].localId) : ''
  const event = {
    kind: 'authentication-failed',
    ikeSa: sa.id,
    localId,
    remoteId: describeIdentity(remoteId),
    detail,
    ...remoteIn(sa),
  } as const
  return {
    to: { kind: 'IKE_AUTH_REFUSED' },
    reply,
    effects: [{ kind: 'event', event }],
    // Over UDP the answer may be lost: until the handshake's time is over it is there to be said again (C-2).
    ...(sa.transport === 'tcp' ? { afterReply: [{ kind: 'close', reason: 'authentication failed', byPeer: false }] as const } : {}),
  }
}

/** It is who it says, and we cannot show who we are. */
export function cannotProve(core: Core, sa: IkeSa, { peer, remoteId }: Pick<VerifiedPeer, 'peer' | 'remoteId'>, why: string): Step {
  const step = refuseAuthentication(core, sa, remoteId, [peer], why)
  const detail = `${describeIdentity(remoteId)}: our own AUTH payload cannot be made: ${why}`
  const event = { kind: 'handshake-failed', ikeSa: sa.id, peer: peer.name, detail, ...remoteIn(sa) } as const
  return { ...step, effects: [{ kind: 'event', event }] }
}

function remoteIn(sa: IkeSa): { readonly remote?: Endpoint } {
  return sa.path ? { remote: remoteOf(sa.path) } : {}
}
