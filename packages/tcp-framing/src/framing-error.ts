export type FramingErrorCode =
  /** More octets than the profile's Length field can frame (RFC 9329 §3: 65,533). */
  | 'MESSAGE_TOO_LONG'
  /** Nothing to frame; an empty message is legal to receive and pointless to send. */
  | 'EMPTY_MESSAGE'
  /** An ESP packet whose SPI is 0 would be read as an IKE message (RFC 9329 §3.2). */
  | 'ZERO_SPI'
  /** Fewer octets in front of the packet than the Length field takes. */
  | 'NO_ROOM'
  /** `maxBuffered` is too small, or resync is asked of a profile that must close at once. */
  | 'BAD_OPTION'

/** A mistake of the caller. What a peer sends never throws: see `Deframer.fatalReason`. */
export class FramingError extends Error {
  override readonly name = 'FramingError'
  readonly code: FramingErrorCode
  /** The offending and the allowed number, in octets, where the error is about one. */
  readonly context: { readonly octets?: number; readonly limit?: number }

  constructor(code: FramingErrorCode, message: string, context: { readonly octets?: number; readonly limit?: number } = {}) {
    super(message)
    this.code = code
    this.context = context
  }
}
