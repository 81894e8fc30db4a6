/** The other half of making a Child SA by CREATE_CHILD_SA: who is asked (RFC 7296 §1.3.1, §1.3.3, §2.8.1, §2.25.1). */
import { NotifyType, notify, type Payload, type PayloadOf, ProtocolId } from '@underpass/ike-codec'
import type { ChildSa } from '../../child/child-sa.ts'
import { addressOctets, allocateEspSpi, configuredSelectors, makeChild, usableEspSuites } from '../../child/negotiation.ts'
import type { PeerConfig } from '../../config.ts'
import type { CryptoResult } from '../../contract.ts'
import type { Core } from '../../core.ts'
import { readU32, u32 } from '../../octets.ts'
import type { IkeSa } from '../ike-sa.ts'
import { NONCE_LENGTH } from '../ike-sa-init.ts'
import { find, findNotify } from '../payload-queries.ts'
import { type ChosenEsp, chooseEspProposal } from '../proposals.ts'
import { rejectSyntax } from '../reject-syntax.ts'
import { afterWork, type Effect, type Step } from '../step.ts'
import { type IpSelector, narrowTrafficSelectors } from '../traffic-selectors.ts'
import { creationReplacing, dropCreation, ikeCreationOf, isBeingDeleted, isNonce, isOut, lowestOf } from './creation.ts'
import { tellRekeyed } from './events.ts'
import { keyExchangeMethods } from './pfs.ts'
import { invalidKe, refuse } from './refusals.ts'

export function answerChildSaRequest(core: Core, sa: IkeSa, inner: readonly Payload[]): Step {
  const rekeyed = findNotify(inner, NotifyType.REKEY_SA)
  const collision = collisionWith(core, sa, rekeyed)
  if (collision) return collision
  const { peer } = sa
  const tsi = find(inner, 'TSi')
  const tsr = find(inner, 'TSr')
  const ke = find(inner, 'KE')
  const nonce = find(inner, 'Nonce')!.data.slice()
  if (!peer || !tsi || !tsr || !isNonce(nonce))
    return rejectSyntax(core, sa, 'CREATE_CHILD_SA without traffic selectors, or with a nonce of a wrong length')
  const inboundSpi = allocateEspSpi(core)
  const chosen = choose(core, sa, peer, { offer: find(inner, 'SA')!, ke, inboundSpi, replaced: rekeyed && childNamed(sa, rekeyed) })
  if (!chosen) return refuse(NotifyType.NO_PROPOSAL_CHOSEN)
  const method = chosen.keyExchange
  if (method !== undefined && ke?.method !== method) return invalidKe(method)
  const addresses = addressOctets(sa.addresses)
  const remoteTs = narrowTrafficSelectors(tsi.selectors, configuredSelectors(peer.remoteSubnets, addresses))
  const localTs = narrowTrafficSelectors(tsr.selectors, configuredSelectors(peer.localSubnets, addresses))
  if (remoteTs.length === 0 || localTs.length === 0) return refuse(NotifyType.TS_UNACCEPTABLE)
  const asked: Asked = { peer, inboundSpi, chosen, nonce, localTs, remoteTs, rekeyed: rekeyed && { ...rekeyed, spi: rekeyed.spi.slice() } }
  if (method === undefined) return make(core, sa, asked, undefined, [])
  const work = { kind: 'ke-respond', method, peerPublic: ke!.data.slice() } as const
  return afterWork(work, (_core, _sa, result) => makeWithKey(core, sa, asked, result))
}

interface Asked {
  readonly peer: PeerConfig
  readonly inboundSpi: number
  readonly chosen: ChosenEsp
  readonly nonce: Uint8Array
  readonly localTs: readonly IpSelector[]
  readonly remoteTs: readonly IpSelector[]
  readonly rekeyed: PayloadOf<'N'> | undefined
}

/** What is in the way (§2.25), also of what has been worked out meanwhile. */
function collisionWith(core: Core, sa: IkeSa, rekeyed: PayloadOf<'N'> | undefined): Step | undefined {
  const ike = ikeCreationOf(sa)
  if (sa.state.kind !== 'ESTABLISHED' || !sa.isCurrent || (ike && isOut(sa, ike))) return refuse(NotifyType.TEMPORARY_FAILURE)
  if (!rekeyed) {
    const isFull = [...sa.children].filter(({ successor }) => !successor).length >= core.config.limits.maxChildSasPerIkeSa
    return isFull ? refuse(NotifyType.NO_ADDITIONAL_SAS) : undefined
  }
  const old = childNamed(sa, rekeyed)
  if (!old) return { reply: [notify(NotifyType.CHILD_SA_NOT_FOUND, undefined, { protocol: ProtocolId.ESP, spi: rekeyed.spi })] }
  return isBeingDeleted(sa, old) || old.successor ? refuse(NotifyType.TEMPORARY_FAILURE) : undefined
}

function choose(
  core: Core,
  sa: IkeSa,
  peer: PeerConfig,
  {
    offer,
    ke,
    inboundSpi,
    replaced,
  }: {
    readonly offer: PayloadOf<'SA'>
    readonly ke: PayloadOf<'KE'> | undefined
    readonly inboundSpi: number
    readonly replaced: ChildSa | undefined
  },
): ChosenEsp | undefined {
  const methods = keyExchangeMethods(sa, peer, replaced)
  // The method whose public value is at hand spares a round.
  const ordered = ke && methods.includes(ke.method) ? [ke.method, ...methods.filter((method) => method !== ke.method)] : methods
  return chooseEspProposal(offer.proposals, usableEspSuites(core, peer), peer.esn, u32(inboundSpi), ordered)
}

function makeWithKey(core: Core, sa: IkeSa, asked: Asked, result: CryptoResult): Step {
  const collision = collisionWith(core, sa, asked.rekeyed)
  if (collision) return collision
  if (result.kind !== 'ke-responded') return rejectSyntax(core, sa, 'the public value in KE is no good')
  return make(core, sa, asked, result.publicValue, [result.sharedSecret])
}

function make(core: Core, sa: IkeSa, asked: Asked, publicValue: Uint8Array | undefined, sharedSecrets: readonly Uint8Array[]): Step {
  const { peer, inboundSpi, chosen, nonce, localTs, remoteTs, rekeyed } = asked
  const responderNonce = core.random(NONCE_LENGTH)
  const old = rekeyed && childNamed(sa, rekeyed)
  const child = makeChild(
    core,
    sa,
    peer,
    { role: 'responder', initiatorNonce: nonce, responderNonce, sharedSecrets },
    {
      inboundSpi,
      outboundSpi: readU32(chosen.peerSpi),
      suite: chosen.suite,
      esn: chosen.esn,
      localTs,
      remoteTs,
      keyExchange: chosen.keyExchange ?? old?.keyExchange,
    },
  )
  for (const secret of sharedSecrets) secret.fill(0)
  return {
    reply: [
      { type: 'SA', proposals: [chosen.proposal] },
      { type: 'Nonce', data: responderNonce },
      ...(publicValue ? [{ type: 'KE' as const, method: chosen.keyExchange!, data: publicValue }] : []),
      { type: 'TSi', selectors: remoteTs },
      { type: 'TSr', selectors: localTs },
    ],
    effects: [{ kind: 'install-child', child, outbound: 'last' }, ...(old ? [succeed(old, child, lowestOf(nonce, responderNonce))] : [])],
  }
}

/** The old one is sent by until the peer shows that it has the new one; where ours is out as well, that is a rival (§2.8, §2.8.1). */
function succeed(old: ChildSa, child: ChildSa, lowestNonce: Uint8Array): Effect {
  const apply = (core: Core, sa: IkeSa): void => {
    const ours = creationReplacing(sa, old)
    old.successor = child
    core.timers.clear(old, 'rekey')
    core.timers.set(old, 'replaced', core.now + core.config.timers.replaced)
    if (ours && isOut(sa, ours) && ours.kind === 'child-sa') ours.rival = { child, lowestNonce }
    else if (ours) dropCreation(sa, ours)
    tellRekeyed(core, sa, old, child, 'peer')
  }
  return { kind: 'rekeying', apply }
}

/** The peer names a pair by its own inbound SPI, our outbound one. */
function childNamed(sa: IkeSa, { protocol, spi }: PayloadOf<'N'>): ChildSa | undefined {
  if (protocol !== ProtocolId.ESP || spi.length !== 4) return undefined
  return [...sa.children].find(({ outboundSpi }) => outboundSpi === readU32(spi))
}
