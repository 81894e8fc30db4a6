/** HTTP CONNECT (RFC 9110 §9.3.6) over HTTP/1.1. */
import { randomBytes } from 'node:crypto'
import { authorityOf } from '../authority.ts'
import { asksWithoutEnd, Gathered, type ProxyDialogue, type ProxyStep, type ProxyTarget, proxyError, WAIT } from './dialogue.ts'
import { type Answerable, basicAuthorization, digestAuthorization, readChallenges, strongest } from './http-authentication.ts'
import { contentLength, fieldValues, isPersistent, type ResponseHead, readResponseHead } from './http-response.ts'
import type { ProxyServer } from './proxy.ts'

/** Octets of an error page that are read for the connection's sake; a longer one is left where it is. */
const MAX_CONTENT = 65_536
/** Responses of 1xx before the one that counts. */
const MAX_INTERIM = 8
/** One, and a nonce that is stale. */
const MAX_CHALLENGES = 3

/** Credentials are not given before they are asked for: only then is it known whether they can be hidden. */
export class HttpConnect implements ProxyDialogue {
  readonly #proxy: ProxyServer
  readonly #authority: string
  readonly #clientNonce: () => string
  readonly #received = new Gathered()
  /** Octets of content that are still to be passed over. */
  #content = 0
  #answerable: Answerable | undefined
  #challenges = 0
  #interim = 0
  /** How often the nonce of {@link HttpConnect.#answerable} was answered. */
  #count = 0

  /** `clientNonce`: for Digest. */
  constructor(proxy: ProxyServer, target: ProxyTarget, clientNonce: () => string = () => randomBytes(16).toString('hex')) {
    this.#proxy = proxy
    this.#authority = authorityOf(target)
    this.#clientNonce = clientNonce
  }

  begin(): Uint8Array {
    this.#received.clear()
    this.#content = 0
    this.#interim = 0
    const authorization = this.#authorization()
    const lines = [
      `CONNECT ${this.#authority} HTTP/1.1`,
      `Host: ${this.#authority}`,
      ...(authorization === undefined ? [] : [`Proxy-Authorization: ${authorization}`]),
    ]
    return new TextEncoder().encode(`${lines.join('\r\n')}\r\n\r\n`)
  }

  receive(bytes: Uint8Array): ProxyStep {
    this.#received.add(bytes)
    for (;;) {
      if (this.#content > 0) {
        this.#content -= this.#received.take(this.#content).length
        return this.#content > 0 ? WAIT : { kind: 'send', bytes: this.begin() }
      }
      const head = readResponseHead(this.#received.bytes)
      if (head === undefined) return WAIT
      if (head === 'malformed') throw proxyError('PROXY_PROTOCOL', this.#proxy, 'answers CONNECT with something that is not HTTP')
      this.#received.take(head.length)
      if (head.status >= 200 && head.status < 300) return { kind: 'open', rest: this.#received.bytes }
      if (head.status === 407) return this.#authenticate(head)
      if (head.status >= 200) {
        // As tinyproxy says it.
        if (head.status === 401 && this.#answerable !== undefined)
          throw proxyError('PROXY_AUTHENTICATION', this.#proxy, 'does not take the user and the password (401)')
        // A reason may repeat what we said.
        const reason = this.#answerable === undefined ? head.reason : ''
        throw proxyError('PROXY_REFUSED', this.#proxy, `refuses a connection to ${this.#authority}: ${head.status} ${reason}`.trim())
      }
      if (++this.#interim > MAX_INTERIM) throw proxyError('PROXY_PROTOCOL', this.#proxy, 'says again and again that an answer is to come')
    }
  }

  #authenticate(head: ResponseHead): ProxyStep {
    const { credentials } = this.#proxy
    const challenges = readChallenges(fieldValues(head, 'proxy-authenticate'))
    const schemes = challenges.map(({ scheme }) => scheme).join(', ') || 'no scheme named'
    const answerable = strongest(challenges)
    if (answerable === undefined)
      throw proxyError('PROXY_AUTHENTICATION', this.#proxy, `asks for a user by what is not known here (${schemes}); Basic and Digest are`)
    if (credentials === undefined)
      throw proxyError(
        'PROXY_AUTHENTICATION',
        this.#proxy,
        `asks for a user and a password (407, ${schemes}): write them before its name, as in http://user:password@proxy`,
      )
    // RFC 7616 §3.3; and who has been told a hash is not told the password.
    const isStale = answerable.algorithm !== undefined && answerable.challenge.parameters.get('stale')?.toLowerCase() === 'true'
    if (this.#answerable !== undefined && !isStale)
      throw proxyError('PROXY_AUTHENTICATION', this.#proxy, 'does not take the user and the password (407 again)')
    if (++this.#challenges > MAX_CHALLENGES) throw asksWithoutEnd(this.#proxy)
    this.#answerable = answerable
    this.#count = 0
    const length = contentLength(head)
    if (length === undefined || length > MAX_CONTENT || !isPersistent(head)) return { kind: 'reconnect' }
    this.#content = length
    this.#content -= this.#received.take(length).length
    return this.#content > 0 ? WAIT : { kind: 'send', bytes: this.begin() }
  }

  #authorization(): string | undefined {
    const { credentials } = this.#proxy
    if (credentials === undefined || this.#answerable === undefined) return undefined
    const { challenge, algorithm } = this.#answerable
    if (algorithm === undefined) return basicAuthorization(credentials)
    const request = { method: 'CONNECT', uri: this.#authority, cnonce: this.#clientNonce(), count: ++this.#count }
    return digestAuthorization({ challenge, algorithm }, credentials, request)
  }
}
