/** AUTH with a shared secret (RFC 7296 §2.15). Only `verifyPsk` makes a `VerifiedPeer`. */
import { AuthMethod, type Payload } from '@underpass/ike-codec'
import { constantTimeEqual, pskAuth, signedOctets } from '@underpass/ike-crypto'
import type { Identity, PeerConfig } from '../config.ts'
import { identificationBody } from './identification.ts'
import type { InitRecord } from './ike-sa.ts'
import type { Protection } from './protection.ts'

declare const verified: unique symbol

/** A peer whose AUTH payload was verified against the secret of `peer`. */
export interface VerifiedPeer {
  readonly [verified]: true
  readonly peer: PeerConfig
  readonly remoteId: Identity
}

/** Our own AUTH payload. `role` is ours: it says which first message and which SK_p are signed. */
export function authPayload(
  protection: Protection,
  record: InitRecord,
  role: 'initiator' | 'responder',
  identity: Identity,
  psk: Uint8Array,
): Payload {
  return { type: 'AUTH', method: AuthMethod.SHARED_KEY_MIC, data: sharedKeyAuth(protection, record, role, identity, psk) }
}

/** `undefined` where the method is not a shared key's or the octets are wrong: which of the two is nobody's business on the wire. */
export function verifyPsk(
  protection: Protection,
  record: InitRecord,
  ourRole: 'initiator' | 'responder',
  remoteId: Identity,
  auth: Extract<Payload, { type: 'AUTH' }>,
  peer: PeerConfig,
): VerifiedPeer | undefined {
  if (auth.method !== AuthMethod.SHARED_KEY_MIC) return undefined
  const theirRole = ourRole === 'initiator' ? 'responder' : 'initiator'
  if (!constantTimeEqual(auth.data, sharedKeyAuth(protection, record, theirRole, remoteId, peer.psk))) return undefined
  return { peer, remoteId } as unknown as VerifiedPeer
}

function sharedKeyAuth(
  protection: Protection,
  record: InitRecord,
  role: 'initiator' | 'responder',
  identity: Identity,
  psk: Uint8Array,
): Uint8Array {
  const { prf, keys } = protection
  const [message, peerNonce, skp] =
    role === 'initiator' ? [record.request, record.responderNonce, keys.skpi] : [record.response, record.initiatorNonce, keys.skpr]
  return pskAuth(prf, psk, signedOctets(prf, message, peerNonce, skp, identificationBody(identity)))
}
