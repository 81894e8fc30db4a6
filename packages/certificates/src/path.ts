/**
 * Certification paths (RFC 5280 §6): found from the end entity upward, among certificates that anybody may have sent, and validated from the anchor
 * downward. What is cheap is looked at first; signatures are counted.
 */
import { type Certificate, isSelfIssued } from './certificate.ts'
import { CertificateError, type CertificateErrorCode } from './certificate-error.ts'
import { isEqual } from './der.ts'
import { violation } from './general-names.ts'
import { verifyWith } from './signature-algorithm.ts'

export interface PathLimits {
  /** Certificates in a path, end entity and anchor included. */
  readonly maxLength: number
  /** Certificates that are looked at beside the anchors. */
  readonly maxIntermediates: number
  readonly maxSignatureChecks: number
}

export const DEFAULT_PATH_LIMITS: PathLimits = { maxLength: 8, maxIntermediates: 16, maxSignatureChecks: 32 }

export interface PathQuestion {
  readonly endEntity: Certificate
  readonly intermediates: readonly Certificate[]
  readonly anchors: readonly Certificate[]
  /** Milliseconds since 1970. */
  readonly now: number
  /** Where the extended key usage extension is there it has one of these; `IKE_KEY_USAGES` if left out. */
  readonly extendedKeyUsages?: readonly string[]
  readonly limits?: PathLimits
}

/** id-kp-ipsecIKE (RFC 4945 §5.1.3.12), anyExtendedKeyUsage, and what certificates of gateways and users have that other software wants, too. */
export const IKE_KEY_USAGES: readonly string[] = [
  '1.3.6.1.5.5.7.3.17',
  '2.5.29.37.0',
  '1.3.6.1.5.5.7.3.1',
  '1.3.6.1.5.5.7.3.2',
  '1.3.6.1.5.5.8.2.2',
]

/**
 * The path from the end entity to an anchor. An end entity that is an anchor itself is a path of one. Throws `CertificateError`, of the path that came
 * furthest where several were tried.
 */
export function findPath(question: PathQuestion): Certificate[] {
  const limits = question.limits ?? DEFAULT_PATH_LIMITS
  if (question.intermediates.length > limits.maxIntermediates)
    throw new CertificateError(
      'LIMIT_EXCEEDED',
      `${question.intermediates.length} certificates were sent, and ${limits.maxIntermediates} are looked at`,
    )
  const search: Search = { question, limits, checks: 0, failure: undefined }
  checkAsEndEntity(question)
  const path = extend(search, [question.endEntity])
  if (path) return path
  throw (
    search.failure?.error ??
    fail('UNKNOWN_ISSUER', question.endEntity, `is issued by "${question.endEntity.issuerText}", which is not trusted`)
  )
}

interface Search {
  readonly question: PathQuestion
  readonly limits: PathLimits
  checks: number
  /** The one that came furthest. */
  failure: { readonly depth: number; readonly error: CertificateError } | undefined
}

/** `path`: from the end entity upward, signatures verified but for that of its last. */
function extend(search: Search, path: readonly Certificate[]): Certificate[] | undefined {
  const last = path[path.length - 1]!
  const { anchors } = search.question
  if (anchors.some(({ der }) => isEqual(der, last.der))) {
    const error = problemOf(search.question, path)
    if (!error) return [...path]
    remember(search, path.length, error)
    return undefined
  }
  if (path.length >= search.limits.maxLength) {
    remember(search, path.length, fail('LIMIT_EXCEEDED', last, `has a path of more than ${search.limits.maxLength} certificates`))
    return undefined
  }
  for (const issuer of issuersOf(search.question, last)) {
    if (path.some(({ publicKey, canonicalSubject }) => isSameEntity(issuer, publicKey.spki, canonicalSubject))) continue
    const error = issuerProblem(search, last, issuer)
    if (error) remember(search, path.length, error)
    else {
      const found = extend(search, [...path, issuer])
      if (found) return found
    }
  }
  return undefined
}

function isSameEntity(a: Certificate, spki: Uint8Array, canonicalSubject: string): boolean {
  return a.canonicalSubject === canonicalSubject && isEqual(a.publicKey.spki, spki)
}

/** By name; anchors first, and those whose key identifier is named. */
function issuersOf({ anchors, intermediates }: PathQuestion, certificate: Certificate): Certificate[] {
  const wanted = certificate.extensions.authorityKeyIdentifier
  const isNamed = ({ extensions }: Certificate): boolean => wanted === undefined || extensions.subjectKeyIdentifier === wanted
  const issuers = [...anchors, ...intermediates].filter(({ canonicalSubject }) => canonicalSubject === certificate.canonicalIssuer)
  return [...issuers.filter(isNamed), ...issuers.filter((issuer) => !isNamed(issuer))]
}

function issuerProblem(search: Search, certificate: Certificate, issuer: Certificate): CertificateError | undefined {
  const { keyUsage } = issuer.extensions
  if (issuer.version === 3 ? issuer.extensions.basicConstraints?.isCa !== true : !search.question.anchors.includes(issuer))
    return fail('NOT_A_CA', issuer, 'is no CA and has issued a certificate')
  if (keyUsage && !keyUsage.has('keyCertSign')) return fail('KEY_USAGE', issuer, 'may not sign certificates (keyCertSign)')
  if (++search.checks > search.limits.maxSignatureChecks)
    throw new CertificateError('LIMIT_EXCEEDED', `no path was found with ${search.limits.maxSignatureChecks} signatures looked at`)
  try {
    if (verifyWith(issuer.publicKey, certificate.signatureAlgorithm, certificate.tbs, certificate.signature)) return undefined
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    return fail(error.code, certificate, `is signed in a way that is not believed: ${error.message}`)
  }
  return fail('BAD_SIGNATURE', certificate, `is not signed by "${issuer.subjectText}"`)
}

/** RFC 4945 §5.1.3.2 and §5.1.3.12. */
function checkAsEndEntity({ endEntity, extendedKeyUsages = IKE_KEY_USAGES }: PathQuestion): void {
  const { keyUsage, extendedKeyUsage } = endEntity.extensions
  if (keyUsage && !keyUsage.has('digitalSignature') && !keyUsage.has('nonRepudiation'))
    throw fail('KEY_USAGE', endEntity, 'may not sign (digitalSignature or nonRepudiation)')
  if (extendedKeyUsage && !extendedKeyUsage.some((usage) => extendedKeyUsages.includes(usage)))
    throw fail('EXTENDED_KEY_USAGE', endEntity, `is for other uses: ${extendedKeyUsage.slice(0, 8).join(', ')}`)
}

/** §6.1.3, §6.1.4 and §6.1.5 but for signatures; constraints of the anchor count like those of others (RFC 5937). */
function problemOf(question: PathQuestion, path: readonly Certificate[]): CertificateError | undefined {
  const { now, extendedKeyUsages = IKE_KEY_USAGES } = question
  for (const certificate of path) {
    const { extensions } = certificate
    const [unknown] = extensions.unknownCritical
    if (unknown !== undefined) return fail('UNSUPPORTED', certificate, `has the critical extension ${unknown}, which is not known here`)
    if (now < certificate.notBefore) return fail('NOT_YET_VALID', certificate, `is valid from ${dateOf(certificate.notBefore)} on`)
    if (now > certificate.notAfter) return fail('EXPIRED', certificate, `was valid until ${dateOf(certificate.notAfter)}`)
    if (extensions.extendedKeyUsage && !extensions.extendedKeyUsage.some((usage) => extendedKeyUsages.includes(usage)))
      return fail('EXTENDED_KEY_USAGE', certificate, 'is for other uses')
  }
  for (let index = 1; index < path.length; index++) {
    const issuer = path[index]!
    const below = path.slice(0, index)
    const { basicConstraints, nameConstraints } = issuer.extensions
    const intermediates = below.slice(1).filter((certificate) => !isSelfIssued(certificate)).length
    if (basicConstraints?.pathLength !== undefined && intermediates > basicConstraints.pathLength)
      return fail('PATH_TOO_LONG', issuer, `allows ${basicConstraints.pathLength} CAs below it, and has ${intermediates}`)
    if (!nameConstraints) continue
    for (const [depth, certificate] of below.entries()) {
      // §6.1.3 b: a self-issued certificate in between has the name of its CA.
      if (depth > 0 && isSelfIssued(certificate)) continue
      const { names, subjectEmails } = certificate.extensions
      const why = violation(nameConstraints, names, JSON.parse(certificate.canonicalSubject) as string[], subjectEmails)
      if (why) return fail('NAME_CONSTRAINTS', certificate, `has ${why} by "${issuer.subjectText}"`)
    }
  }
  return undefined
}

/** The longest path says most; of those of one length the first. */
function remember(search: Search, depth: number, error: CertificateError): void {
  if (!search.failure || depth > search.failure.depth) search.failure = { depth, error }
}

function fail(code: CertificateErrorCode, certificate: Certificate, what: string): CertificateError {
  return new CertificateError(code, `the certificate "${certificate.subjectText}" ${what}`, { subject: certificate.subjectText })
}

function dateOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}
