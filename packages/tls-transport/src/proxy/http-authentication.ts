// Basic (RFC 7617) and Digest (RFC 7616) toward a proxy.
import { createHash } from 'node:crypto'
import type { ProxyCredentials } from './proxy.ts'

export interface Challenge {
  /** In lower case. */
  readonly scheme: string
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>
}

/** Of Proxy-Authenticate fields, each of which may hold several (RFC 9110 §11.6.1). */
export function readChallenges(values: readonly string[]): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  for (const value of values) {
    const part = /[\s,]*([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+))?/gy
    for (let match = part.exec(value); match !== null; match = part.exec(value)) {
      const [, word = '', written] = match
      if (written === undefined) challenges.push({ scheme: word.toLowerCase(), parameters: new Map() })
      else challenges.at(-1)?.parameters.set(word.toLowerCase(), unquoted(written))
    }
  }
  return challenges
}

/** How a challenge is answered: which it is, whether a hash of it is known here. */
export interface Answerable {
  readonly challenge: Challenge
  /** Of Digest. */
  readonly algorithm?: DigestAlgorithm
}

/** The strongest that can be answered: Digest by SHA-256, by MD5, Basic. */
export function strongest(challenges: readonly Challenge[]): Answerable | undefined {
  const digests = challenges.flatMap((challenge) => {
    const algorithm = challenge.scheme === 'digest' ? DIGESTS[(challenge.parameters.get('algorithm') ?? 'MD5').toUpperCase()] : undefined
    const qop = challenge.parameters.get('qop')
    const isKnown = algorithm !== undefined && challenge.parameters.has('nonce') && (qop === undefined || hasAuth(qop))
    return isKnown ? [{ challenge, algorithm }] : []
  })
  const basic = challenges.find(({ scheme }) => scheme === 'basic')
  return digests.find(({ algorithm }) => algorithm.hash === 'sha256') ?? digests[0] ?? (basic && { challenge: basic })
}

/** The value of Proxy-Authorization for Basic, in UTF-8 (RFC 7617 §2.1). */
export function basicAuthorization({ username, password }: ProxyCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`
}

export interface DigestAlgorithm {
  /** As it is written. */
  readonly name: string
  readonly hash: 'md5' | 'sha256'
  readonly isSession: boolean
}

const DIGESTS: Readonly<Record<string, DigestAlgorithm | undefined>> = {
  MD5: { name: 'MD5', hash: 'md5', isSession: false },
  'MD5-SESS': { name: 'MD5-sess', hash: 'md5', isSession: true },
  'SHA-256': { name: 'SHA-256', hash: 'sha256', isSession: false },
  'SHA-256-SESS': { name: 'SHA-256-sess', hash: 'sha256', isSession: true },
}

export interface DigestRequest {
  readonly method: string
  readonly uri: string
  /** The client's nonce. */
  readonly cnonce: string
  /** How often the server's nonce was used, this time included. */
  readonly count: number
}

/** The value of Proxy-Authorization for Digest (RFC 7616 §3.4). */
export function digestAuthorization(
  { challenge, algorithm }: Required<Answerable>,
  credentials: ProxyCredentials,
  request: DigestRequest,
): string {
  const { parameters } = challenge
  const realm = parameters.get('realm') ?? ''
  const nonce = parameters.get('nonce') ?? ''
  const opaque = parameters.get('opaque')
  const { username, password } = credentials
  const { method, uri, cnonce } = request
  const hash = (text: string): string => createHash(algorithm.hash).update(text, 'utf8').digest('hex')
  const user = hash(`${username}:${realm}:${password}`)
  const secret = algorithm.isSession ? hash(`${user}:${nonce}:${cnonce}`) : user
  const count = request.count.toString(16).padStart(8, '0')
  const isProtected = parameters.has('qop')
  const response = hash([secret, nonce, ...(isProtected ? [count, cnonce, 'auth'] : []), hash(`${method}:${uri}`)].join(':'))
  return `Digest ${[
    `username=${quoted(username)}`,
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    `uri=${quoted(uri)}`,
    `response="${response}"`,
    ...(parameters.has('algorithm') ? [`algorithm=${algorithm.name}`] : []),
    ...(isProtected ? ['qop=auth', `nc=${count}`] : []),
    ...(isProtected || algorithm.isSession ? [`cnonce=${quoted(cnonce)}`] : []),
    ...(opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]),
  ].join(', ')}`
}

const hasAuth = (qop: string): boolean =>
  qop
    .toLowerCase()
    .split(/[\s,]+/)
    .includes('auth')

function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
