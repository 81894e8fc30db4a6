/** Signatures in the AUTH payload (RFC 7296 §3.8, RFC 4754, RFC 7427, RFC 8420) and which of them to use. */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import type { Announcement } from './auth-announcement.ts'
import { CertificateError } from './certificate-error.ts'
import { lengthOf } from './der.ts'
import type { Hash } from './pss-parameters.ts'
import { type KeyKind, kindOf, type PublicKey } from './public-key.ts'
import {
  digestLength,
  encodeSignatureAlgorithm,
  readSignatureAlgorithm,
  type SignatureAlgorithm,
  signWith,
  verifyWith,
} from './signature-algorithm.ts'

/** IANA "IKEv2 Authentication Method": those that are signatures. */
export const AuthMethod = {
  RSA_DIGITAL_SIGNATURE: 1,
  ECDSA_SHA256_P256: 9,
  ECDSA_SHA384_P384: 10,
  ECDSA_SHA512_P521: 11,
  DIGITAL_SIGNATURE: 14,
} as const

/** Method and Authentication Data of an AUTH payload. */
export interface AuthData {
  readonly method: number
  readonly data: Uint8Array
}

/** What is known of the peer that is to believe a signature. */
export interface Preferences {
  /** Of its SIGNATURE_HASH_ALGORITHMS (RFC 7427 §4); `undefined`: it sent none, and knows no method 14. */
  readonly hashAlgorithms: readonly number[] | undefined
  /** Of its SUPPORTED_AUTH_METHODS (RFC 9593), in its order; `undefined` or empty: it sent none. */
  readonly announcements?: readonly Announcement[] | undefined
  /** RSA: PSS where the peer's hashes allow method 14 (RFC 8247 §3.2); false: PKCS#1 v1.5. True if left out. */
  readonly prefersPss?: boolean | undefined
}

/** IANA "IKEv2 Hash Algorithms" by our names; the strongest first is not wanted: SHA-256 is what everybody has (RFC 8247 §3.2). */
const HASHES: Readonly<Record<number, Hash>> = { 2: 'sha256', 3: 'sha384', 4: 'sha512' }
const IDENTITY = 5

/** ECDSA in certificates and AUTH: the hash that is as strong as the curve comes first. */
const PREFERRED_HASHES: Readonly<Record<KeyKind, readonly number[]>> = {
  rsa: [2, 3, 4],
  'P-256': [2, 3, 4],
  'P-384': [3, 4, 2],
  'P-521': [4, 3, 2],
  Ed25519: [IDENTITY],
  Ed448: [IDENTITY],
}

/** RFC 4754 §3: a curve and a hash each, and the signature r | s in the field's octets, with no DER. */
const FIXED_ECDSA: Readonly<Record<number, { readonly kind: KeyKind; readonly hash: Hash; readonly octets: number }>> = {
  9: { kind: 'P-256', hash: 'sha256', octets: 64 },
  10: { kind: 'P-384', hash: 'sha384', octets: 96 },
  11: { kind: 'P-521', hash: 'sha512', octets: 132 },
}

/** Signs `octets` (RFC 7296 §2.15) by a method that the peer takes. Throws `CertificateError` 'WRONG_METHOD' where there is none. */
export function signAuth(key: KeyObject, octets: Uint8Array, preferences: Preferences): AuthData {
  const kind = kindOf(key)
  if (kind === undefined) throw new CertificateError('UNSUPPORTED', `a private key of the kind ${key.asymmetricKeyType} makes no AUTH`)
  const isPssOnly = key.asymmetricKeyType === 'rsa-pss'
  const algorithm = digitalSignatureFor(kind, isPssOnly, preferences)
  if (algorithm) {
    const identifier = encodeSignatureAlgorithm(algorithm)
    const signature = signWith(key, algorithm, octets)
    return { method: AuthMethod.DIGITAL_SIGNATURE, data: Uint8Array.from([identifier.length, ...identifier, ...signature]) }
  }
  const announced = preferences.announcements ?? []
  const isTaken = (method: number): boolean => announced.length === 0 || announced.some((one) => one.method === method)
  if (kind === 'rsa' && !isPssOnly && isTaken(AuthMethod.RSA_DIGITAL_SIGNATURE))
    // RFC 8247 §3.1 has no more than SHA-1 for method 1; RFC 7296 §3.8 lets the hash be chosen, and peers read it from the signature.
    return { method: AuthMethod.RSA_DIGITAL_SIGNATURE, data: new Uint8Array(sign('sha256', octets, key)) }
  for (const [method, fixed] of Object.entries(FIXED_ECDSA))
    if (fixed.kind === kind && isTaken(Number(method)))
      return { method: Number(method), data: new Uint8Array(sign(fixed.hash, octets, { key, dsaEncoding: 'ieee-p1363' })) }
  throw new CertificateError('WRONG_METHOD', `the peer takes no signature that a key of the kind ${kind} can make`)
}

/**
 * Verifies AUTH; returns where it is right. Throws `CertificateError`: 'BAD_SIGNATURE', 'WRONG_METHOD', 'WEAK_ALGORITHM', 'MALFORMED',
 * 'UNSUPPORTED'. Method 1 may be with SHA-2; SHA-1 is refused in all of them.
 */
export function verifyAuth(key: PublicKey, octets: Uint8Array, { method, data }: AuthData): void {
  if (!isRight(key, octets, method, data))
    throw new CertificateError('BAD_SIGNATURE', 'the signature in AUTH is not of the key of the certificate, or of other octets')
}

function isRight(key: PublicKey, octets: Uint8Array, method: number, data: Uint8Array): boolean {
  if (method === AuthMethod.DIGITAL_SIGNATURE) {
    const { algorithm, signature } = readDigitalSignature(data)
    return verifyWith(key, algorithm, octets, signature)
  }
  if (method === AuthMethod.RSA_DIGITAL_SIGNATURE)
    return (['sha256', 'sha384', 'sha512'] as const).some((hash) =>
      verifyWith(key, { scheme: 'rsa-pkcs1', hash, saltLength: 0 }, octets, data),
    )
  const fixed = FIXED_ECDSA[method]
  if (!fixed) throw new CertificateError('WRONG_METHOD', `authentication method ${method} is no signature that is known here`)
  if (key.kind !== fixed.kind) throw new CertificateError('WRONG_METHOD', `authentication method ${method} and a key of kind ${key.kind}`)
  if (data.length !== fixed.octets) throw new CertificateError('MALFORMED', `authentication method ${method} with ${data.length} octets`)
  try {
    return verify(fixed.hash, octets, { key: key.handle, dsaEncoding: 'ieee-p1363' }, data)
  } catch {
    return false
  }
}

/** ASN.1 Length (1), AlgorithmIdentifier, signature (RFC 7427 §3). */
export function readDigitalSignature(data: Uint8Array): { readonly algorithm: SignatureAlgorithm; readonly signature: Uint8Array } {
  const length = data[0] ?? 0
  const identifier = data.subarray(1, 1 + length)
  if (length === 0 || identifier.length !== length || lengthOf(identifier) !== length)
    throw new CertificateError('MALFORMED', 'AUTH by method 14 without an AlgorithmIdentifier of the length that it tells')
  return { algorithm: readSignatureAlgorithm(identifier), signature: data.subarray(1 + length) }
}

/** What method 14 is made by; `undefined` where the peer does not have it, or nothing that fits. */
function digitalSignatureFor(kind: KeyKind, isPssOnly: boolean, preferences: Preferences): SignatureAlgorithm | undefined {
  const { hashAlgorithms, announcements = [] } = preferences
  if (hashAlgorithms === undefined) return undefined
  const candidates = PREFERRED_HASHES[kind].filter((hash) => hashAlgorithms.includes(hash)).flatMap((hash) => algorithmsOf(kind, hash))
  const usable = isPssOnly ? candidates.filter(({ scheme }) => scheme === 'rsa-pss') : candidates
  const wanted = preferences.prefersPss === false ? [...usable].sort((a, b) => rank(b) - rank(a)) : usable
  if (announcements.length === 0) return wanted[0]
  const announced = announcements.flatMap(({ method, algorithm }) =>
    method === AuthMethod.DIGITAL_SIGNATURE && algorithm ? readAnnounced(algorithm) : [],
  )
  return wanted.find(({ scheme, hash }) => announced.some((one) => one.scheme === scheme && one.hash === hash))
}

/** One algorithm can be written in several ways, and others are not known here. */
function readAnnounced(identifier: Uint8Array): SignatureAlgorithm[] {
  try {
    return [readSignatureAlgorithm(identifier)]
  } catch {
    return []
  }
}

function rank({ scheme }: SignatureAlgorithm): number {
  return scheme === 'rsa-pkcs1' ? 1 : 0
}

function algorithmsOf(kind: KeyKind, hashNumber: number): SignatureAlgorithm[] {
  const hash = HASHES[hashNumber]
  if (kind === 'Ed25519' || kind === 'Ed448') return [{ scheme: kind, hash: undefined, saltLength: 0 }]
  if (hash === undefined) return []
  if (kind !== 'rsa') return [{ scheme: 'ecdsa', hash, saltLength: 0 }]
  return [
    { scheme: 'rsa-pss', hash, saltLength: digestLength(hash) },
    { scheme: 'rsa-pkcs1', hash, saltLength: 0 },
  ]
}

/** The public half of a private key, as SubjectPublicKeyInfo. */
export function publicKeyOf(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' }))
}
