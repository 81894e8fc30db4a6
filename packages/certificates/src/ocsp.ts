/** The Online Certificate Status Protocol (RFC 6960), and its answers in CERT payloads (RFC 4806). */
import { createHash } from 'node:crypto'
import {
  BasicOCSPResponse,
  CertID,
  OCSPRequest,
  OCSPResponse,
  OCSPResponseStatus,
  Request,
  type SingleResponse,
  TBSRequest,
} from '@peculiar/asn1-ocsp'
import { OctetString } from '@peculiar/asn1-schema'
import { AlgorithmIdentifier, SubjectPublicKeyInfo } from '@peculiar/asn1-x509'
import { type Certificate, readCertificate } from './certificate.ts'
import { CertificateError } from './certificate-error.ts'
import { decode, encode, hex, isEqual, octetsOf } from './der.ts'
import { signatureAlgorithmOf, verifyWith } from './signature-algorithm.ts'

/** Octets. */
export const MAX_OCSP_LENGTH = 65_536

export interface OcspStatus {
  readonly status: 'good' | 'revoked'
  /** Milliseconds since 1970: when it is to be asked anew. */
  readonly until: number
}

const SHA1 = '1.3.14.3.2.26'
const HASHES: Readonly<Record<string, string>> = { [SHA1]: 'sha1', '2.16.840.1.101.3.4.2.1': 'sha256' }
const BASIC = '1.3.6.1.5.5.7.48.1.1'
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'

/** Clocks that differ, and an answer without nextUpdate; milliseconds. */
const SKEW = 300_000
const DAY = 86_400_000

/** An OCSPRequest for one certificate, DER. SHA-1 names here, and protects nothing (RFC 6960 §4.3). */
export function ocspRequest(certificate: Certificate, issuer: Certificate): Uint8Array {
  const reqCert = new CertID({
    hashAlgorithm: new AlgorithmIdentifier({ algorithm: SHA1, parameters: Uint8Array.of(5, 0).buffer }),
    issuerNameHash: new OctetString(digest('sha1', issuer.subject)),
    issuerKeyHash: new OctetString(digest('sha1', keyBitsOf(issuer))),
    serialNumber: Uint8Array.from(Buffer.from(certificate.serialNumber, 'hex')).buffer,
  })
  return encode(new OCSPRequest({ tbsRequest: new TBSRequest({ requestList: [new Request({ reqCert })] }) }))
}

/** What a response says of `certificate`; `undefined` where it says nothing that counts. Throws `CertificateError` where it is none, or is forged. */
export function readOcspResponse(der: Uint8Array, certificate: Certificate, issuer: Certificate, now: number): OcspStatus | undefined {
  if (der.length > MAX_OCSP_LENGTH) throw new CertificateError('LIMIT_EXCEEDED', `an OCSP response of ${der.length} octets`)
  const { responseStatus, responseBytes } = decode(der, OCSPResponse, 'OCSPResponse')
  if (responseStatus !== OCSPResponseStatus.successful || responseBytes?.responseType !== BASIC) return undefined
  const basic = decode(octetsOf(responseBytes.response.buffer), BasicOCSPResponse, 'BasicOCSPResponse')
  const answer = basic.tbsResponseData.responses.find((one) => isAbout(one, certificate, issuer))
  if (!answer || !basic.tbsResponseDataRaw) return undefined
  const thisUpdate = answer.thisUpdate.getTime()
  const until = answer.nextUpdate?.getTime() ?? thisUpdate + DAY
  if (now < thisUpdate - SKEW || now > until + SKEW) return undefined
  const signer = responderOf(basic, issuer, now)
  const algorithm = signatureAlgorithmOf(basic.signatureAlgorithm)
  if (!verifyWith(signer.publicKey, algorithm, octetsOf(basic.tbsResponseDataRaw), octetsOf(basic.signature)))
    throw new CertificateError('BAD_SIGNATURE', 'an OCSP response that its responder did not sign')
  // The choice of CertStatus that is NULL is told by what the others are not.
  if (answer.certStatus.revoked) return { status: 'revoked', until }
  return answer.certStatus.good === undefined ? undefined : { status: 'good', until }
}

function isAbout({ certID }: SingleResponse, certificate: Certificate, issuer: Certificate): boolean {
  const hash = HASHES[certID.hashAlgorithm.algorithm]
  if (hash === undefined || hex(octetsOf(certID.serialNumber)) !== certificate.serialNumber) return false
  return (
    isEqual(octetsOf(certID.issuerNameHash.buffer), digest(hash, issuer.subject)) &&
    isEqual(octetsOf(certID.issuerKeyHash.buffer), digest(hash, keyBitsOf(issuer)))
  )
}

/** The CA itself, or one that it has named for this with a certificate of its own (RFC 6960 §4.2.2.2). */
function responderOf(basic: BasicOCSPResponse, issuer: Certificate, now: number): Certificate {
  const [first] = basic.certs ?? []
  if (!first) return issuer
  const signer = readCertificate(encode(first))
  if (isEqual(signer.der, issuer.der)) return issuer
  const { extendedKeyUsage, unknownCritical } = signer.extensions
  if (!extendedKeyUsage?.includes(OCSP_SIGNING) || signer.canonicalIssuer !== issuer.canonicalSubject || unknownCritical.length > 0)
    throw new CertificateError('EXTENDED_KEY_USAGE', `"${signer.subjectText}" may not answer by OCSP for "${issuer.subjectText}"`)
  if (now < signer.notBefore || now > signer.notAfter)
    throw new CertificateError('EXPIRED', `the OCSP responder "${signer.subjectText}" is not valid now`)
  if (!verifyWith(issuer.publicKey, signer.signatureAlgorithm, signer.tbs, signer.signature))
    throw new CertificateError('BAD_SIGNATURE', `the OCSP responder "${signer.subjectText}" is not certified by "${issuer.subjectText}"`)
  return signer
}

function keyBitsOf({ publicKey }: Certificate): Uint8Array {
  return octetsOf(decode(publicKey.spki, SubjectPublicKeyInfo, 'SubjectPublicKeyInfo').subjectPublicKey)
}

function digest(hash: string, octets: Uint8Array): Uint8Array {
  return new Uint8Array(createHash(hash).update(octets).digest())
}
