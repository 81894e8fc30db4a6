/** Returns `length` fresh octets, fit for keys. */
export type RandomSource = (length: number) => Uint8Array

/**
 * A Key Exchange Method, Transform Type 4 (RFC 7296 §3.3.2), with the checks of RFC 6989 §2 and FIPS 203 §7. Public values are the octets of the
 * KE payload's data. A `secret` may be used again with `complete`, and by another implementation of the same method.
 */
export interface KeyExchange {
  /** Transform ID. */
  readonly method: number
  /** IANA's name, e.g. `CURVE25519`. */
  readonly name: string
  /** Octets of the initiator's public value. */
  readonly publicLength: number
  /** Octets of the responder's. */
  readonly responseLength: number
  /** True where the responder's value depends on the initiator's (ML-KEM): then only `respond` can answer. */
  readonly isKem: boolean
  /** Throws RANDOM_SOURCE_FAILED. */
  initiate(random: RandomSource): { publicValue: Uint8Array; secret: Uint8Array }
  /** Throws INVALID_PUBLIC_VALUE, RANDOM_SOURCE_FAILED. */
  respond(random: RandomSource, peerPublic: Uint8Array): { publicValue: Uint8Array; sharedSecret: Uint8Array }
  /** Returns g^ir as RFC 7296 §2.14 wants it, of fixed length. Throws INVALID_PUBLIC_VALUE, INVALID_LENGTH (of `secret`). */
  complete(secret: Uint8Array, peerPublic: Uint8Array): Uint8Array
}
