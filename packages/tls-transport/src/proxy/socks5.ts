/** CONNECT of SOCKS 5 (RFC 1928 §3 to §6), with a user and a password (RFC 1929) where the proxy asks for them. */
import { isIP } from 'node:net'
import { Gathered, type ProxyDialogue, type ProxyStep, type ProxyTarget, proxyError, WAIT } from './dialogue.ts'
import type { ProxyServer } from './proxy.ts'

const VERSION = 5
const SUBNEGOTIATION_VERSION = 1
const CONNECT = 1

const METHOD = { NONE: 0x00, PASSWORD: 0x02, NO_ACCEPTABLE: 0xff } as const
const ADDRESS = { IPV4: 1, DOMAINNAME: 3, IPV6: 4 } as const

/** REP (§6), from 1 on. */
const REPLIES = [
  ['PROXY_REFUSED', 'says only that it failed'],
  ['PROXY_REFUSED', 'does not allow it'],
  ['UNREACHABLE', 'finds no way to its network'],
  ['UNREACHABLE', 'finds no way to it, or no such name'],
  ['CONNECTION_REFUSED', 'was refused'],
  ['TIMED_OUT', 'says that the TTL expired'],
  ['PROXY_PROTOCOL', 'does not know CONNECT'],
  ['PROXY_PROTOCOL', 'does not know addresses of this kind'],
] as const

export class Socks5 implements ProxyDialogue {
  readonly #proxy: ProxyServer
  readonly #target: ProxyTarget
  readonly #received = new Gathered()
  #waitsFor: 'method' | 'status' | 'reply' = 'method'

  constructor(proxy: ProxyServer, target: ProxyTarget) {
    this.#proxy = proxy
    this.#target = target
  }

  begin(): Uint8Array {
    this.#received.clear()
    this.#waitsFor = 'method'
    const methods = this.#proxy.credentials === undefined ? [METHOD.NONE] : [METHOD.NONE, METHOD.PASSWORD]
    return Uint8Array.of(VERSION, methods.length, ...methods)
  }

  receive(bytes: Uint8Array): ProxyStep {
    this.#received.add(bytes)
    switch (this.#waitsFor) {
      case 'method':
        return this.#takeMethod()
      case 'status':
        return this.#takeStatus()
      case 'reply':
        return this.#takeReply()
      default:
        return this.#waitsFor satisfies never
    }
  }

  #takeMethod(): ProxyStep {
    const { bytes } = this.#received
    if (bytes.length > 0 && bytes[0] !== VERSION) throw this.#isNoSocks()
    if (bytes.length < 2) return WAIT
    const [, method] = this.#received.take(2)
    const { credentials } = this.#proxy
    if (method === METHOD.NONE) return this.#request()
    if (method === METHOD.NO_ACCEPTABLE) {
      const why =
        credentials === undefined
          ? 'asks for a user: write it before its name, as in socks5://user:password@proxy'
          : 'takes no user with a password'
      throw proxyError('PROXY_AUTHENTICATION', this.#proxy, why)
    }
    if (method !== METHOD.PASSWORD || credentials === undefined) throw this.#isNoSocks()
    this.#waitsFor = 'status'
    const [user, password] = [credentials.username, credentials.password].map((word) => new TextEncoder().encode(word)) as [
      Uint8Array,
      Uint8Array,
    ]
    return { kind: 'send', bytes: Uint8Array.of(SUBNEGOTIATION_VERSION, user.length, ...user, password.length, ...password) }
  }

  #takeStatus(): ProxyStep {
    if (this.#received.bytes.length < 2) return WAIT
    const [version, status] = this.#received.take(2)
    if (version !== SUBNEGOTIATION_VERSION) throw this.#isNoSocks()
    if (status !== 0) throw proxyError('PROXY_AUTHENTICATION', this.#proxy, 'does not take the user and the password')
    return this.#request()
  }

  #request(): ProxyStep {
    this.#waitsFor = 'reply'
    const { port } = this.#target
    const address = addressOctets(this.#target.host)
    if (address === undefined)
      throw proxyError('PROXY_PROTOCOL', this.#proxy, `cannot be told "${this.#target.host}": a name has 1 to 255 octets`)
    return { kind: 'send', bytes: Uint8Array.of(VERSION, CONNECT, 0, ...address, port >> 8, port & 0xff) }
  }

  /** BND.ADDR and BND.PORT say nothing that is of use here. */
  #takeReply(): ProxyStep {
    const { bytes } = this.#received
    if (bytes.length > 0 && bytes[0] !== VERSION) throw this.#isNoSocks()
    if (bytes.length < 2) return WAIT
    const reply = bytes[1] as number
    // Some say no more than that where they refuse.
    if (reply !== 0) throw this.#refusal(reply)
    if (bytes.length < 5) return WAIT
    const addressLength = { [ADDRESS.IPV4]: 4, [ADDRESS.IPV6]: 16, [ADDRESS.DOMAINNAME]: 1 + (bytes[4] as number) }[bytes[3] as number]
    if (addressLength === undefined) throw this.#isNoSocks()
    const length = 4 + addressLength + 2
    if (bytes.length < length) return WAIT
    this.#received.take(length)
    return { kind: 'open', rest: this.#received.bytes }
  }

  #refusal(reply: number): Error {
    const [code, what] = REPLIES[reply - 1] ?? (['PROXY_REFUSED', `answers with the unknown reply ${reply}`] as const)
    const { host, port } = this.#target
    return proxyError(code, this.#proxy, `was asked for ${host} port ${port} and ${what}`)
  }

  #isNoSocks(): Error {
    return proxyError('PROXY_PROTOCOL', this.#proxy, 'does not speak SOCKS 5')
  }
}

/** ATYP and DST.ADDR (§5). */
function addressOctets(host: string): number[] | undefined {
  if (isIP(host) === 4) return [ADDRESS.IPV4, ...host.split('.').map(Number)]
  if (isIP(host) === 6) return [ADDRESS.IPV6, ...ipv6Octets(host)]
  const name = new TextEncoder().encode(host)
  return name.length >= 1 && name.length <= 255 ? [ADDRESS.DOMAINNAME, name.length, ...name] : undefined
}

/** Of a literal that `isIP` takes. */
function ipv6Octets(text: string): number[] {
  const [plain = ''] = text.split('%')
  const withoutDots = plain.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [(Number(a) << 8) | Number(b), (Number(c) << 8) | Number(d)].map((word) => word.toString(16)).join(':'),
  )
  const [head = '', tail] = withoutDots.split('::')
  const words = (half: string): number[] => (half === '' ? [] : half.split(':').map((word) => Number.parseInt(word, 16)))
  const [before, after] = [words(head), words(tail ?? '')]
  const missing = tail === undefined ? 0 : 8 - before.length - after.length
  return [...before, ...Array.from({ length: missing }, () => 0), ...after].flatMap((word) => [word >> 8, word & 0xff])
}
