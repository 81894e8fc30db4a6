import { type Codec, layout, rest, u8 } from '../layout.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Next Payload  |C|  RESERVED   |         Payload Length        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Cert Encoding |                                               |
 *  +-+-+-+-+-+-+-+-+                                               |
 *  ~                       Certificate Data                        ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Certificate payload, CERT (RFC 7296 §3.6). */
export interface Certificate {
  /** `CertEncoding`. */
  readonly encoding: number
  readonly data: Uint8Array
}

export const certificate: Codec<Certificate> = layout<Certificate>({
  encoding: u8,
  data: rest,
})
