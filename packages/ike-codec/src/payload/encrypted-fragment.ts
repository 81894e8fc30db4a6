import { type Codec, layout, rest, u16 } from '../layout.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Next Payload  |C|  RESERVED   |         Payload Length        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |        Fragment Number        |        Total Fragments        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                     Initialization Vector                     |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                      Encrypted content                        ~
 *  +               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |               |             Padding (0-255 octets)            |
 *  +-+-+-+-+-+-+-+-+                               +-+-+-+-+-+-+-+-+
 *  |                                               |  Pad Length   |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                    Integrity Checksum Data                    ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/**
 * Encrypted Fragment payload, SKF {...} (RFC 7383 §2.5). Numbers are kept as they came: a fragment whose numbers are wrong is
 * to be discarded silently (§2.6), which is the receiver's decision and no syntax error.
 */
export interface EncryptedFragment {
  /** Next Payload: as in SK in the first fragment, 0 in the others. */
  readonly firstPayload: number
  readonly fragmentNumber: number
  readonly totalFragments: number
  /** Initialization Vector to Integrity Checksum Data. */
  readonly body: Uint8Array
}

/** `firstPayload` is in the generic header and is added by who reads that. */
export const encryptedFragment: Codec<Omit<EncryptedFragment, 'firstPayload'>> = layout<Omit<EncryptedFragment, 'firstPayload'>>({
  fragmentNumber: u16,
  totalFragments: u16,
  body: rest,
})
