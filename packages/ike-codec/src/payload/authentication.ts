import { type Codec, layout, rest, thenReserved, u8 } from '../layout.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Next Payload  |C|  RESERVED   |         Payload Length        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Auth Method   |                RESERVED                       |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                      Authentication Data                      ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Authentication payload, AUTH (RFC 7296 §3.8). */
export interface Authentication {
  /** `AuthMethod`. */
  readonly method: number
  /** For method 14: ASN.1 Length (1 octet), AlgorithmIdentifier, signature (RFC 7427 §3). */
  readonly data: Uint8Array
}

export const authentication: Codec<Authentication> = layout<Authentication>({
  method: thenReserved(u8, 3),
  data: rest,
})
