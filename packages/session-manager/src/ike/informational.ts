/**
 * INFORMATIONAL (RFC 7296 §1.4): liveness checks and Delete.
 *
 *   HDR, SK {[N,] [D,] [CP,] ...}  -->
 *                          <--  HDR, SK {[N,] [D,] [CP], ...}
 */
import { NotifyType, type Payload, ProtocolId } from '@underpass/ike-codec'
import type { ChildSa } from '../child/child-sa.ts'
import type { Core } from '../core.ts'
import { readU32, u32 } from '../octets.ts'
import { describeIdentity } from './identification.ts'
import type { IkeSa } from './ike-sa.ts'
import type { RequestPlan } from './message-window.ts'
import { answerMobike, readAdditionalAddresses } from './mobike.ts'
import { findNotify, nameOfNotify } from './payload-queries.ts'
import type { AuthenticatedMessage } from './protection.ts'
import { beforeDeletion } from './rekeying/series.ts'
import type { Effect, Step } from './step.ts'

/** Every request is answered, if only with nothing: that is the liveness check's point. */
export function answerInformationalRequest(_core: Core, sa: IkeSa, { header, inner }: AuthenticatedMessage): Step {
  const deletes = inner.filter((payload) => payload.type === 'D')
  if (findNotify(inner, NotifyType.AUTHENTICATION_FAILED)) {
    const event = {
      kind: 'authentication-failed',
      ikeSa: sa.id,
      localId: sa.peer ? describeIdentity(sa.peer.localId) : '',
      remoteId: sa.remoteId ? describeIdentity(sa.remoteId) : '',
      detail: 'the peer does not accept our identity or key',
    } as const
    return {
      reply: [],
      effects: [{ kind: 'event', event }],
      afterReply: [{ kind: 'close', reason: 'authentication failed at the peer', byPeer: true }],
    }
  }
  // §2.21.2: right behind IKE_AUTH these say, without a Delete, that the initiator could not take our answer.
  const isAfterIkeAuth = sa.series.role === 'responder' && sa.series.members.size === 1 && header.messageId === sa.ikeAuthMessageId + 1
  const untaken = isAfterIkeAuth ? UNTAKEN.find((notifyType) => findNotify(inner, notifyType) !== undefined) : undefined
  if (untaken !== undefined)
    return { reply: [], afterReply: [{ kind: 'close', reason: `the peer said ${nameOfNotify(untaken)} to IKE_AUTH`, byPeer: true }] }
  if (deletes.some((payload) => payload.protocol === ProtocolId.IKE)) {
    return { reply: [], effects: beforeDeletion(sa), afterReply: [{ kind: 'close', reason: 'deleted by the peer', byPeer: true }] }
  }
  const named = deletes.filter((payload) => payload.protocol === ProtocolId.ESP).flatMap((payload) => payload.spis)
  const children = childrenNamed(sa, named)
  // §1.4.1: where the Deletes of both ends cross, the answer does not name the SA again.
  const crossing = spisOfOurDelete(sa)
  const spis = children.filter((child) => !crossing.has(child.inboundSpi)).map((child) => u32(child.inboundSpi))
  const reply: Payload[] = spis.length > 0 ? [{ type: 'D', protocol: ProtocolId.ESP, spis }] : []
  // RFC 4555 §3.6.
  const addresses = sa.isMobike ? readAdditionalAddresses(inner) : undefined
  return {
    reply: [...reply, ...answerMobike(sa, inner)],
    effects: [
      ...(addresses ? [{ kind: 'learn-addresses', addresses } as const] : []),
      ...children.map((child): Effect => ({ kind: 'remove-child', child, reason: 'deleted by the peer' })),
    ],
  }
}

/** The answer to one of ours. */
export function handleInformationalResponse(
  _core: Core,
  sa: IkeSa,
  { inner }: AuthenticatedMessage,
  purpose: RequestPlan['purpose'],
  children: readonly ChildSa[],
): Step {
  if (purpose === 'delete-ike-sa') {
    const reason = sa.state.kind === 'DELETING' ? sa.state.reason : 'deleted'
    return { effects: [{ kind: 'close', reason, byPeer: false }] }
  }
  if (purpose === 'delete-child')
    return {
      effects: children
        .filter((child) => child.ikeSa.children.has(child))
        .map((child): Effect => ({ kind: 'remove-child', child, reason: 'deleted' })),
    }
  // §2.21.3: with this the peer has dropped the IKE SA, and says no Delete.
  if (findNotify(inner, NotifyType.INVALID_SYNTAX))
    return { effects: [{ kind: 'close', reason: 'the peer answered INVALID_SYNTAX', byPeer: true }] }
  return { effects: [{ kind: 'event', event: { kind: 'liveness', ikeSa: sa.id, peer: sa.peerName, result: 'alive' } }] }
}

const UNTAKEN: readonly number[] = [NotifyType.INVALID_SYNTAX, NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD]

function spisOfOurDelete({ window }: IkeSa): Set<number> {
  const spis = window.outstanding?.plan.payloads.flatMap((payload) => (payload.type === 'D' ? payload.spis : [])) ?? []
  return new Set(spis.filter((spi) => spi.length === 4).map((spi) => readU32(spi)))
}

/** The peer names a pair by its own inbound SPI, our outbound one. */
function childrenNamed(sa: IkeSa, spis: readonly Uint8Array[]): ChildSa[] {
  const named = new Set(spis.filter((spi) => spi.length === 4).map((spi) => readU32(spi)))
  return [...sa.series.current.children].filter((child) => named.has(child.outboundSpi))
}
