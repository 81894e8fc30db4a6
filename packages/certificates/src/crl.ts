/** Certificate revocation lists (RFC 5280 §5). */
import { CertificateList } from '@peculiar/asn1-x509'
import type { Certificate } from './certificate.ts'
import { CertificateError } from './certificate-error.ts'
import { decode, hex, octetsOf } from './der.ts'
import { canonicalName } from './name.ts'
import { type SignatureAlgorithm, signatureAlgorithmOf, verifyWith } from './signature-algorithm.ts'

/** Octets; some 25,000 entries. */
export const MAX_CRL_LENGTH = 1_048_576

export interface Crl {
  readonly canonicalIssuer: string
  readonly thisUpdate: number
  /** Milliseconds since 1970. A list without it is old as soon as it is made (RFC 5280 §5.1.2.5 wants it). */
  readonly nextUpdate: number
  /** Serial numbers, hexadecimal. */
  readonly revoked: ReadonlySet<string>
  readonly tbs: Uint8Array
  readonly signature: Uint8Array
  readonly signatureAlgorithm: SignatureAlgorithm
}

/** CRL Number and Authority Key Identifier; of others that are critical a list cannot be read without knowing them. */
const KNOWN = ['2.5.29.20', '2.5.29.35']

/** Throws `CertificateError`. */
export function readCrl(der: Uint8Array): Crl {
  if (der.length > MAX_CRL_LENGTH) throw new CertificateError('LIMIT_EXCEEDED', `a CRL of ${der.length} octets`)
  const list = decode(der, CertificateList, 'CertificateList')
  const { tbsCertList } = list
  if (!list.tbsCertListRaw) throw new CertificateError('MALFORMED', 'CertificateList: no TBSCertList')
  const unknown = (tbsCertList.crlExtensions ?? []).find(({ critical, extnID }) => critical && !KNOWN.includes(extnID))
  if (unknown)
    throw new CertificateError('UNSUPPORTED', `a CRL with the critical extension ${unknown.extnID}: delta and partial lists are not read`)
  const entries = tbsCertList.revokedCertificates ?? []
  if (entries.some(({ crlEntryExtensions }) => (crlEntryExtensions ?? []).some(({ critical }) => critical)))
    throw new CertificateError('UNSUPPORTED', 'a CRL with critical extensions of entries: indirect lists are not read')
  return {
    canonicalIssuer: canonicalName(tbsCertList.issuer),
    thisUpdate: tbsCertList.thisUpdate.getTime().getTime(),
    nextUpdate: tbsCertList.nextUpdate?.getTime().getTime() ?? 0,
    revoked: new Set(entries.map(({ userCertificate }) => hex(octetsOf(userCertificate)))),
    tbs: octetsOf(list.tbsCertListRaw),
    signature: octetsOf(list.signature),
    signatureAlgorithm: signatureAlgorithmOf(list.signatureAlgorithm),
  }
}

/** Signed by `issuer`, and of today. */
export function isCurrentCrl(crl: Crl, issuer: Certificate, now: number): boolean {
  const { keyUsage } = issuer.extensions
  if (crl.canonicalIssuer !== issuer.canonicalSubject || (keyUsage && !keyUsage.has('cRLSign'))) return false
  if (now < crl.thisUpdate || now > crl.nextUpdate) return false
  return verifyWith(issuer.publicKey, crl.signatureAlgorithm, crl.tbs, crl.signature)
}
