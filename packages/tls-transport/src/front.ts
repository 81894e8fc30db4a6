/**
 * What a connection to a listener begins with before it is a stream: a PROXY header where it comes from a proxy of ours, a ClientHello, or
 * nothing. Which of these, told by the first octets.
 */
import type { Endpoint } from './byte-stream.ts'
import { type Origin, parseProxyHeader } from './proxy-protocol.ts'
import { TransportError } from './transport-error.ts'

export interface FrontOptions {
  /**
   * Beside `tls`: a connection that does not begin as TLS does is a plain stream. They are told apart by the first octet, so a plain stream
   * must not begin with 0x16. Default false.
   */
  readonly alsoPlain?: boolean
  /**
   * Whether connections from this address begin with a PROXY header, version 1 or 2, which says whom they are from. One without is closed
   * without a word; from all others a header is nothing but strange octets.
   */
  readonly expectsProxyHeader?: (address: string) => boolean
}

/** RFC 8446 §5.1: ContentType handshake, with which every ClientHello begins. */
export const TLS_HANDSHAKE = 0x16

/** Milliseconds for what must come before the stream. */
export const FRONT_PATIENCE = 5_000

/** What to do with a connection next, given its first octets. */
export type HeaderLook =
  | { readonly kind: 'more'; readonly needs: number }
  | { readonly kind: 'over'; readonly length: number; readonly origin: Origin | undefined }

/** @throws TransportError PROXY_HEADER */
export function lookForHeader(start: Uint8Array, proxy: Endpoint): HeaderLook {
  const found = parseProxyHeader(start)
  if (found.kind === 'malformed') throw headerProblem(proxy, found.reason)
  return found.kind === 'more' ? found : { kind: 'over', length: found.length, origin: found.origin }
}

export function headerProblem({ address, port }: Endpoint, reason: string): TransportError {
  return new TransportError('PROXY_HEADER', `no PROXY header from ${address}, which must send one: ${reason}`, { host: address, port })
}
