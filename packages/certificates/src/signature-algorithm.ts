/** Signature algorithms as AlgorithmIdentifiers (RFC 7427 Appendix A, RFC 8410), and their mathematics by node:crypto. */
import { constants, type KeyObject, sign, verify } from 'node:crypto'
import { AlgorithmIdentifier } from '@peculiar/asn1-x509'
import { CertificateError } from './certificate-error.ts'
import { decode, fromHex, octetsOf } from './der.ts'
import { type Hash, pssParametersOf } from './pss-parameters.ts'
import type { KeyKind, PublicKey } from './public-key.ts'

export type Scheme = 'rsa-pkcs1' | 'rsa-pss' | 'ecdsa' | 'Ed25519' | 'Ed448'

export interface SignatureAlgorithm {
  readonly scheme: Scheme
  /** `undefined`: the scheme has its own. */
  readonly hash: Hash | undefined
  /** RSASSA-PSS: octets. */
  readonly saltLength: number
}

/** Below it nothing is believed (RFC 8247 §3.1: "SHOULD NOT"). */
const LEAST_RSA_BITS = 2048

const BY_OID: Readonly<Record<string, SignatureAlgorithm>> = {
  '1.2.840.113549.1.1.5': { scheme: 'rsa-pkcs1', hash: 'sha1', saltLength: 0 },
  '1.2.840.113549.1.1.11': { scheme: 'rsa-pkcs1', hash: 'sha256', saltLength: 0 },
  '1.2.840.113549.1.1.12': { scheme: 'rsa-pkcs1', hash: 'sha384', saltLength: 0 },
  '1.2.840.113549.1.1.13': { scheme: 'rsa-pkcs1', hash: 'sha512', saltLength: 0 },
  '1.2.840.10045.4.1': { scheme: 'ecdsa', hash: 'sha1', saltLength: 0 },
  '1.2.840.10045.4.3.2': { scheme: 'ecdsa', hash: 'sha256', saltLength: 0 },
  '1.2.840.10045.4.3.3': { scheme: 'ecdsa', hash: 'sha384', saltLength: 0 },
  '1.2.840.10045.4.3.4': { scheme: 'ecdsa', hash: 'sha512', saltLength: 0 },
  '1.3.101.112': { scheme: 'Ed25519', hash: undefined, saltLength: 0 },
  '1.3.101.113': { scheme: 'Ed448', hash: undefined, saltLength: 0 },
}

const RSASSA_PSS = '1.2.840.113549.1.1.10'

/** Throws `CertificateError` 'MALFORMED' or 'UNSUPPORTED'. */
export function readSignatureAlgorithm(der: Uint8Array): SignatureAlgorithm {
  return signatureAlgorithmOf(decode(der, AlgorithmIdentifier, 'AlgorithmIdentifier'))
}

export function signatureAlgorithmOf({ algorithm, parameters }: AlgorithmIdentifier): SignatureAlgorithm {
  if (algorithm === RSASSA_PSS) {
    if (!parameters) throw new CertificateError('MALFORMED', 'RSASSA-PSS without its parameters')
    return { scheme: 'rsa-pss', ...pssParametersOf(octetsOf(parameters)) }
  }
  const known = BY_OID[algorithm]
  if (known) return known
  throw new CertificateError('UNSUPPORTED', `the signature algorithm ${algorithm} is not supported`)
}

/** The AlgorithmIdentifier that is sent for it; SHA-1 is never. */
export function encodeSignatureAlgorithm({ scheme, hash }: SignatureAlgorithm): Uint8Array {
  const text = IDENTIFIERS[`${scheme} ${hash ?? ''}`.trim()]
  if (text === undefined) throw new CertificateError('UNSUPPORTED', `${scheme} with ${hash} is not made here`)
  return fromHex(text)
}

/**
 * RFC 7427 Appendix A and RFC 8410 §3; RSASSA-PSS with a salt as long as the hash (RFC 8247 §3.2), and without the trailerField that the appendix
 * writes: DER leaves out what is the default, and Libreswan compares octets.
 */
const IDENTIFIERS: Readonly<Record<string, string>> = {
  'rsa-pkcs1 sha256': '300d06092a864886f70d01010b0500',
  'rsa-pkcs1 sha384': '300d06092a864886f70d01010c0500',
  'rsa-pkcs1 sha512': '300d06092a864886f70d01010d0500',
  'rsa-pss sha256': pssIdentifier('01', '20'),
  'rsa-pss sha384': pssIdentifier('02', '30'),
  'rsa-pss sha512': pssIdentifier('03', '40'),
  'ecdsa sha256': '300a06082a8648ce3d040302',
  'ecdsa sha384': '300a06082a8648ce3d040303',
  'ecdsa sha512': '300a06082a8648ce3d040304',
  Ed25519: '300506032b6570',
  Ed448: '300506032b6571',
}

function pssIdentifier(hash: string, salt: string): string {
  const hashAlgorithm = `300d06096086480165030402${hash}0500`
  return `304106092a864886f70d01010a3034a00f${hashAlgorithm}a11c301a06092a864886f70d010108${hashAlgorithm}a2030201${salt}`
}

/** Octets of a digest. */
export function digestLength(hash: Hash): number {
  return { sha1: 20, sha256: 32, sha384: 48, sha512: 64 }[hash]
}

/** Whether a key of that kind can make such a signature. */
export function fits(kind: KeyKind, { scheme }: SignatureAlgorithm): boolean {
  if (scheme === 'rsa-pkcs1' || scheme === 'rsa-pss') return kind === 'rsa'
  return scheme === 'ecdsa' ? kind.startsWith('P-') : kind === scheme
}

/** ECDSA's signatures are DER (RFC 3279 §2.2.3), as in certificates and in AUTH method 14. */
export function signWith(key: KeyObject, { scheme, hash, saltLength }: SignatureAlgorithm, octets: Uint8Array): Uint8Array {
  const options = scheme === 'rsa-pss' ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength } : key
  return new Uint8Array(sign(hash ?? null, octets, options))
}

/**
 * False where the signature is wrong. Throws `CertificateError` 'WRONG_METHOD' where the key cannot have made it, 'WEAK_ALGORITHM' for SHA-1 and for
 * RSA below 2048 bits.
 */
export function verifyWith(key: PublicKey, algorithm: SignatureAlgorithm, octets: Uint8Array, signature: Uint8Array): boolean {
  const { scheme, hash, saltLength } = algorithm
  if (!fits(key.kind, algorithm))
    throw new CertificateError('WRONG_METHOD', `a signature by ${scheme} cannot be of a key of kind ${key.kind}`)
  if (hash === 'sha1') throw new CertificateError('WEAK_ALGORITHM', 'signatures with SHA-1 prove nothing any more')
  if (key.kind === 'rsa' && key.bits < LEAST_RSA_BITS) throw new CertificateError('WEAK_ALGORITHM', `an RSA key of ${key.bits} bits`)
  checkPssKey(key, algorithm)
  // RFC 8032 §5.2.2: the bits above y in R are zero, which Deno does not look at.
  if (scheme === 'Ed448' && (signature.length !== 114 || (signature[56]! & 0x7f) !== 0)) return false
  const padding = scheme === 'rsa-pss' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
  const options = key.kind === 'rsa' ? { key: key.handle, padding, ...(scheme === 'rsa-pss' ? { saltLength } : {}) } : key.handle
  try {
    return verify(hash ?? null, octets, options, signature)
  } catch {
    // OpenSSL and its kin report some malformed signatures as errors.
    return false
  }
}

/** RFC 4055 §3.3: a key for PSS makes no other signature, and the salt is at least as long as it says. */
function checkPssKey({ pss }: PublicKey, { scheme, hash, saltLength }: SignatureAlgorithm): void {
  if (!pss) return
  const { parameters } = pss
  if (scheme !== 'rsa-pss' || (parameters && (parameters.hash !== hash || saltLength < parameters.saltLength)))
    throw new CertificateError('WRONG_METHOD', 'the key is for RSASSA-PSS with other parameters')
}
