import { EapError } from './eap-error.ts'
import { concat } from './octets.ts'
import { EapCode } from './registry.ts'

/*   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |     Code      |  Identifier   |            Length             |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |     Type      |  Type-Data ...                                */

/** RFC 3748 §4. Codes and Types that are not known are kept. */
export interface EapPacket {
  /** `EapCode`. */
  readonly code: number
  readonly identifier: number
  /** `EapType`, in requests and responses. */
  readonly type?: number
  /** Type-Data; what follows Length where there is no Type. */
  readonly data: Uint8Array
}

export function encodePacket({ code, identifier, type, data }: EapPacket): Uint8Array {
  const body = type === undefined ? data : concat(Uint8Array.of(type), data)
  const length = 4 + body.length
  return concat(Uint8Array.of(code, identifier, length >> 8, length & 0xff), body)
}

/** For who ignores what is none (RFC 3748 §4.1). */
export function tryDecodePacket(octets: Uint8Array): EapPacket | EapError {
  try {
    return decodePacket(octets)
  } catch (error) {
    if (error instanceof EapError) return error
    throw error
  }
}

/** Octets beyond Length are padding (RFC 3748 §4). `data` is a view. @throws EapError */
export function decodePacket(octets: Uint8Array): EapPacket {
  const [code = 0, identifier = 0, high = 0, low = 0] = octets
  const length = (high << 8) | low
  const hasType = code === EapCode.REQUEST || code === EapCode.RESPONSE
  if (octets.length < 4) throw new EapError(`${octets.length} octets are no EAP packet`, octets.length)
  if (length < (hasType ? 5 : 4) || length > octets.length) throw new EapError(`Length is ${length}, and ${octets.length} octets came`, 2)
  return hasType
    ? { code, identifier, type: octets[4]!, data: octets.subarray(5, length) }
    : { code, identifier, data: octets.subarray(4, length) }
}
