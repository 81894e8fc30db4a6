/** Public keys out of a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7, RFC 4055 §1.2, RFC 5480, RFC 8410); the same on all runtimes. */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { AlgorithmIdentifier, SubjectPublicKeyInfo } from '@peculiar/asn1-x509'
import { CertificateError } from './certificate-error.ts'
import { decode, encode, octetsOf } from './der.ts'
import { type PssParameters, pssParametersOf } from './pss-parameters.ts'

export type KeyKind = 'rsa' | 'P-256' | 'P-384' | 'P-521' | 'Ed25519' | 'Ed448'

export interface PublicKey {
  readonly kind: KeyKind
  /** SubjectPublicKeyInfo, DER, as it came. */
  readonly spki: Uint8Array
  readonly handle: KeyObject
  /** RSA: of the modulus. */
  readonly bits: number
  /** An RSA key that says of itself that it is for PSS (RFC 4055 §1.2), and with which parameters if it says so. */
  readonly pss: { readonly parameters: PssParameters | undefined } | undefined
}

const RSA = '1.2.840.113549.1.1.1'
const RSASSA_PSS = '1.2.840.113549.1.1.10'
const MOST_BITS = 16_384

/** Throws `CertificateError` 'MALFORMED' or 'UNSUPPORTED'. */
export function readPublicKey(spki: Uint8Array): PublicKey {
  const info = decode(spki, SubjectPublicKeyInfo, 'SubjectPublicKeyInfo')
  const isPss = info.algorithm.algorithm === RSASSA_PSS
  const handle = handleOf(isPss ? asPlainRsa(info) : spki, info.algorithm.algorithm)
  const kind = kindOf(handle)
  if (kind === undefined)
    throw new CertificateError('UNSUPPORTED', `a public key of the algorithm ${info.algorithm.algorithm} is not supported`)
  const bits = kind === 'rsa' ? (handle.asymmetricKeyDetails?.modulusLength ?? 0) : 0
  if (bits > MOST_BITS) throw new CertificateError('LIMIT_EXCEEDED', `an RSA key of ${bits} bits`)
  const parameters = info.algorithm.parameters ? octetsOf(info.algorithm.parameters) : undefined
  return {
    kind,
    spki,
    handle,
    bits,
    pss: isPss ? { parameters: parameters && pssParametersOf(parameters) } : undefined,
  }
}

/** SHA-1 of the SubjectPublicKeyInfo: how CERTREQ names a CA (RFC 7296 §3.7). */
export function authorityHash(spki: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha1').update(spki).digest())
}

export function kindOf(handle: KeyObject): KeyKind | undefined {
  const type = handle.asymmetricKeyType
  if (type === 'rsa' || type === 'rsa-pss') return 'rsa'
  if (type === 'ed25519') return 'Ed25519'
  if (type === 'ed448') return 'Ed448'
  return type === 'ec' ? CURVES[handle.asymmetricKeyDetails?.namedCurve ?? ''] : undefined
}

const CURVES: Readonly<Record<string, KeyKind>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' }

function handleOf(spki: Uint8Array, algorithm: string): KeyObject {
  try {
    return createPublicKey({ key: asBuffer(spki), format: 'der', type: 'spki' })
  } catch (error) {
    // Runtimes differ in what they know, and in what they call it.
    const reason = error instanceof Error ? error.message : String(error)
    throw new CertificateError('UNSUPPORTED', `this runtime cannot use the public key (algorithm ${algorithm}): ${reason}`)
  }
}

/** Bun knows no RSASSA-PSS keys. What they may be used for is looked at here, not there. */
function asPlainRsa(info: SubjectPublicKeyInfo): Uint8Array {
  const algorithm = new AlgorithmIdentifier({ algorithm: RSA, parameters: Uint8Array.of(5, 0).buffer })
  return encode(new SubjectPublicKeyInfo({ algorithm, subjectPublicKey: info.subjectPublicKey }))
}

/** node:crypto takes DER as a Buffer. */
export function asBuffer(octets: Uint8Array): Buffer {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
}
