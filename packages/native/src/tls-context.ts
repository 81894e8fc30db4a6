import { nativeBuffer } from './address.ts'
import { loadKoffi } from './koffi.ts'
import { type LibsslFunctions, libsslError } from './libssl-functions.ts'
import { NativeError } from './native-error.ts'
import { createSession } from './open-session.ts'
import { loggedSecrets } from './tls-secrets.ts'
import type { TlsSession, TlsSessionOptions } from './tls-session.ts'

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

export interface TlsContextOptions {
  readonly role: 'client' | 'server'
  readonly minVersion: TlsVersion
  /** Default: the latest. */
  readonly maxVersion?: TlsVersion | undefined
  /** OpenSSL's cipher string; names that begin with TLS_ are those of TLS 1.3, which is not spoken where there is none of them. */
  readonly ciphers: string
  /** Algorithms of signatures, as OpenSSL writes them. Default: its own. */
  readonly signatures?: string | undefined
  /** A client's to offer, a server's to choose from, in its order (RFC 7301). */
  readonly alpn?: readonly string[] | undefined
  /** PEM: the certificate first, then its chain; and its key, without a password. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Client: PEM of the certificates that are trusted. */
  readonly roots?: readonly string[] | undefined
  /** Client: whether a handshake fails where the server's certificate does not verify. */
  readonly isVerifying?: boolean | undefined
  /** Whether libssl protects all records itself, even where there is something faster. Default false. */
  readonly isPlain?: boolean | undefined
  /** Server: {@link TICKET_KEYS} octets that session tickets are sealed with. Default: of its own. */
  readonly ticketKeys?: Uint8Array | undefined
}

/** What sessions have in common. */
export interface TlsContext {
  /** @throws NativeError `CRYPTO` */
  createSession(options?: TlsSessionOptions): TlsSession
  /** Sessions go on. Idempotent. */
  free(): void
}

/** Octets: a name of 16, and keys of 32 for HMAC-SHA256 and AES-256-CBC (RFC 5077 §4). */
export const TICKET_KEYS = 80

// openssl/ssl.h
const SSL_CTRL_MODE = 33
const SSL_CTRL_SET_SESS_CACHE_MODE = 44
const SSL_CTRL_SET_TLSEXT_TICKET_KEYS = 59
const SSL_CTRL_CHAIN_CERT = 89
const SSL_CTRL_SET_SIGALGS_LIST = 98
const SSL_CTRL_SET_MIN_PROTO_VERSION = 123
const SSL_CTRL_SET_MAX_PROTO_VERSION = 124
/** Buffers of a record are there while there is a record: a thousand idle connections have none. */
const SSL_MODE_RELEASE_BUFFERS = 0x10
const SSL_SESS_CACHE_OFF = 0
/** RFC 9325 §3.5: nobody needs to negotiate again. */
const SSL_OP_NO_RENEGOTIATION = 2 ** 30
const SSL_VERIFY_NONE = 0
const SSL_VERIFY_PEER = 1
const VERSIONS = { 'TLSv1.2': 0x303, 'TLSv1.3': 0x304 } as const

export function createContext(functions: LibsslFunctions, options: TlsContextOptions): TlsContext {
  const address = functions.contextNew(functions.method())
  if (!address) throw libsslError(functions, 'SSL_CTX_new')
  const kept: unknown[] = []
  try {
    setUp(functions, address, options, kept)
  } catch (error) {
    functions.contextFree(address)
    throw error
  }
  const secrets = options.isPlain === true ? undefined : loggedSecrets(functions)
  if (secrets !== undefined) functions.contextKeyLog(address, secrets.callback)
  let isFreed = false
  const context: TlsContext = {
    createSession: (of = {}) => createSession(functions, address, options.role, of, kept, secrets),
    free() {
      if (isFreed) return
      isFreed = true
      unreachable.unregister(context)
      functions.contextFree(address)
    },
  }
  unreachable.register(context, { functions, address }, context)
  return context
}

/** For owners that forget {@link TlsContext.free}. */
const unreachable = new FinalizationRegistry<{ functions: LibsslFunctions; address: number }>(({ functions, address }) =>
  functions.contextFree(address),
)

/** `kept`: what must be reachable for as long as there are sessions. */
function setUp(functions: LibsslFunctions, context: number, options: TlsContextOptions, kept: unknown[]): void {
  const orThrow = (result: number, call: string): void => {
    if (result !== 1) throw libsslError(functions, call)
  }
  functions.contextControl(context, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, 0)
  functions.contextControl(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, 0)
  functions.contextOptions(context, SSL_OP_NO_RENEGOTIATION)
  // A server that verifies asks for a certificate.
  functions.contextVerify(context, options.role === 'client' && options.isVerifying === true ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, 0)
  const { list, suites, minVersion, maxVersion } = spoken(options)
  orThrow(functions.contextControl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, VERSIONS[minVersion], 0), 'minimum version')
  orThrow(
    functions.contextControl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, maxVersion === undefined ? 0 : VERSIONS[maxVersion], 0),
    'maximum version',
  )
  orThrow(functions.contextSuites(context, suites), 'SSL_CTX_set_ciphersuites')
  if (list !== '') orThrow(functions.contextCiphers(context, list), 'SSL_CTX_set_cipher_list')
  if (options.signatures !== undefined)
    orThrow(functions.contextControlText(context, SSL_CTRL_SET_SIGALGS_LIST, 0, options.signatures), 'SSL_CTX_set1_sigalgs_list')
  if (options.cert !== undefined) setCertificates(functions, context, options.cert, orThrow)
  if (options.key !== undefined) setKey(functions, context, options.key, orThrow)
  for (const root of options.roots ?? []) trust(functions, context, root)
  if (options.ticketKeys !== undefined) setTicketKeys(functions, context, options.ticketKeys, orThrow)
  if (options.alpn !== undefined && options.alpn.length > 0) setProtocols(functions, context, options.role, options.alpn, kept)
}

/** Names of TLS 1.3's suites have a list of their own; a version that has none is not spoken. */
function spoken({ ciphers, minVersion, maxVersion }: TlsContextOptions): {
  readonly list: string
  readonly suites: string
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion | undefined
} {
  const names = ciphers.split(':')
  const list = names.filter((name) => !name.startsWith('TLS_')).join(':')
  const suites = names.filter((name) => name.startsWith('TLS_')).join(':')
  return {
    list,
    suites,
    minVersion: list === '' ? 'TLSv1.3' : minVersion,
    maxVersion: suites === '' ? 'TLSv1.2' : maxVersion,
  }
}

type OrThrow = (result: number, call: string) => void

function setCertificates(functions: LibsslFunctions, context: number, pem: string, orThrow: OrThrow): void {
  let isFirst = true
  for (const certificate of certificatesOf(functions, pem)) {
    // The context has references of its own.
    const result = isFirst
      ? functions.contextCertificate(context, certificate)
      : functions.contextControl(context, SSL_CTRL_CHAIN_CERT, 1, certificate)
    functions.certificateFree(certificate)
    orThrow(result, 'SSL_CTX_use_certificate')
    isFirst = false
  }
}

function setKey(functions: LibsslFunctions, context: number, pem: string, orThrow: OrThrow): void {
  const key = withBio(functions, pem, (bio) => functions.readKey(bio, 0, 0, ''))
  if (!key) throw libsslError(functions, 'PEM_read_bio_PrivateKey')
  const result = functions.contextKey(context, key)
  functions.keyFree(key)
  orThrow(result, 'SSL_CTX_use_PrivateKey')
  orThrow(functions.contextCheckKey(context), 'SSL_CTX_check_private_key')
}

function trust(functions: LibsslFunctions, context: number, pem: string): void {
  const store = functions.contextStore(context)
  for (const certificate of certificatesOf(functions, pem)) {
    functions.storeAdd(store, certificate)
    functions.certificateFree(certificate)
  }
  functions.clearErrors()
}

/** The caller frees them. @throws NativeError `CRYPTO` where there is none */
function certificatesOf(functions: LibsslFunctions, pem: string): number[] {
  const found = withBio(functions, pem, (bio) => {
    const certificates: number[] = []
    for (;;) {
      const certificate = functions.readCertificate(bio, 0, 0, '')
      if (!certificate) return certificates
      certificates.push(certificate)
    }
  })
  if (found.length === 0) throw libsslError(functions, 'PEM_read_bio_X509')
  // The end of a PEM text is an error too.
  functions.clearErrors()
  return found
}

function withBio<T>(functions: LibsslFunctions, text: string, work: (bio: number) => T): T {
  const octets = new TextEncoder().encode(text)
  const { bytes, address } = nativeBuffer(Math.max(1, octets.length))
  bytes.set(octets)
  const bio = functions.bioOf(address, octets.length)
  try {
    return work(bio)
  } finally {
    functions.bioFree(bio)
    bytes.fill(0)
    octets.fill(0)
  }
}

function setTicketKeys(functions: LibsslFunctions, context: number, keys: Uint8Array, orThrow: OrThrow): void {
  if (keys.length !== TICKET_KEYS) throw new NativeError('ARGUMENT', `ticket keys of ${keys.length} octets, not ${TICKET_KEYS}`)
  const { bytes, address } = nativeBuffer(TICKET_KEYS)
  bytes.set(keys)
  const result = functions.contextControl(context, SSL_CTRL_SET_TLSEXT_TICKET_KEYS, TICKET_KEYS, address)
  bytes.fill(0)
  orThrow(result, 'SSL_CTX_set_tlsext_ticket_keys')
}

function setProtocols(
  functions: LibsslFunctions,
  context: number,
  role: TlsContextOptions['role'],
  names: readonly string[],
  kept: unknown[],
): void {
  const encoded = names.map((name) => new TextEncoder().encode(name))
  // RFC 7301 §3.1: opaque ProtocolName<1..2^8-1>.
  if (encoded.some(({ length }) => length === 0 || length > 255))
    throw new NativeError('ARGUMENT', 'an ALPN protocol name has 1 to 255 octets')
  const list = encoded.flatMap((name) => [name.length, ...name])
  const { bytes, address } = nativeBuffer(list.length)
  bytes.set(list)
  if (role === 'client') {
    // Of all functions this one answers 0 where all is well.
    if (functions.contextProtocols(context, address, list.length) !== 0) throw libsslError(functions, 'SSL_CTX_set_alpn_protos')
    return
  }
  kept.push(bytes)
  lengths.set(address, list.length)
  selection ??= registerSelection(functions)
  functions.contextSelection(context, selection, address)
}

/** Of servers' protocol lists, by their addresses. */
const lengths = new Map<number, number>()
let selection: number | undefined

const OPENSSL_NPN_NEGOTIATED = 1
const SSL_TLSEXT_ERR_OK = 0
const SSL_TLSEXT_ERR_ALERT_FATAL = 2

/** RFC 7301 §3.2: the first of ours that is one of theirs, or no connection. Called within handshakes. */
function registerSelection(functions: LibsslFunctions): number {
  const koffi = loadKoffi()
  const type = koffi.proto(
    'int AlpnSelection(uintptr_t ssl, uintptr_t out, uintptr_t outLength, uintptr_t theirs, unsigned int theirLength, uintptr_t ours)',
  )
  const select = (_ssl: number, out: number, outLength: number, theirs: number, theirLength: number, ours: number): number =>
    functions.selectProtocol(out, outLength, ours, lengths.get(Number(ours)) ?? 0, theirs, theirLength) === OPENSSL_NPN_NEGOTIATED
      ? SSL_TLSEXT_ERR_OK
      : SSL_TLSEXT_ERR_ALERT_FATAL
  return Number(koffi.register(select, koffi.pointer(type)))
}
