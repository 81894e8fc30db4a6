import { type Codec, layout, rest, u8 } from '../layout.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Next Payload  |C|  RESERVED   |         Payload Length        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Cert Encoding |                                               |
 *  +-+-+-+-+-+-+-+-+                                               |
 *  ~                    Certification Authority                    ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Certificate Request payload, CERTREQ (RFC 7296 §3.7). */
export interface CertificateRequest {
  /** `CertEncoding`. */
  readonly encoding: number
  /** For X.509: SHA-1 hashes of SubjectPublicKeyInfo, 20 octets each, concatenated. */
  readonly authorities: Uint8Array
}

export const certificateRequest: Codec<CertificateRequest> = layout<CertificateRequest>({
  encoding: u8,
  authorities: rest,
})
