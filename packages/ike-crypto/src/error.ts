/** What each code carries, to be read after `switch (error.code)`. Lengths are octets. */
export interface IkeCryptoErrorContext {
  /** The peer's Key Exchange Data must not be used (RFC 6989 §2, RFC 7748 §6). Blame the peer. */
  INVALID_PUBLIC_VALUE: { readonly method: string; readonly reason: InvalidPublicValueReason }
  /** A key, IV, plaintext or private value handed in by the caller has the wrong size. Blame the caller. */
  INVALID_LENGTH: { readonly what: string; readonly expected: number; readonly actual: number }
  /** prf+ is not defined past 255 blocks (RFC 7296 §2.13). */
  OUTPUT_TOO_LONG: { readonly requested: number; readonly maximum: number }
  /** The random source returned too few octets, or never a value in range. */
  RANDOM_SOURCE_FAILED: { readonly method: string }
}

/** A literal per fault; a caller can switch on it. */
export type IkeCryptoErrorCode = keyof IkeCryptoErrorContext

/** Why a public value was refused. */
export type InvalidPublicValueReason = 'WRONG_LENGTH' | 'OUT_OF_RANGE' | 'NOT_ON_CURVE' | 'ALL_ZERO_SECRET'

/** The only error this package throws. Failing to verify an ICV is not an error: `SkCipher.open` returns `undefined`. */
export class IkeCryptoError<C extends IkeCryptoErrorCode = IkeCryptoErrorCode> extends Error {
  override readonly name = 'IkeCryptoError'
  readonly code: C
  readonly context: IkeCryptoErrorContext[C]

  constructor(code: C, context: IkeCryptoErrorContext[C]) {
    super(`${code} ${JSON.stringify(context)}`)
    this.code = code
    this.context = context
  }
}

/** Throws INVALID_LENGTH unless `octets` has the length that the algorithm fixes. */
export function expectLength(what: string, octets: Uint8Array, expected: number): void {
  if (octets.length !== expected) throw new IkeCryptoError('INVALID_LENGTH', { what, expected, actual: octets.length })
}
