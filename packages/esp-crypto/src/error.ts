/** What went wrong, and the values it went wrong with. All are mistakes of the caller; packets are answered with an `EspDrop`. */
export interface EspCryptoErrorContext {
  /** The provider cannot run here: its library or its optional package is missing. */
  PROVIDER_UNAVAILABLE: {
    readonly provider: string
    readonly reason: string
    /** The library that would have to be installed, where one was looked for and not found or not accepted: 'libcrypto', 'libIPSec_MB'. */
    readonly missing?: string
  }
  TRANSFORM_UNSUPPORTED: { readonly provider: string; readonly transform: string }
  KEYMAT_LENGTH: { readonly transform: string; readonly expected: number; readonly actual: number }
  WINDOW_SIZE_OUT_OF_RANGE: { readonly size: number; readonly minimum: number; readonly maximum: number }
  /** AES-CBC needs unpredictable IVs (RFC 3602 §3), hence a `random` option. */
  RANDOM_REQUIRED: { readonly transform: string }
  /** SPI 0 is for local use and 1 to 255 are reserved (RFC 4303 §2.1); only 0 is refused here. */
  SPI_OUT_OF_RANGE: { readonly spi: number }
  SEQUENCE_OUT_OF_RANGE: { readonly high: number; readonly low: number }
  AEAD_MISMATCH: { readonly transform: string; readonly reason: string }
}

export type EspCryptoErrorCode = keyof EspCryptoErrorContext

export class EspCryptoError<C extends EspCryptoErrorCode = EspCryptoErrorCode> extends Error {
  override readonly name = 'EspCryptoError'
  readonly code: C
  readonly context: EspCryptoErrorContext[C]

  constructor(code: C, context: EspCryptoErrorContext[C], options?: { cause?: unknown }) {
    super(`${code}: ${JSON.stringify(context)}`, options)
    this.code = code
    this.context = context
  }
}
