import { authorityOf } from './authority.ts'

export type TransportErrorCode =
  | 'CONNECTION_REFUSED'
  | 'CONNECTION_RESET'
  /** The `timeout` of connect, or TCP's own. */
  | 'TIMED_OUT'
  | 'UNREACHABLE'
  | 'NAME_NOT_FOUND'
  | 'ADDRESS_IN_USE'
  /** No interface of this host has the address to bind. */
  | 'ADDRESS_NOT_AVAILABLE'
  /** A port below 1024 without the right to it, or a firewall rule of this host. */
  | 'PERMISSION_DENIED'
  /** The `signal` of connect. */
  | 'ABORTED'
  /** The peer speaks no TLS, or no version, cipher or ALPN in common. */
  | 'TLS_HANDSHAKE'
  /** Not signed by a known CA, expired, or for another name. */
  | 'CERTIFICATE_INVALID'
  /** The proxy does not connect to the target, and says why or nothing. */
  | 'PROXY_REFUSED'
  /** The proxy wants a user and a password, or others. */
  | 'PROXY_AUTHENTICATION'
  /** What answers there is no proxy of that kind. */
  | 'PROXY_PROTOCOL'
  /** What comes to a listener from a proxy of ours does not begin with a PROXY header. */
  | 'PROXY_HEADER'
  /** A port, certificate, key or cipher string that the runtime does not take. */
  | 'BAD_OPTION'
  | 'TOO_MANY_FILES'
  | 'SOCKET_ERROR'

export interface TransportErrorContext {
  readonly host?: string
  readonly port?: number
  /** What the runtime called it: 'ECONNREFUSED', 'CERT_HAS_EXPIRED', … */
  readonly systemCode?: string
}

export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly code: TransportErrorCode
  readonly context: TransportErrorContext

  constructor(code: TransportErrorCode, message: string, context: TransportErrorContext = {}) {
    super(message)
    this.code = code
    this.context = context
  }
}

/** What was being done; the same system error means different things. */
export type TransportPhase = 'connect' | 'handshake' | 'listen' | 'stream'

/** @param host Where to or where at, for the text and the context. */
export function transportError(cause: unknown, phase: TransportPhase, host: string, port: number): TransportError {
  if (cause instanceof TransportError) return cause
  const single = firstOf(cause)
  const systemCode = systemCodeOf(single)
  const code = codeOf(systemCode, phase)
  return new TransportError(code, textOf(code, phase, authorityOf({ host, port }), port, single), { host, port, systemCode })
}

const CODES: Readonly<Record<string, TransportErrorCode>> = {
  ECONNREFUSED: 'CONNECTION_REFUSED',
  ECONNRESET: 'CONNECTION_RESET',
  ECONNABORTED: 'CONNECTION_RESET',
  EPIPE: 'CONNECTION_RESET',
  ERR_SOCKET_CLOSED: 'CONNECTION_RESET',
  ETIMEDOUT: 'TIMED_OUT',
  ERR_SOCKET_CONNECTION_TIMEOUT: 'TIMED_OUT',
  EHOSTUNREACH: 'UNREACHABLE',
  ENETUNREACH: 'UNREACHABLE',
  EHOSTDOWN: 'UNREACHABLE',
  ENETDOWN: 'UNREACHABLE',
  ENOTFOUND: 'NAME_NOT_FOUND',
  EAI_AGAIN: 'NAME_NOT_FOUND',
  EAI_NONAME: 'NAME_NOT_FOUND',
  EADDRINUSE: 'ADDRESS_IN_USE',
  EADDRNOTAVAIL: 'ADDRESS_NOT_AVAILABLE',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  EMFILE: 'TOO_MANY_FILES',
  ENFILE: 'TOO_MANY_FILES',
  EINVAL: 'BAD_OPTION',
  ERR_SOCKET_BAD_PORT: 'BAD_OPTION',
  ERR_INVALID_ARG_TYPE: 'BAD_OPTION',
  ERR_INVALID_ARG_VALUE: 'BAD_OPTION',
  ERR_INVALID_IP_ADDRESS: 'BAD_OPTION',
  ERR_OUT_OF_RANGE: 'BAD_OPTION',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'TLS_HANDSHAKE',
  ERR_TLS_CERT_ALTNAME_INVALID: 'CERTIFICATE_INVALID',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'CERTIFICATE_INVALID',
  SELF_SIGNED_CERT_IN_CHAIN: 'CERTIFICATE_INVALID',
  INVALID_CA: 'CERTIFICATE_INVALID',
  INVALID_PURPOSE: 'CERTIFICATE_INVALID',
  HOSTNAME_MISMATCH: 'CERTIFICATE_INVALID',
}

function codeOf(systemCode: string, phase: TransportPhase): TransportErrorCode {
  // OpenSSL's names for what a verification found: CERT_HAS_EXPIRED, UNABLE_TO_VERIFY_LEAF_SIGNATURE, …
  if (/^(CERT_|UNABLE_TO_)/.test(systemCode)) return 'CERTIFICATE_INVALID'
  const code = CODES[systemCode]
  if (phase !== 'handshake') return code ?? (/^(ERR_SSL_|ERR_OSSL_|ERR_TLS_)/.test(systemCode) ? tlsCode(phase) : 'SOCKET_ERROR')
  return code === undefined || code === 'CONNECTION_RESET' ? 'TLS_HANDSHAKE' : code
}

function tlsCode(phase: TransportPhase): TransportErrorCode {
  return phase === 'listen' || phase === 'connect' ? 'BAD_OPTION' : 'CONNECTION_RESET'
}

function textOf(code: TransportErrorCode, phase: TransportPhase, where: string, port: number, cause: unknown): string {
  const reason = plainReason(cause instanceof Error ? cause.message : String(cause))
  if (phase === 'listen') {
    if (code === 'PERMISSION_DENIED') {
      return `port ${port} needs root or CAP_NET_BIND_SERVICE; without them listen on a port above 1023, such as 4500 (TCP ${where})`
    }
    if (code === 'ADDRESS_IN_USE') return `TCP ${where} is in use (see: ss -ltnp 'sport = ${port}')`
    return `cannot listen on TCP ${where}: ${reason}`
  }
  if (phase === 'connect') return `cannot connect to TCP ${where}: ${reason}`
  if (phase === 'handshake') return `no TLS with ${where}: ${reason}`
  return `connection with ${where}: ${reason}`
}

/** OpenSSL's '80FC…:error:0A00009C:SSL routines:ssl3_get_record:http request:…/ssl3_record.c:354:' and a line end is 'http request'. */
export function plainReason(text: string): string {
  const reason = /error:[0-9a-fA-F]+:[^:]*:[^:]*:([^:\n]+)/.exec(text)?.[1]
  // BoringSSL's are names.
  return reason === undefined ? text.trim() : /^[A-Z0-9_]+$/.test(reason) ? reason.toLowerCase().replaceAll('_', ' ') : reason
}

/** A name with several addresses fails with one error for each: take the one that says most. */
function firstOf(cause: unknown): unknown {
  if (!(cause instanceof AggregateError) || cause.errors.length === 0) return cause
  return cause.errors.find((each) => systemCodeOf(each) === 'ECONNREFUSED') ?? cause.errors[0]
}

function systemCodeOf(cause: unknown): string {
  return typeof cause === 'object' && cause !== null && 'code' in cause && cause.code !== undefined ? String(cause.code) : 'UNKNOWN'
}
