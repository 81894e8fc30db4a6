/** The extensions of a certificate (RFC 5280 §4.2) that are looked at. */
import {
  AuthorityInfoAccessSyntax,
  AuthorityKeyIdentifier,
  BasicConstraints,
  CRLDistributionPoints,
  ExtendedKeyUsage,
  type Extension,
  type GeneralName,
  KeyUsage,
  KeyUsageFlags,
  type Name,
  NameConstraints as NameConstraintsSchema,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
} from '@peculiar/asn1-x509'
import { CertificateError } from './certificate-error.ts'
import { decode, encode, hex, isEqual, octetsOf } from './der.ts'
import { type GeneralNames, type NameConstraints, readGeneralNames, readNameConstraints } from './general-names.ts'
import { emailsIn } from './name.ts'

export interface Extensions {
  readonly basicConstraints: { readonly isCa: boolean; readonly pathLength: number | undefined } | undefined
  readonly keyUsage: ReadonlySet<KeyUsageName> | undefined
  /** Object identifiers. */
  readonly extendedKeyUsage: readonly string[] | undefined
  readonly names: GeneralNames
  /** E-mail addresses of the subject, which only name constraints ask for (§4.2.1.10). */
  readonly subjectEmails: readonly string[]
  readonly nameConstraints: NameConstraints | undefined
  /** Hexadecimal. */
  readonly subjectKeyIdentifier: string | undefined
  readonly authorityKeyIdentifier: string | undefined
  /** Where to ask, http only. */
  readonly ocspUrls: readonly string[]
  readonly crlUrls: readonly string[]
  /** id-pkix-ocsp-nocheck (RFC 6960 §4.2.2.2.1). */
  readonly isOcspNoCheck: boolean
  /** Critical, and not known here: whoever meets one rejects the certificate (RFC 5280 §4.2). */
  readonly unknownCritical: readonly string[]
}

export type KeyUsageName = 'digitalSignature' | 'nonRepudiation' | 'keyCertSign' | 'cRLSign'

/** RFC 5280 §4.2 knows fewer than twenty. */
const MAX_EXTENSIONS = 64

const OCSP_ACCESS = '1.3.6.1.5.5.7.48.1'

/** Critical ones that are understood. Policies are not asked for here, so none can be missing (§6.1.1 with any-policy). */
const KNOWN: ReadonlySet<string> = new Set([
  '2.5.29.14',
  '2.5.29.15',
  '2.5.29.17',
  '2.5.29.18',
  '2.5.29.19',
  '2.5.29.30',
  '2.5.29.31',
  '2.5.29.32',
  '2.5.29.35',
  '2.5.29.37',
  '1.3.6.1.5.5.7.1.1',
])

/** Throws `CertificateError` 'MALFORMED' or 'LIMIT_EXCEEDED'. */
export function readExtensions(extensions: readonly Extension[], subject: Name): Extensions {
  if (extensions.length > MAX_EXTENSIONS) throw new CertificateError('LIMIT_EXCEEDED', `a certificate with ${extensions.length} extensions`)
  const byId = new Map<string, Uint8Array>()
  for (const { extnID, extnValue } of extensions) {
    if (byId.has(extnID)) throw new CertificateError('MALFORMED', `the extension ${extnID} stands twice`)
    byId.set(extnID, octetsOf(extnValue.buffer))
  }
  const read = <T>(id: string, schema: new () => T, what: string): T | undefined => {
    const octets = byId.get(id)
    return octets && decode(octets, schema, what)
  }
  const access = read('1.3.6.1.5.5.7.1.1', AuthorityInfoAccessSyntax, 'AuthorityInfoAccess')
  const points = read('2.5.29.31', CRLDistributionPoints, 'CRLDistributionPoints')
  const subjectKey = read('2.5.29.14', SubjectKeyIdentifier, 'SubjectKeyIdentifier')
  const authorityKey = read('2.5.29.35', AuthorityKeyIdentifier, 'AuthorityKeyIdentifier')?.keyIdentifier
  return {
    basicConstraints: basicConstraintsOf(read('2.5.29.19', BasicConstraints, 'BasicConstraints')),
    keyUsage: keyUsageOf(read('2.5.29.15', KeyUsage, 'KeyUsage')),
    extendedKeyUsage: listOf(read('2.5.29.37', ExtendedKeyUsage, 'ExtendedKeyUsage')),
    names: readGeneralNames([...(read('2.5.29.17', SubjectAlternativeName, 'SubjectAltName') ?? [])]),
    subjectEmails: emailsIn(subject),
    nameConstraints: nameConstraintsOf(byId.get('2.5.29.30')),
    subjectKeyIdentifier: subjectKey && hex(octetsOf(subjectKey.buffer)),
    authorityKeyIdentifier: authorityKey && hex(octetsOf(authorityKey.buffer)),
    ocspUrls: [...(access ?? [])].filter(({ accessMethod }) => accessMethod === OCSP_ACCESS).flatMap((one) => urlsOf([one.accessLocation])),
    crlUrls: [...(points ?? [])].flatMap((point) =>
      point.cRLIssuer || point.reasons ? [] : urlsOf(point.distributionPoint?.fullName ?? []),
    ),
    isOcspNoCheck: byId.has('1.3.6.1.5.5.7.48.1.5'),
    unknownCritical: extensions.filter(({ critical, extnID }) => critical && !KNOWN.has(extnID)).map(({ extnID }) => extnID),
  }
}

function basicConstraintsOf(found: BasicConstraints | undefined): Extensions['basicConstraints'] {
  if (!found) return undefined
  const { pathLenConstraint } = found
  const pathLength = pathLenConstraint === undefined ? undefined : Number(pathLenConstraint)
  if (pathLength !== undefined && !(pathLength >= 0))
    throw new CertificateError('MALFORMED', `BasicConstraints: pathLenConstraint ${pathLength}`)
  return { isCa: found.cA, pathLength }
}

function keyUsageOf(found: KeyUsage | undefined): Extensions['keyUsage'] {
  if (!found) return undefined
  const bits = found.toNumber()
  const names = ['digitalSignature', 'nonRepudiation', 'keyCertSign', 'cRLSign'] as const
  return new Set(names.filter((name) => (bits & KeyUsageFlags[name]) !== 0))
}

function listOf(found: Iterable<string> | undefined): readonly string[] | undefined {
  return found && [...found]
}

/** A mask with holes is no prefix (§4.2.1.10), and the schema would make one of it. */
function nameConstraintsOf(octets: Uint8Array | undefined): NameConstraints | undefined {
  if (!octets) return undefined
  const found = decode(octets, NameConstraintsSchema, 'NameConstraints')
  if (!isEqual(encode(found), octets)) throw new CertificateError('MALFORMED', 'NameConstraints: not DER, or a mask that is no prefix')
  return readNameConstraints(found)
}

function urlsOf(names: readonly GeneralName[]): string[] {
  return names.flatMap(({ uniformResourceIdentifier: url }) => (url !== undefined && /^http:\/\//i.test(url) ? [url] : []))
}
