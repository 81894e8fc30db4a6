/** What of a certificate an identity of IKE must equal (RFC 7296 §3.5, RFC 4945 §3.1). */
import type { Certificate } from './certificate.ts'
import { CertificateError } from './certificate-error.ts'
import { isEqual } from './der.ts'
import { canonicalNameOf } from './name.ts'

/** IDi or IDr. */
export interface Identity {
  readonly idType: number
  readonly data: Uint8Array
}

const ID_IPV4_ADDR = 1
const ID_FQDN = 2
const ID_RFC822_ADDR = 3
const ID_IPV6_ADDR = 5
const ID_DER_ASN1_DN = 9

/** No wildcards, and no names out of the subject but the whole of it. Throws `CertificateError` 'IDENTITY_MISMATCH'. */
export function bindIdentity(identity: Identity, certificate: Certificate): void {
  if (isNamed(identity, certificate)) return
  const { subjectText } = certificate
  const what = KINDS[identity.idType]
  const detail = what
    ? `the certificate "${subjectText}" does not have the identity claimed as ${what}`
    : `an identity of type ${identity.idType} stands in no certificate`
  throw new CertificateError('IDENTITY_MISMATCH', detail, { subject: subjectText })
}

const KINDS: Readonly<Record<number, string>> = {
  [ID_IPV4_ADDR]: 'an IP address in subjectAltName',
  [ID_IPV6_ADDR]: 'an IP address in subjectAltName',
  [ID_FQDN]: 'a DNS name in subjectAltName',
  [ID_RFC822_ADDR]: 'an e-mail address in subjectAltName',
  [ID_DER_ASN1_DN]: 'its subject',
}

function isNamed({ idType, data }: Identity, { canonicalSubject, extensions: { names } }: Certificate): boolean {
  switch (idType) {
    case ID_IPV4_ADDR:
    case ID_IPV6_ADDR:
      return names.ip.some((address) => isEqual(address, data))
    case ID_FQDN:
      return names.dns.includes(textOf(data).toLowerCase())
    case ID_RFC822_ADDR:
      return names.email.includes(textOf(data).toLowerCase())
    case ID_DER_ASN1_DN:
      return canonicalSubject !== '[]' && canonicalNameOf(data) === canonicalSubject
    default:
      return false
  }
}

function textOf(data: Uint8Array): string {
  return String.fromCharCode(...data.subarray(0, 1024))
}
