import type { TransportError } from './transport-error.ts'

/** An IP literal and a TCP port. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** What TLS agreed on. */
export interface TlsInfo {
  /** 'TLSv1.2' or 'TLSv1.3'. */
  readonly protocol: string
  readonly cipher: string
  readonly alpn?: string
  /** Client: whether the server's certificate verified. Server: false, no certificate is asked for (RFC 9329 Appendix B.1). */
  readonly isAuthorized: boolean
  /** Whether an earlier session was resumed. */
  readonly isResumed: boolean
}

/** An open connection. Every call is synchronous and never throws; after the connection is gone they do nothing. */
export interface ByteStream {
  readonly local: Endpoint
  readonly remote: Endpoint
  /** undefined on plain TCP. */
  readonly tls?: TlsInfo
  /** Octets accepted and not yet given to the kernel. */
  readonly queued: number
  /** Octets that a write could have now and leave none queued, or a guess; Infinity where the system does not say. */
  readonly room: number
  /**
   * Sends after what is queued. `bytes` is lent for the call: what cannot be sent at once is copied.
   *
   * @returns false when more than the high-water mark is queued, or the kernel holds as much unsent as it may: stop, and go on at `onDrain`.
   *   Also after the end.
   */
  write(bytes: Uint8Array): boolean
  /** FIN after what is queued, with TLS close_notify first. A peer that does not answer with its own FIN keeps the socket: `reset` it then. */
  end(): void
  /** RST where the runtime can, FIN elsewhere; what is queued is lost. */
  reset(): void
  /** Stops reading, so that TCP holds the peer back. One chunk may still arrive. */
  pause(): void
  resume(): void
}

/** Looked up at each call, so the owner may replace one later. None is called before the stream is in the owner's hands. */
export interface StreamHandlers {
  /** `bytes` is lent for the call. */
  onData(bytes: Uint8Array): void
  /** After a `write` that returned false: nothing is queued any more, and there is room. */
  onDrain?(): void
  /** The peer sent FIN. Ours follows by itself after what is queued; nothing more can be written. */
  onEnd?(): void
  /** Once, last. `error` says why, unless the connection was closed in order or by us. */
  onClose?(error?: TransportError): void
}
