/** subjectAltName (RFC 5280 §4.2.1.6) and name constraints on it (§4.2.1.10). */
import type { GeneralName, Name, NameConstraints as NameConstraintsSchema } from '@peculiar/asn1-x509'
import { CertificateError } from './certificate-error.ts'
import { canonicalParts } from './name.ts'

/** Names of the kinds that can be constrained. */
export interface GeneralNames {
  readonly dns: readonly string[]
  readonly email: readonly string[]
  /** 4 or 16 octets each. */
  readonly ip: readonly Uint8Array[]
  readonly uri: readonly string[]
  readonly directory: readonly (readonly string[])[]
  /** How many there are of other kinds. */
  readonly others: number
}

interface Subtrees {
  readonly dns: readonly string[]
  readonly email: readonly string[]
  /** Address and mask, 8 or 32 octets. */
  readonly ip: readonly Uint8Array[]
  readonly uri: readonly string[]
  readonly directory: readonly (readonly string[])[]
  readonly others: number
}

export interface NameConstraints {
  readonly permitted: Subtrees
  readonly excluded: Subtrees
}

/** Names and constraints, all told: comparing is a product. */
const MAX_NAMES = 512

export function readGeneralNames(names: readonly GeneralName[]): GeneralNames {
  return sort(names, 'subjectAltName')
}

export function readNameConstraints({ permittedSubtrees, excludedSubtrees }: NameConstraintsSchema): NameConstraints {
  return { permitted: subtrees(permittedSubtrees), excluded: subtrees(excludedSubtrees) }
}

/**
 * Why the names may not stand below the constraints, for people; `undefined` where they may (§6.1.3 b, c). `subject`: its relative distinguished names;
 * `subjectEmails` count where there is no other e-mail address.
 */
export function violation(
  { permitted, excluded }: NameConstraints,
  names: GeneralNames,
  subject: readonly string[],
  subjectEmails: readonly string[],
): string | undefined {
  const emails = names.email.length > 0 ? names.email : subjectEmails.map((email) => email.toLowerCase())
  const directory = subject.length > 0 ? [subject, ...names.directory] : names.directory
  return (
    violationOf('DNS name', names.dns, permitted.dns, excluded.dns, isWithinDns) ??
    violationOf('e-mail address', emails, permitted.email, excluded.email, isWithinEmail) ??
    violationOf('address', names.ip, permitted.ip, excluded.ip, isWithinIp) ??
    violationOf('URI', names.uri, permitted.uri, excluded.uri, isWithinUri) ??
    violationOf('directory name', directory, permitted.directory, excluded.directory, isWithinDirectory) ??
    (names.others > 0 && permitted.others + excluded.others > 0 ? 'names of a kind that is constrained and not known here' : undefined)
  )
}

function violationOf<T>(
  what: string,
  names: readonly T[],
  permitted: readonly T[],
  excluded: readonly T[],
  isWithin: (name: T, base: T) => boolean,
): string | undefined {
  if (names.some((name) => excluded.some((base) => isWithin(name, base)))) return `a ${what} that is excluded`
  if (permitted.length === 0) return undefined
  return names.every((name) => permitted.some((base) => isWithin(name, base))) ? undefined : `a ${what} that is not permitted`
}

function isWithinDns(name: string, base: string): boolean {
  const bare = base.replace(/^\./, '')
  if (bare === '') return true
  return base.startsWith('.') ? name.endsWith(base) : name === bare || name.endsWith(`.${bare}`)
}

function isWithinEmail(name: string, base: string): boolean {
  const host = name.slice(name.lastIndexOf('@') + 1)
  if (base.includes('@')) return name === base
  return base.startsWith('.') ? host.endsWith(base) : host === base
}

function isWithinUri(name: string, base: string): boolean {
  const host = /^[^:]+:\/\/(?:[^@/]*@)?(\[[^\]]*\]|[^:/?#]*)/.exec(name)?.[1] ?? ''
  return base.startsWith('.') ? host.endsWith(base) : host === base
}

function isWithinIp(address: Uint8Array, base: Uint8Array): boolean {
  const length = base.length / 2
  return address.length === length && address.every((octet, i) => (octet & base[length + i]!) === (base[i]! & base[length + i]!))
}

function isWithinDirectory(name: readonly string[], base: readonly string[]): boolean {
  return base.length <= name.length && base.every((part, index) => part === name[index])
}

function subtrees(list: Iterable<{ base: GeneralName; minimum: number; maximum?: number }> | undefined): Subtrees {
  const trees = [...(list ?? [])]
  // §4.2.1.10: neither is used in this profile.
  if (trees.some(({ minimum, maximum }) => Number(minimum) !== 0 || maximum !== undefined))
    throw new CertificateError('UNSUPPORTED', 'NameConstraints with minimum or maximum')
  return sort(
    trees.map(({ base }) => base),
    'NameConstraints',
  )
}

function sort(names: readonly GeneralName[], what: string): GeneralNames {
  if (names.length > MAX_NAMES) throw new CertificateError('LIMIT_EXCEEDED', `${what} with ${names.length} names`)
  const lower = (texts: (string | undefined)[]): string[] => texts.flatMap((text) => (text === undefined ? [] : [text.toLowerCase()]))
  const known = (name: GeneralName): boolean =>
    [name.dNSName, name.rfc822Name, name.iPAddress, name.uniformResourceIdentifier, name.directoryName].some((one) => one !== undefined)
  return {
    dns: lower(names.map(({ dNSName }) => dNSName)),
    email: lower(names.map(({ rfc822Name }) => rfc822Name)),
    ip: names.flatMap(({ iPAddress }) => (iPAddress === undefined ? [] : [addressOctets(iPAddress, what)])),
    uri: lower(names.map(({ uniformResourceIdentifier }) => uniformResourceIdentifier)),
    directory: names.flatMap(({ directoryName }) => (directoryName ? [canonicalParts(directoryName as Name)] : [])),
    others: names.filter((name) => !known(name)).length,
  }
}

/** '10.1.2.3', '2001:db8::1', or a prefix as address and mask. */
function addressOctets(text: string, what: string): Uint8Array {
  const [address = '', prefix] = text.split('/')
  const octets = address.includes(':') ? ipv6(address) : address.split('.').map(Number)
  if ((octets.length !== 4 && octets.length !== 16) || octets.some((octet) => !(octet >= 0 && octet <= 255)))
    throw new CertificateError('MALFORMED', `${what}: ${JSON.stringify(text.slice(0, 50))} is no address`)
  if (prefix === undefined) return Uint8Array.from(octets)
  const mask = octets.map((_, index) => (0xff00 >> Math.min(8, Math.max(0, Number(prefix) - index * 8))) & 0xff)
  return Uint8Array.from([...octets, ...mask])
}

function ipv6(text: string): number[] {
  const [left = '', right] = text.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const missing = right === undefined ? 0 : 8 - groups(left).length - groups(right).length
  const all = [...groups(left), ...Array<string>(Math.max(0, missing)).fill('0'), ...groups(right ?? '')]
  return all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff])
}
