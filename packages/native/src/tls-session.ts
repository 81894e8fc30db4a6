export interface TlsSessionOptions {
  /** Client: the name of server_name (RFC 6066 §3). Default: none is sent. */
  readonly servername?: string | undefined
  /** Client: the name or IP literal that the certificate must be for. Default: any. */
  readonly host?: string | undefined
  readonly isAddress?: boolean | undefined
  /** Client: what {@link TlsSession.takeTicket} gave of an earlier session; one that cannot be read is as none. */
  readonly resume?: Uint8Array | undefined
  /** Records after which TLS 1.3 changes its key. Default 2 ** 24: RFC 8446 §5.5 allows AES-GCM 2 ** 24.5. */
  readonly recordsOfKey?: number | undefined
}

/**
 * One connection's TLS. Octets of the other end go in by `feed`, and are read until nothing is left of them; octets for it come out by
 * `take` after each other call. Not reentrant.
 */
export interface TlsSession {
  /** Octets from the other end, lent until `handshake` or `read` has nothing more of them. */
  feed(bytes: Uint8Array): void
  /** Answers whether it is complete. @throws NativeError `CRYPTO`; an alert is to be taken then */
  handshake(): boolean
  /**
   * Octets of one record at most to `into[offset …]`. 0: nothing is left of what was fed. CLOSED: close_notify came.
   *
   * @throws NativeError `CRYPTO`; an alert is to be taken then
   */
  read(into: Uint8Array, offset: number, length: number): number
  /**
   * Seals `bytes[offset, offset + length)` to `into[at …]`, behind whatever is to be taken; answers how many octets that is. `into` has room for them
   * with {@link SEALING} octets more for each 16,384 and for all.
   *
   * @throws NativeError `CRYPTO`
   */
  seal(bytes: Uint8Array, offset: number, length: number, into: Uint8Array, at: number): number
  /** close_notify: nothing can be written after it. */
  end(): void
  /** Moves octets for the other end to `into[offset …]`; answers how many, 0 where there are none left. */
  take(into: Uint8Array, offset: number): number
  /** After the handshake. */
  describe(): TlsDescription
  /** Of the last verification; `undefined` where nothing is wrong with the certificate, or there was none. */
  problem(): string | undefined
  /** DER. */
  peerCertificate(): Uint8Array | undefined
  /** Client: what resumes the session later, if there is anything new. */
  takeTicket(): Uint8Array | undefined
  /** Idempotent; nothing else may be called after it. */
  free(): void
}

export interface TlsDescription {
  /** 'TLSv1.3' */
  readonly protocol: string
  readonly cipher: string
  readonly alpn: string | undefined
  readonly isResumed: boolean
}

/** What sealing may add to a record; TLS 1.2 with HMAC-SHA256 37 octets, TLS 1.3 22. */
export const SEALING = 64
