// TLS by libssl on native sockets: no stream of the runtime's in between, one read and one write of the socket for a batch of records.
import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import type { CLOSED, Libssl, TICKET_KEYS } from '@underpass/native'
import { type NativeSockets, nativeSockets, systemError } from './native-sockets.ts'

export interface NativeTls {
  readonly libssl: Libssl
  readonly sockets: NativeSockets
  readonly closed: typeof CLOSED
  readonly ticketKeys: typeof TICKET_KEYS
}

// An optional dependency, as in native-sockets.
const native = await import('@underpass/native').catch(() => undefined)

let loaded: NativeTls | { readonly reason: string } | undefined

/** `reason` says why there is none. */
export function nativeTls(): NativeTls | { readonly reason: string } {
  loaded ??= load()
  return loaded
}

/** Whose TLS streams have here, and why not libssl's. */
export function tlsLibrary(): { readonly kind: 'libssl'; readonly version: string } | { readonly kind: 'node'; readonly reason: string } {
  const found = nativeTls()
  return 'reason' in found ? { kind: 'node', reason: found.reason } : { kind: 'libssl', version: found.libssl.version }
}

function load(): NativeTls | { readonly reason: string } {
  const sockets = nativeSockets()
  if ('reason' in sockets || native === undefined) return 'reason' in sockets ? sockets : { reason: '@underpass/native is not installed' }
  if (writesKeys()) return { reason: 'node was started with --tls-keylog, which tells the secrets of its own TLS' }
  try {
    return { libssl: native.loadLibssl(), sockets, closed: native.CLOSED, ticketKeys: native.TICKET_KEYS }
  } catch (cause) {
    return { reason: cause instanceof Error ? cause.message : String(cause) }
  }
}

function writesKeys(): boolean {
  return [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((words) => words.includes('--tls-keylog'))
}

/** An error of libssl's under the name that the runtimes give it: 'ERR_SSL_NO_SHARED_CIPHER'. */
export function tlsError(cause: unknown): Error {
  if (native === undefined || !(cause instanceof native.NativeError)) return cause instanceof Error ? cause : new Error(String(cause))
  if (cause.code !== 'CRYPTO') return systemError(cause)
  return Object.assign(new Error(cause.message), { code: `ERR_SSL_${cause.message.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')}` })
}

/** The runtime's CAs, with those that the environment adds to Node's. */
export function defaultRoots(): readonly string[] {
  const extra = process.env['NODE_EXTRA_CA_CERTS']
  if (extra === undefined || extra === '') return rootCertificates
  try {
    return [...rootCertificates, readFileSync(extra, 'utf8')]
  } catch {
    // As Node does, which warns.
    return rootCertificates
  }
}
