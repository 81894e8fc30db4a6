/** What every library that makes AEADs here is used by. */
export type AeadCipher = 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' | 'chacha20-poly1305' | 'aes-128-ccm' | 'aes-192-ccm' | 'aes-256-ccm'

export interface AeadAlgorithm {
  readonly cipher: AeadCipher
  /** Octets of the tag: 16; 8 or 12 for the truncated ones of RFC 4106 and RFC 4309. */
  readonly tagLength: number
  /** Octets of the whole nonce, salt included: 12 for GCM and ChaCha20-Poly1305, 11 for CCM (RFC 4309 §4). */
  readonly nonceLength: number
}

/** One key. Not reentrant, and no allocation per call but for addresses: 16 octets each. */
export interface NativeAead {
  /**
   * Encrypts `src[srcOffset, srcOffset + length)` to `dst[dstOffset]` and writes the tag right after it. Source and destination are the
   * same place, or do not overlap.
   *
   * @throws NativeError `ARGUMENT` when `dst` has no room for the tag, `CRYPTO` after {@link NativeAead.free}
   */
  seal(
    nonce: Uint8Array,
    aad: Uint8Array,
    aadLength: number,
    src: Uint8Array,
    srcOffset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
  ): void
  /**
   * Decrypts `src[srcOffset, srcOffset + length)`, the tag after it, to `dst[dstOffset]`, in the same way.
   *
   * @returns false when the tag does not verify; the octets written are then rubbish and must not be used
   * @throws NativeError `ARGUMENT`, `CRYPTO`
   */
  open(
    nonce: Uint8Array,
    aad: Uint8Array,
    aadLength: number,
    src: Uint8Array,
    srcOffset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
  ): boolean
  /** Erases and releases the key schedules. Idempotent. */
  free(): void
}
