/** SK_e and SK_a of one direction (RFC 7296 §2.14). */
export interface SkKeys {
  /** Key, followed by the salt for an AEAD. */
  readonly encryption: Uint8Array
  /** Empty for an AEAD. */
  readonly integrity: Uint8Array
}

/** Protection of the Encrypted payload (RFC 7296 §3.14; RFC 5282 for AEADs). Lengths are octets. */
export interface SkCipher {
  /** The transforms by IANA's names, the key length in bits between: `ENCR_AES_CBC-256/AUTH_HMAC_SHA2_256_128`. */
  readonly name: string
  /** Includes the salt. */
  readonly encryptionKeyLength: number
  /** 0 for an AEAD. */
  readonly integrityKeyLength: number
  readonly ivLength: number
  readonly icvLength: number
  /** What `plaintext` must be a multiple of: 16 for CBC, else 1. */
  readonly blockLength: number
  /**
   * Returns ciphertext | ICV. `plaintext` is the inner payloads, padding and Pad Length; `aad` runs from the IKE header to the
   * generic header of SK or SKF. Each `iv` is used once with a key; for CBC it is unpredictable. Throws INVALID_LENGTH.
   */
  seal(keys: SkKeys, iv: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array
  /**
   * The padded plaintext, or `undefined` where the ICV does not verify, or where `iv` or `sealed` cannot have been made by `seal`.
   * Throws INVALID_LENGTH for wrong keys only, never for what a peer sent.
   */
  open(keys: SkKeys, iv: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
}

/** AES key sizes in bits. */
export type AesKeyLength = 128 | 192 | 256
