// Which proxy, in the words of a URL or of the environment.
import { BlockList, isIP } from 'node:net'
import { authorityOf } from '../authority.ts'
import { TransportError } from '../transport-error.ts'

export interface ProxyServer {
  /** HTTP CONNECT (RFC 9110 §9.3.6), in the clear to the proxy or over TLS, or SOCKS 5 (RFC 1928). */
  readonly protocol: 'http' | 'https' | 'socks5'
  readonly host: string
  readonly port: number
  readonly credentials?: ProxyCredentials
}

export interface ProxyCredentials {
  readonly username: string
  readonly password: string
}

/**
 * 'http://proxy.example:3128', 'socks5://user:password@[2001:db8::1]:1080'. Without a port those that are usual: 80, 443, 1080. Names behind
 * any of them are the proxy's to resolve, so that 'socks5' and 'socks5h' are the same.
 *
 * @throws TransportError `BAD_OPTION`; its text has no password in it
 */
export function parseProxy(text: string): ProxyServer {
  const url = urlOf(text)
  const protocol = url && PROTOCOLS[url.protocol]
  if (url === undefined || protocol === undefined)
    throw bad('is no proxy; write "http://host:3128", "https://host:443" or "socks5://host:1080"', text)
  if (!/^\/?$/.test(url.pathname) || url.search !== '' || url.hash !== '') throw bad('has something behind host and port', text)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (host === '') throw bad('names no host', text)
  const port = url.port === '' ? DEFAULT_PORTS[protocol] : Number(url.port)
  if (port === 0) throw bad('has no port to connect to', text)
  if (url.username === '' && url.password === '') return { protocol, host, port }
  const credentials = { username: decoded(url.username, text), password: decoded(url.password, text) }
  if ([...credentials.username, ...credentials.password].some((letter) => letter < ' ' || letter === '\u007f'))
    throw bad('has a control character in its user or password', text)
  if (protocol === 'socks5' && [credentials.username, credentials.password].some((word) => !isSocksWord(word)))
    throw bad('has a user or password that SOCKS has no room for: each has 1 to 255 octets (RFC 1929 §2)', text)
  if (protocol !== 'socks5' && credentials.username.includes(':'))
    throw bad('has a user with a colon, which HTTP cannot say (RFC 7617 §2)', text)
  return { protocol, host, port, credentials }
}

/** As it was written, without user and password: for people. */
export function describeProxy(proxy: ProxyServer): string {
  return `${proxy.protocol}://${authorityOf(proxy)}`
}

/**
 * Of HTTPS_PROXY, or else ALL_PROXY, in either case (the lower is asked first): the proxy for a connection with `host`, unless NO_PROXY has
 * it. NO_PROXY is a list of names, each with all below it, of addresses, and of prefixes; '*' is everything.
 *
 * @throws TransportError `BAD_OPTION`
 */
export function proxyFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  host: string,
  port: number,
): ProxyServer | undefined {
  const value = (name: string): string | undefined => env[name] || env[name.toUpperCase()] || undefined
  const name = ['https_proxy', 'all_proxy'].find((each) => value(each) !== undefined)
  if (name === undefined || isExempt(value('no_proxy') ?? '', host, port)) return undefined
  const text = value(name) as string
  // Others take a proxy without a scheme for one of HTTP.
  return parseProxy(text.includes('://') ? text : `http://${text}`)
}

const PROTOCOLS: Readonly<Record<string, ProxyServer['protocol']>> = {
  'http:': 'http',
  'https:': 'https',
  'socks5:': 'socks5',
  'socks5h:': 'socks5',
}
const DEFAULT_PORTS = { http: 80, https: 443, socks5: 1080 } as const

/** As one of https, whose hosts URL reads with more care than those of a scheme that it does not know. */
function urlOf(
  text: string,
): Pick<URL, 'protocol' | 'hostname' | 'port' | 'username' | 'password' | 'pathname' | 'search' | 'hash'> | undefined {
  const [, protocol, rest = ''] = /^(socks5h?:|https?:)\/\/(.*)$/i.exec(text.trim()) ?? []
  if (protocol === undefined) return undefined
  try {
    const { hostname, port, username, password, pathname, search, hash } = new URL(`https://${rest}`)
    // https's own port is left out by URL; behind another scheme it is not the usual one.
    const written = port === '' && /:0*443\/?$/.test(rest) ? '443' : port
    return { protocol: protocol.toLowerCase(), port: written, hostname, username, password, pathname, search, hash }
  } catch {
    return undefined
  }
}

function decoded(text: string, whole: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw bad('has a "%" in its user or password that is no escape; write it as "%25"', whole)
  }
}

const isSocksWord = (text: string): boolean => {
  const { length } = new TextEncoder().encode(text)
  return length >= 1 && length <= 255
}

/** A text that is wrong may have its password anywhere: it is not repeated but for its scheme. */
function bad(what: string, text: string): TransportError {
  return new TransportError('BAD_OPTION', `"${/^(?:https?|socks5h?):\/\//i.exec(text.trim())?.[0] ?? ''}…" ${what}`)
}

function isExempt(list: string, host: string, port: number): boolean {
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => entry === '*' || matches(entry.toLowerCase(), host.toLowerCase().replace(/\.$/, ''), port))
}

function matches(entry: string, host: string, port: number): boolean {
  const [, name = entry, only] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(entry) ?? []
  if (only !== undefined && Number(only) !== port) return false
  const bare = name.replace(/^\[(.*)\]$/, '$1')
  const family = isIP(host)
  if (family !== 0) return hasAddress(bare, host, family === 4 ? 'ipv4' : 'ipv6')
  const domain = bare.replace(/^\*?\./, '')
  return host === domain || host.endsWith(`.${domain}`)
}

function hasAddress(entry: string, address: string, family: 'ipv4' | 'ipv6'): boolean {
  const [network = '', length] = entry.split('/')
  if (isIP(network) !== (family === 'ipv4' ? 4 : 6)) return false
  const most = family === 'ipv4' ? 32 : 128
  const bits = length === undefined ? most : Number(length)
  if (!Number.isInteger(bits) || bits < 0 || bits > most) return false
  const listed = new BlockList()
  listed.addSubnet(network, bits, family)
  return listed.check(address, family)
}
