/** Whether somebody is who he says in IKE_AUTH: signature, path, identity, revocation, in this order. */
import { type AuthData, verifyAuth } from './auth-method.ts'
import { type Certificate, readCertificate } from './certificate.ts'
import { CertificateError } from './certificate-error.ts'
import { isEqual } from './der.ts'
import { bindIdentity, type Identity } from './identity.ts'
import { findPath, type PathLimits } from './path.ts'
import { readPublicKey } from './public-key.ts'
import { checkRevocation, type Fetcher, type RevocationCache, type RevocationPolicy } from './revocation.ts'

/** IANA "IKEv2 Certificate Encodings" that are read. */
export const CertEncoding = { X509_SIGNATURE: 4, CRL: 7, OCSP_CONTENT: 14, RAW_PUBLIC_KEY: 15 } as const

/** A CERT payload (RFC 7296 §3.6). */
export interface CertificatePayload {
  readonly encoding: number
  readonly data: Uint8Array
}

/** What one connection believes. */
export interface Trust {
  readonly anchors: readonly Certificate[]
  /** SubjectPublicKeyInfo of peers that have no certificate (RFC 7670), whose identity is then what they say. */
  readonly rawPublicKeys?: readonly Uint8Array[]
  /** CRLs from files, DER. */
  readonly crls?: readonly Uint8Array[]
  readonly revocation: RevocationPolicy
  readonly extendedKeyUsages?: readonly string[]
  readonly limits?: PathLimits
}

export interface Claim {
  readonly identity: Identity
  readonly auth: AuthData
  /** What AUTH is about (RFC 7296 §2.15). */
  readonly octets: Uint8Array
  readonly certificates: readonly CertificatePayload[]
}

export interface Surroundings {
  /** Milliseconds since 1970. */
  readonly now: number
  readonly fetcher?: Fetcher
  readonly cache?: RevocationCache
}

export interface VerifiedClaim {
  /** The subject of the certificate, or 'a raw public key'; for people. */
  readonly who: string
  /** Milliseconds since 1970: when the first certificate of the path expires; `undefined`: no certificate. */
  readonly notAfter: number | undefined
}

const MAX_PAYLOADS = 32

/** Throws `CertificateError`, which says why not. */
export async function verifyPeer(claim: Claim, trust: Trust, surroundings: Surroundings): Promise<VerifiedClaim> {
  const { certificates, auth, octets, identity } = claim
  if (certificates.length > MAX_PAYLOADS) throw new CertificateError('LIMIT_EXCEEDED', `${certificates.length} CERT payloads`)
  const dataOf = (encoding: number): Uint8Array[] => certificates.filter((one) => one.encoding === encoding).map(({ data }) => data)
  const [first, ...rest] = dataOf(CertEncoding.X509_SIGNATURE)
  if (!first) return verifyRawPublicKey(claim, dataOf(CertEncoding.RAW_PUBLIC_KEY), trust)
  const endEntity = readCertificate(first)
  verifyAuth(endEntity.publicKey, octets, auth)
  const path = findPath({ endEntity, intermediates: readAll(rest), ...trust, now: surroundings.now })
  bindIdentity(identity, endEntity)
  const sources = {
    ...surroundings,
    policy: trust.revocation,
    stapled: dataOf(CertEncoding.OCSP_CONTENT),
    crls: [...(trust.crls ?? []), ...dataOf(CertEncoding.CRL)],
  }
  await checkRevocation(path, sources, surroundings.now)
  return { who: endEntity.subjectText, notAfter: Math.min(...path.map(({ notAfter }) => notAfter)) }
}

/** RFC 7670: the key itself is what is known. One that was not sent may be the only one that there is. */
function verifyRawPublicKey({ auth, octets }: Claim, sent: readonly Uint8Array[], { rawPublicKeys = [] }: Trust): VerifiedClaim {
  const [key = rawPublicKeys.length === 1 ? rawPublicKeys[0] : undefined] = sent
  if (!key) throw new CertificateError('UNKNOWN_ISSUER', 'no certificate and no public key was sent')
  if (!rawPublicKeys.some((known) => isEqual(known, key)))
    throw new CertificateError('UNKNOWN_ISSUER', 'the public key that was sent is not one of those that are known')
  verifyAuth(readPublicKey(key), octets, auth)
  return { who: 'a raw public key', notAfter: undefined }
}

/** What cannot be read is in no path. */
function readAll(ders: readonly Uint8Array[]): Certificate[] {
  return ders.flatMap((der) => {
    try {
      return [readCertificate(der)]
    } catch (error) {
      if (error instanceof CertificateError) return []
      throw error
    }
  })
}
