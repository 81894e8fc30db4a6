import type { EspTransform } from './transform.ts'

/**
 * One direction of one SA: a key, its salt, and the two operations of ESP (RFC 4303 §3.3.2.2, §3.4.4.2).
 *
 * Every transform takes the same associated data, SPI | Sequence Number (8 octets) or, with ESN, SPI | high | low (12 octets).
 * A transform whose RFC orders them otherwise (HMAC appends the high half after the trailer, RFC 4303 §3.3.2.1; GMAC covers
 * the IV too, RFC 4543 §3.3) rearranges them itself.
 */
export interface Aead {
  /** Octets of `iv`: 8, 16 for AES-CBC, 0 for NULL. With an implicit IV (RFC 8750) 8, although the packet carries none. */
  readonly ivLength: number
  readonly icvLength: number
  /**
   * In place: encrypts `buffer[offset, offset + length)` and writes `icvLength` octets right after it.
   * `iv` is the explicit IV of the packet; `iv` and `aad` are scratch of the caller and are not kept.
   */
  seal(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): void
  /**
   * In place: `length` octets of ciphertext at `offset`, the ICV right after them.
   * `false`: the ICV does not verify, and what is at `offset` is not to be used.
   */
  open(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): boolean
  /**
   * `seal` of `length` octets at `src[srcOffset]`, to `dst[dstOffset]`, the ICV right after them, where the provider can: it spares the
   * copy that sealing in place would need first. The two places do not overlap.
   */
  sealFrom?(
    iv: Uint8Array,
    aad: Uint8Array,
    aadLength: number,
    src: Uint8Array,
    srcOffset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
  ): void
  /** `open` of `length` octets at `src[srcOffset]`, the ICV right after them, to `dst[dstOffset]`, in the same way. `src` stays as it is. */
  openFrom?(
    iv: Uint8Array,
    aad: Uint8Array,
    aadLength: number,
    src: Uint8Array,
    srcOffset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
  ): boolean
  /** Erases the key, where the provider can. Nothing may be called afterwards. */
  free?(): void
}

/** A source of {@link Aead}s. */
export interface AeadProvider {
  readonly name: string
  /**
   * @param keymat exactly `transform.keymatLength` octets: encryption key, salt, integrity key (RFC 7296 §2.17). Copied.
   * @throws EspCryptoError `TRANSFORM_UNSUPPORTED`, `KEYMAT_LENGTH`
   */
  create(transform: EspTransform, keymat: Uint8Array): Aead
  /** Whether `create` has this transform in this runtime. */
  supports(transform: EspTransform): boolean
}
