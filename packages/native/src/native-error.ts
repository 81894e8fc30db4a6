/**
 * - `UNAVAILABLE`: koffi, or the library it was to open, cannot be loaded here; nothing native can be used.
 * - `SYSTEM`: a system call failed; `context.errno` has the name.
 * - `CRYPTO`: libcrypto refused a cipher, a key or an operation.
 * - `ARGUMENT`: the caller's offsets or lengths do not fit the buffer.
 */
export type NativeErrorCode = 'UNAVAILABLE' | 'SYSTEM' | 'CRYPTO' | 'ARGUMENT'

export interface NativeErrorContext {
  /** The system call or libcrypto function that failed. */
  readonly call?: string
  /** Name of the errno value, `EPERM`; for values without a name `errno 524`. */
  readonly errno?: string
  /** What the call was about: a path, an interface, a cipher. */
  readonly subject?: string
}

/** The only error class of this package. */
export class NativeError extends Error {
  readonly code: NativeErrorCode
  readonly context: NativeErrorContext

  constructor(code: NativeErrorCode, message: string, context: NativeErrorContext = {}, options?: ErrorOptions) {
    super(message, options)
    this.name = 'NativeError'
    this.code = code
    this.context = context
  }
}
