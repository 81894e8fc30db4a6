import { type Codec, layout, rest, thenReserved, u16 } from '../layout.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Next Payload  |C|  RESERVED   |         Payload Length        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |   Diffie-Hellman Group Num    |           RESERVED            |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                       Key Exchange Data                       ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Key Exchange payload, KE (RFC 7296 §3.4). */
export interface KeyExchange {
  /** Diffie-Hellman Group Num, now "Key Exchange Method" in the registry: `KeyExchangeMethod`. */
  readonly method: number
  readonly data: Uint8Array
}

export const keyExchange: Codec<KeyExchange> = layout<KeyExchange>({
  method: thenReserved(u16, 2),
  data: rest,
})
