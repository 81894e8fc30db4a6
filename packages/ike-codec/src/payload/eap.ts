import type { Codec } from '../layout.ts'
import { EapCode } from '../registry/authentication.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Next Payload  |C|  RESERVED   |         Payload Length        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |     Code      | Identifier    |           Length              |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |     Type      | Type_Data...
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-
 */

/** Extensible Authentication Protocol payload, EAP (RFC 7296 §3.16, RFC 3748 §4). */
export interface Eap {
  /** `EapCode`. */
  readonly code: number
  readonly identifier: number
  /** Present exactly in requests and responses. */
  readonly eapType?: number
  /** Type_Data; what follows Length where there is no Type. Empty in Success and Failure. */
  readonly data: Uint8Array
}

export const eap: Codec<Eap> = {
  decode: (reader) => {
    const available = reader.remaining
    const code = reader.u8('code')
    const identifier = reader.u8('identifier')
    const lengthAt = reader.offset
    if (reader.u16('length') !== available) reader.fail('LENGTH_MISMATCH', 'length', lengthAt)
    if (hasType(code)) return { code, identifier, eapType: reader.u8('eapType'), data: reader.rest() }
    // The rest stays unread in Success and Failure, which have no data (§3.16): TRAILING_OCTETS.
    return { code, identifier, data: isFinal(code) ? new Uint8Array() : reader.rest() }
  },
  encode: (writer, { code, identifier, eapType, data }) => {
    if ((eapType !== undefined) !== hasType(code)) writer.fail('OUT_OF_RANGE', 'eapType')
    if (isFinal(code) && data.length > 0) writer.fail('OUT_OF_RANGE', 'data')
    writer.u8(code, 'code')
    writer.u8(identifier, 'identifier')
    writer.lengthCountingHeader(() => {
      if (eapType !== undefined) writer.u8(eapType, 'eapType')
      writer.octets(data, 'data')
    })
  },
}

function hasType(code: number): boolean {
  return code === EapCode.REQUEST || code === EapCode.RESPONSE
}

function isFinal(code: number): boolean {
  return code === EapCode.SUCCESS || code === EapCode.FAILURE
}
