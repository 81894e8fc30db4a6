/**
 * What is said before AUTH is made by a signature: hash algorithms (RFC 7427 §4), CAs (RFC 7296 §3.7), methods (RFC 9593), and certificates with it
 * (§3.6). Nothing of it is sent where nobody signs.
 */
import { HashAlgorithm, NotifyType, notify, type Payload } from '@underpass/ike-codec'
import type { CertificatePayload, PeerConfig, RemoteAuthentication } from '../config.ts'
import type { Core } from '../core.ts'
import { concat, equal } from '../octets.ts'
import { findNotify } from './payload-queries.ts'

type SignatureTrust = Extract<RemoteAuthentication, { kind: 'signature' }>

/** What a peer said that it can verify. */
export interface PeerSignatures {
  /** `undefined`: no SIGNATURE_HASH_ALGORITHMS came. */
  readonly hashAlgorithms: readonly number[] | undefined
  /** Of SUPPORTED_AUTH_METHODS. */
  readonly authMethods: Uint8Array | undefined
}

/** What is verified here; SHA-1 is not (RFC 8247 §3.1), Identity is for EdDSA (RFC 8420 §2). */
const HASHES = [HashAlgorithm.SHA2_256, HashAlgorithm.SHA2_384, HashAlgorithm.SHA2_512, HashAlgorithm.IDENTITY]

/** CERTREQ in the clear goes to strangers and must leave room in a datagram: with more CAs than this any is asked for. */
const MOST_AUTHORITIES = 20
const HASH_LENGTH = 20

/** Of an initiator's IKE_SA_INIT. */
export function signaturesOffered({ auth }: PeerConfig): Payload[] {
  return auth.local.kind === 'signature' || auth.remote.kind === 'signature' ? [hashAlgorithms()] : []
}

/** Of a responder's IKE_SA_INIT, to whoever it may be. `isLong`: there is room for long lists. */
export function signaturesAnswered({ config }: Core, request: readonly Payload[], isLong: boolean): Payload[] {
  const trusts = config.peers.flatMap(({ auth }) => (auth.remote.kind === 'signature' ? [auth.remote] : []))
  const signs = trusts.length > 0 || config.peers.some(({ auth }) => auth.local.kind === 'signature')
  return [
    ...(signs && findNotify(request, NotifyType.SIGNATURE_HASH_ALGORITHMS) ? [hashAlgorithms()] : []),
    ...requestsOf(trusts),
    ...(isLong ? methodsOf(trusts) : []),
  ]
}

/** Before AUTH in IKE_AUTH. */
export function certificatesOf({ auth }: PeerConfig): Payload[] {
  return auth.local.kind === 'signature' ? auth.local.certificates.map((certificate) => ({ type: 'CERT', ...certificate })) : []
}

/** Of an initiator's IKE_AUTH. */
export function certificateRequests({ auth }: PeerConfig): Payload[] {
  return auth.remote.kind === 'signature' ? [...requestsOf([auth.remote]), ...methodsOf([auth.remote])] : []
}

export function certificatesIn(payloads: readonly Payload[]): CertificatePayload[] {
  return payloads.flatMap((payload) => (payload.type === 'CERT' ? [{ encoding: payload.encoding, data: payload.data }] : []))
}

export function readPeerSignatures(payloads: readonly Payload[]): PeerSignatures {
  const hashes = findNotify(payloads, NotifyType.SIGNATURE_HASH_ALGORITHMS)?.data
  return {
    hashAlgorithms: hashes && Array.from({ length: hashes.length >> 1 }, (_, index) => (hashes[2 * index]! << 8) | hashes[2 * index + 1]!),
    authMethods: readAuthMethods(payloads),
  }
}

/** The announcements of all notifications together (RFC 9593 §3.1); `undefined` where there are none. */
export function readAuthMethods(payloads: readonly Payload[]): Uint8Array | undefined {
  const lists = payloads.flatMap((payload) =>
    payload.type === 'N' && payload.notifyType === NotifyType.SUPPORTED_AUTH_METHODS ? [payload.data] : [],
  )
  const all = concat(...lists)
  return all.length > 0 ? all : undefined
}

function hashAlgorithms(): Payload {
  return notify(NotifyType.SIGNATURE_HASH_ALGORITHMS, Uint8Array.from(HASHES.flatMap((hash) => [hash >> 8, hash & 0xff])))
}

/** One CERTREQ for each encoding, with all authorities. */
function requestsOf(trusts: readonly SignatureTrust[]): Payload[] {
  const requests = trusts.flatMap((trust) => trust.requests)
  return [...new Set(requests.map(({ encoding }) => encoding))].map((encoding) => {
    const authorities = distinct(requests.filter((one) => one.encoding === encoding).flatMap((one) => hashesIn(one.authorities)))
    return { type: 'CERTREQ', encoding, authorities: authorities.length > MOST_AUTHORITIES ? new Uint8Array(0) : concat(...authorities) }
  })
}

function methodsOf(trusts: readonly SignatureTrust[]): Payload[] {
  const [data] = distinct(trusts.map(({ authMethods }) => authMethods))
  return data && data.length > 0 ? [notify(NotifyType.SUPPORTED_AUTH_METHODS, data)] : []
}

function hashesIn(authorities: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.floor(authorities.length / HASH_LENGTH) }, (_, index) =>
    authorities.subarray(index * HASH_LENGTH, (index + 1) * HASH_LENGTH),
  )
}

function distinct(list: readonly Uint8Array[]): Uint8Array[] {
  return list.filter((one, index) => list.findIndex((other) => equal(one, other)) === index)
}
