/** A certificate (RFC 5280 §4), read once into what paths, identities and revocation ask of it. */
import { Certificate as CertificateSchema, type Extension } from '@peculiar/asn1-x509'
import { CertificateError } from './certificate-error.ts'
import { decode, encode, hex, isEqual, lengthOf, octetsOf } from './der.ts'
import { type Extensions, readExtensions } from './extensions.ts'
import { canonicalName, describeName } from './name.ts'
import { type PublicKey, readPublicKey } from './public-key.ts'
import { type SignatureAlgorithm, signatureAlgorithmOf } from './signature-algorithm.ts'

/** Octets of one certificate; a chain of Wi-Fi routers has 1 to 2 kB each. */
export const MAX_CERTIFICATE_LENGTH = 32_768

export interface Certificate {
  readonly der: Uint8Array
  /** What the signature is over. */
  readonly tbs: Uint8Array
  readonly signature: Uint8Array
  readonly signatureAlgorithm: SignatureAlgorithm
  /** Hexadecimal. */
  readonly serialNumber: string
  /** Name, DER. */
  readonly subject: Uint8Array
  readonly issuer: Uint8Array
  /** The names as they are compared (RFC 5280 §7.1). */
  readonly canonicalSubject: string
  readonly canonicalIssuer: string
  /** For people: 'CN=gw.example, O=Example'. */
  readonly subjectText: string
  readonly issuerText: string
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  readonly version: number
  readonly publicKey: PublicKey
  readonly extensions: Extensions
}

/** Throws `CertificateError` 'MALFORMED', 'UNSUPPORTED' or 'LIMIT_EXCEEDED'. `der` is kept. */
export function readCertificate(der: Uint8Array): Certificate {
  if (der.length > MAX_CERTIFICATE_LENGTH) throw new CertificateError('LIMIT_EXCEEDED', `a certificate of ${der.length} octets`)
  const certificate = decode(der, CertificateSchema, 'Certificate')
  const { tbsCertificate } = certificate
  const tbs = certificate.tbsCertificateRaw && octetsOf(certificate.tbsCertificateRaw)
  if (!tbs || lengthOf(tbs) !== tbs.length) throw new CertificateError('MALFORMED', 'Certificate: no TBSCertificate')
  // RFC 5280 §4.1.1.2.
  if (!isEqual(encode(certificate.signatureAlgorithm), encode(tbsCertificate.signature)))
    throw new CertificateError('MALFORMED', 'Certificate: two signature algorithms that differ')
  return {
    der,
    tbs,
    signature: octetsOf(certificate.signatureValue),
    signatureAlgorithm: signatureAlgorithmOf(certificate.signatureAlgorithm),
    serialNumber: hex(octetsOf(tbsCertificate.serialNumber)),
    subject: encode(tbsCertificate.subject),
    issuer: encode(tbsCertificate.issuer),
    canonicalSubject: canonicalName(tbsCertificate.subject),
    canonicalIssuer: canonicalName(tbsCertificate.issuer),
    subjectText: describeName(tbsCertificate.subject),
    issuerText: describeName(tbsCertificate.issuer),
    notBefore: timeOf(tbsCertificate.validity.notBefore.getTime(), 'notBefore'),
    notAfter: timeOf(tbsCertificate.validity.notAfter.getTime(), 'notAfter'),
    version: Number(tbsCertificate.version) + 1,
    publicKey: readPublicKey(encode(tbsCertificate.subjectPublicKeyInfo)),
    extensions: readExtensions([...(tbsCertificate.extensions ?? [])] as Extension[], tbsCertificate.subject),
  }
}

export function isSelfIssued({ canonicalSubject, canonicalIssuer }: Certificate): boolean {
  return canonicalSubject === canonicalIssuer
}

function timeOf(date: Date, what: string): number {
  const time = date.getTime()
  if (Number.isNaN(time)) throw new CertificateError('MALFORMED', `Certificate: ${what} is no time`)
  return time
}
