/**
 * AUTH (RFC 7296 §2.15). Making it and verifying it each end in a step: at once with a shared secret or NULL (RFC 7619), which cost one PRF; by a
 * signature when the driver has done the work. Only `verifyAuth` makes a `VerifiedPeer`.
 */
import type { EapGrant } from '@underpass/eap'
import { AuthMethod, type Payload, type PayloadOf } from '@underpass/ike-codec'
import { constantTimeEqual, pskAuth, signedOctets } from '@underpass/ike-crypto'
import type { Identity, LocalAuthentication, PeerConfig } from '../config.ts'
import type { CryptoResult } from '../contract.ts'
import { SessionError } from '../session-error.ts'
import { identificationBody } from './identification.ts'
import type { EapProof, IkeSa, InitRecord } from './ike-sa.ts'
import { intAuth } from './int-auth.ts'
import { certificatesIn, readAuthMethods } from './signature-support.ts'
import { afterWork, type Step } from './step.ts'

declare const verified: unique symbol

/** A peer whose AUTH payload was verified as `peer` wants it. */
export interface VerifiedPeer {
  readonly [verified]: true
  readonly peer: PeerConfig
  readonly remoteId: Identity
  /** Shown by EAP, safe to print: policy goes by it (RFC 7296 §2.16). */
  readonly eapIdentity?: string
  readonly grant?: EapGrant | undefined
}

/** What somebody says of himself in IKE_AUTH; `inner`: all that he said. */
export interface Claim {
  readonly remoteId: Identity
  readonly auth: PayloadOf<'AUTH'>
  readonly inner: readonly Payload[]
}

const SIGNATURES: readonly number[] = [
  AuthMethod.RSA_DIGITAL_SIGNATURE,
  AuthMethod.ECDSA_SHA256_P256,
  AuthMethod.ECDSA_SHA384_P384,
  AuthMethod.ECDSA_SHA512_P521,
  AuthMethod.DIGITAL_SIGNATURE,
]

/**
 * Makes our own AUTH payload for `peer`, and then the step that sends it; `undefined` and why where it cannot be made. `inner`: what the peer said.
 * `local`: by what, where it is not what the configuration says.
 */
export function makeAuth(
  sa: IkeSa,
  record: InitRecord,
  peer: PeerConfig,
  inner: readonly Payload[],
  then: (auth: PayloadOf<'AUTH'> | undefined, why: string) => Step,
  local: LocalAuthentication | EapProof = peer.auth.local,
): Step {
  const octets = octetsOf(sa, record, sa.role, peer.localId)
  switch (local.kind) {
    case 'shared-key':
      return then({ type: 'AUTH', method: AuthMethod.SHARED_KEY_MIC, data: sharedKeyAuth(sa, octets, local.secret) }, '')
    case 'null':
      return then({ type: 'AUTH', method: AuthMethod.NULL, data: sharedKeyAuth(sa, octets, skpOf(sa, sa.role)) }, '')
    case 'eap-proof': {
      const data = sharedKeyAuth(sa, octets, local.msk ?? skpOf(sa, sa.role))
      return then({ type: 'AUTH', method: AuthMethod.SHARED_KEY_MIC, data }, '')
    }
    case 'eap':
    case 'eap-only':
      throw new SessionError('INVARIANT', 'bug', `AUTH by ${local.kind} before EAP is over`)
    case 'signature': {
      const { hashAlgorithms } = sa.peerSignatures
      const authMethods = readAuthMethods(inner) ?? sa.peerSignatures.authMethods
      const work = {
        kind: 'sign',
        key: local.key,
        octets,
        ...(hashAlgorithms && { hashAlgorithms }),
        ...(authMethods && { authMethods }),
      } as const
      const signed = (result: CryptoResult): Step =>
        result.kind === 'signed'
          ? then({ type: 'AUTH', method: result.method, data: result.data }, '')
          : then(undefined, result.kind === 'failed' ? result.detail : 'no signature')
      return afterWork(work, (_core, _sa, result) => signed(result))
    }
    default:
      return local satisfies never
  }
}

/**
 * Which of `candidates` the claim is true for, the first that fits; `undefined` where the method is none of theirs or the octets are wrong: which of
 * the two is nobody's business on the wire. `why` is for our own people, and may be empty.
 */
export function verifyAuth(
  sa: IkeSa,
  record: InitRecord,
  claim: Claim,
  candidates: readonly PeerConfig[],
  then: (peer: VerifiedPeer | undefined, why: string) => Step,
): Step {
  const { auth, remoteId } = claim
  const theirRole = sa.role === 'initiator' ? 'responder' : 'initiator'
  const octets = octetsOf(sa, record, theirRole, remoteId)
  const believe = (peer: PeerConfig | undefined, why = ''): Step => then(peer && ({ peer, remoteId } as unknown as VerifiedPeer), why)
  const isMac = (secret: Uint8Array): boolean => constantTimeEqual(auth.data, sharedKeyAuth(sa, octets, secret))
  if (auth.method === AuthMethod.SHARED_KEY_MIC)
    return believe(candidates.find(({ auth: { remote } }) => remote.kind === 'shared-key' && isMac(remote.secret)))
  if (auth.method === AuthMethod.NULL)
    return believe(candidates.find(({ auth: { remote } }) => remote.kind === 'null' && isMac(skpOf(sa, theirRole))))
  const trusts = [...new Set(candidates.flatMap(({ auth: { remote } }) => (remote.kind === 'signature' ? [remote.trust] : [])))]
  if (!SIGNATURES.includes(auth.method) || trusts.length === 0) return believe(undefined)
  const certificates = certificatesIn(claim.inner)
  const work = { kind: 'verify-peer', trusts, identity: remoteId, method: auth.method, signature: auth.data, octets, certificates } as const
  const verified = (result: CryptoResult): Step =>
    result.kind === 'peer-verified'
      ? believe(candidates.find(({ auth: { remote } }) => remote.kind === 'signature' && remote.trust === result.trust))
      : believe(undefined, result.kind === 'failed' ? result.detail : '')
  return afterWork(work, (_core, _sa, result) => verified(result))
}

/** Whether the AUTH payload that follows EAP is by what EAP came to (RFC 7296 §2.16): `undefined` where it is not. */
export function verifyEapAuth(sa: IkeSa, record: InitRecord, claim: Claim, peer: PeerConfig, proof: EapProof): VerifiedPeer | undefined {
  const { auth, remoteId } = claim
  const theirRole = sa.role === 'initiator' ? 'responder' : 'initiator'
  const octets = octetsOf(sa, record, theirRole, remoteId)
  const isRight =
    auth.method === AuthMethod.SHARED_KEY_MIC && constantTimeEqual(auth.data, sharedKeyAuth(sa, octets, proof.msk ?? skpOf(sa, theirRole)))
  return isRight ? ({ peer, remoteId, eapIdentity: proof.eapIdentity, grant: proof.grant } as unknown as VerifiedPeer) : undefined
}

/** Why a method does not prove anything to `peer`, for people. */
export function mismatchWords(peer: PeerConfig | undefined, auth: PayloadOf<'AUTH'>): string {
  const wanted = peer?.auth.remote.kind ?? 'shared-key'
  if (auth.method === AuthMethod.SHARED_KEY_MIC && wanted === 'shared-key') return 'the two ends have different keys'
  return `it authenticates by method ${auth.method}, ${WORDS[wanted]} is wanted`
}

const WORDS = { 'shared-key': 'a shared key', signature: 'a signature', null: 'NULL authentication', eap: 'EAP', 'eap-only': 'EAP alone' }

/** What the AUTH payload of the end in `role` is about: its first message, the other's nonce, and its identity under its SK_p. */
function octetsOf(sa: IkeSa, record: InitRecord, role: IkeSa['role'], identity: Identity): Uint8Array {
  const [message, peerNonce] = role === 'initiator' ? [record.request, record.responderNonce] : [record.response, record.initiatorNonce]
  return signedOctets(protectionOf(sa).prf, message, peerNonce, skpOf(sa, role), identificationBody(identity), intAuth(record))
}

function sharedKeyAuth(sa: IkeSa, octets: Uint8Array, secret: Uint8Array): Uint8Array {
  return pskAuth(protectionOf(sa).prf, secret, octets)
}

function skpOf(sa: IkeSa, role: IkeSa['role']): Uint8Array {
  const { skpi, skpr } = protectionOf(sa).keys
  return role === 'initiator' ? skpi : skpr
}

function protectionOf({ protection, state }: IkeSa): NonNullable<IkeSa['protection']> {
  if (protection) return protection
  throw new SessionError('INVARIANT', 'bug', `AUTH without keys, in state ${state.kind}`)
}
