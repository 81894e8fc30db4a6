export type CertificateErrorCode =
  /** Not DER, not PEM, or not what it should be. */
  | 'MALFORMED'
  /** Sound, and not done here: an algorithm, a critical extension, an encoding. */
  | 'UNSUPPORTED'
  | 'WRONG_PASSPHRASE'
  /** More certificates, octets or signatures than are looked at. */
  | 'LIMIT_EXCEEDED'
  /** No path to a trust anchor. */
  | 'UNKNOWN_ISSUER'
  | 'BAD_SIGNATURE'
  /** A hash or a key that is too weak to prove anything (RFC 8247 §3.1). */
  | 'WEAK_ALGORITHM'
  | 'NOT_YET_VALID'
  | 'EXPIRED'
  /** Somebody who is no CA has issued a certificate (RFC 5280 §4.2.1.9). */
  | 'NOT_A_CA'
  | 'PATH_TOO_LONG'
  | 'KEY_USAGE'
  | 'EXTENDED_KEY_USAGE'
  | 'NAME_CONSTRAINTS'
  | 'REVOKED'
  /** Whether it is revoked cannot be told, and the policy wants to know. */
  | 'REVOCATION_UNKNOWN'
  /** The identity claimed is not the certificate's (RFC 4945 §3.1). */
  | 'IDENTITY_MISMATCH'
  /** A method of AUTH that the key cannot do, or that was not allowed. */
  | 'WRONG_METHOD'

export interface CertificateErrorContext {
  /** The subject of the certificate that is meant, as people write it. */
  readonly subject?: string
}

/** The only error of this package. The message names no secret. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError'
  readonly code: CertificateErrorCode
  readonly context: CertificateErrorContext

  constructor(code: CertificateErrorCode, message: string, context: CertificateErrorContext = {}) {
    super(message)
    this.code = code
    this.context = context
  }
}
