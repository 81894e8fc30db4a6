/**
 * AUTH (RFC 7296 §2.15). Making it and verifying it each end in a step: at once with a shared secret, which costs one PRF. Only `verifyAuth` makes
 * a `VerifiedPeer`.
 */
import { AuthMethod, type PayloadOf } from '@underpass/ike-codec'
import { constantTimeEqual, pskAuth, signedOctets } from '@underpass/ike-crypto'
import type { Identity, PeerConfig } from '../config.ts'
import { SessionError } from '../session-error.ts'
import { identificationBody } from './identification.ts'
import type { IkeSa, InitRecord } from './ike-sa.ts'
import { intAuth } from './int-auth.ts'
import type { Step } from './step.ts'

declare const verified: unique symbol

/** A peer whose AUTH payload was verified as `peer` wants it. */
export interface VerifiedPeer {
  readonly [verified]: true
  readonly peer: PeerConfig
  readonly remoteId: Identity
}

/** What somebody says of himself in IKE_AUTH. */
export interface Claim {
  readonly remoteId: Identity
  readonly auth: PayloadOf<'AUTH'>
}

/** Makes our own AUTH payload for `peer`, and then the step that sends it. */
export function makeAuth(sa: IkeSa, record: InitRecord, peer: PeerConfig, then: (auth: PayloadOf<'AUTH'>) => Step): Step {
  const octets = octetsOf(sa, record, sa.role, peer.localId)
  return then({ type: 'AUTH', method: AuthMethod.SHARED_KEY_MIC, data: sharedKeyAuth(sa, octets, peer.psk) })
}

/**
 * Which of `candidates` the claim is true for, the first that fits; `undefined` where the method is none of theirs or the octets are wrong: which of
 * the two is nobody's business on the wire.
 */
export function verifyAuth(
  sa: IkeSa,
  record: InitRecord,
  claim: Claim,
  candidates: readonly PeerConfig[],
  then: (peer: VerifiedPeer | undefined) => Step,
): Step {
  const { remoteId, auth } = claim
  const octets = octetsOf(sa, record, sa.role === 'initiator' ? 'responder' : 'initiator', remoteId)
  const peer =
    auth.method === AuthMethod.SHARED_KEY_MIC
      ? candidates.find((candidate) => constantTimeEqual(auth.data, sharedKeyAuth(sa, octets, candidate.psk)))
      : undefined
  return then(peer && ({ peer, remoteId } as unknown as VerifiedPeer))
}

/** What the AUTH payload of the end in `role` is about: its first message, the other's nonce, and its identity under its SK_p. */
function octetsOf(sa: IkeSa, record: InitRecord, role: IkeSa['role'], identity: Identity): Uint8Array {
  const { prf, keys } = protectionOf(sa)
  const [message, peerNonce, skp] =
    role === 'initiator' ? [record.request, record.responderNonce, keys.skpi] : [record.response, record.initiatorNonce, keys.skpr]
  return signedOctets(prf, message, peerNonce, skp, identificationBody(identity), intAuth(record))
}

function sharedKeyAuth(sa: IkeSa, octets: Uint8Array, secret: Uint8Array): Uint8Array {
  return pskAuth(protectionOf(sa).prf, secret, octets)
}

function protectionOf({ protection, state }: IkeSa): NonNullable<IkeSa['protection']> {
  if (protection) return protection
  throw new SessionError('INVARIANT', 'bug', `AUTH without keys, in state ${state.kind}`)
}
