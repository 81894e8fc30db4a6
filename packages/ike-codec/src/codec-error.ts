/** What was wrong, in decoding unless marked otherwise. */
export type CodecErrorCode =
  /** A length or count asks for octets that are not there. */
  | 'TRUNCATED'
  /** The header's Length is not the number of octets given (§3.1), or an EAP Length is not Payload Length − 4 (§3.16). */
  | 'LENGTH_MISMATCH'
  /** Octets are left over inside the structure named by the path. */
  | 'TRAILING_OCTETS'
  /** A length that the structure cannot have: shorter than its own header, or not that of its type. */
  | 'ILLEGAL_LENGTH'
  /** A value that the syntax forbids: a Last Substruc other than 0, 2, 3, an SK inside an SK. */
  | 'ILLEGAL_VALUE'
  /** Num Transforms or Number of TSs is not the number that is there (§3.3: "MUST check … internal lengths and counts"). */
  | 'COUNT_MISMATCH'
  /** Encoding: a number does not fit in its field. */
  | 'OUT_OF_RANGE'
  /** Encoding: a payload or substructure is longer than its 16-bit length can say. */
  | 'TOO_LONG'
  /** Encoding, and `encryptedBodyOffset`: SK or SKF is missing, or is not the last payload (§3.14). */
  | 'ENCRYPTED_NOT_LAST'

/** The only error this package throws. Seen in decoding, all codes mean INVALID_SYNTAX (RFC 7296 §3.10.1). */
export class CodecError extends Error {
  override readonly name: string = 'CodecError'
  readonly code: CodecErrorCode
  /** Where, in the RFC's names: `SA.proposal[0].transform[1].length`. */
  readonly path: string
  /** Octets from the start of the input to the field at fault (encoding: octets written so far). */
  readonly offset: number

  constructor(code: CodecErrorCode, path: string, offset: number) {
    super(`${code} at ${path} (octet ${offset})`)
    this.code = code
    this.path = path
    this.offset = offset
  }
}
