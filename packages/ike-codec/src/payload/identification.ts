import { type Codec, layout, rest, thenReserved, u8 } from '../layout.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Next Payload  |C|  RESERVED   |         Payload Length        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |   ID Type     |                 RESERVED                      |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                   Identification Data                         ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Identification payloads, IDi and IDr (RFC 7296 §3.5). */
export interface Identification {
  /** `IdType`. */
  readonly idType: number
  /** FQDN and RFC822 as ASCII without a terminator, addresses as 4 or 16 octets, names in DER. */
  readonly data: Uint8Array
}

export const identification: Codec<Identification> = layout<Identification>({
  idType: thenReserved(u8, 3),
  data: rest,
})
