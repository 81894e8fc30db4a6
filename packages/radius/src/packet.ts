import { concat } from './octets.ts'
import { RadiusError } from './radius-error.ts'

/*   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |     Code      |  Identifier   |            Length             |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                         Authenticator (16 octets)             |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |  Attributes ...                                                */
const AUTHENTICATOR = 4
const ATTRIBUTES = 20

/** RFC 2865 §3. */
const LONGEST = 4096
/** RFC 2865 §5: what is left of 255 octets. */
export const LONGEST_VALUE = 253

/** RFC 2865 §3. Codes and attributes that are not known are kept. */
export interface RadiusPacket {
  /** `RadiusCode`. */
  readonly code: number
  readonly identifier: number
  /** 16 octets. */
  readonly authenticator: Uint8Array
  readonly attributes: readonly Attribute[]
}

/** RFC 2865 §5. */
export interface Attribute {
  /** `AttributeType`. */
  readonly type: number
  readonly value: Uint8Array
}

/** @throws RadiusError 'TOO_LONG' */
export function encodePacket({ code, identifier, authenticator, attributes }: RadiusPacket): Uint8Array {
  const encoded = attributes.map(({ type, value }) => {
    if (value.length > LONGEST_VALUE)
      throw new RadiusError('TOO_LONG', `attribute ${type} has ${value.length} octets, ${LONGEST_VALUE} fit`)
    return concat(Uint8Array.of(type, value.length + 2), value)
  })
  const length = ATTRIBUTES + encoded.reduce((sum, one) => sum + one.length, 0)
  if (length > LONGEST) throw new RadiusError('TOO_LONG', `a packet of ${length} octets, ${LONGEST} are allowed (RFC 2865 §3)`)
  return concat(Uint8Array.of(code, identifier, length >> 8, length & 0xff), authenticator, ...encoded)
}

/** Octets beyond Length are padding (RFC 2865 §3). Values are views into `octets`. @throws RadiusError 'MALFORMED' */
export function decodePacket(octets: Uint8Array): RadiusPacket {
  if (octets.length < ATTRIBUTES) throw new RadiusError('MALFORMED', `${octets.length} octets are no packet`, octets.length)
  const length = (octets[2]! << 8) | octets[3]!
  if (length < ATTRIBUTES || length > LONGEST || length > octets.length)
    throw new RadiusError('MALFORMED', `Length is ${length}, and ${octets.length} octets came`, 2)
  const attributes: Attribute[] = []
  for (let offset = ATTRIBUTES; offset < length; ) {
    const end = offset + (octets[offset + 1] ?? 0)
    if (end < offset + 2 || end > length)
      throw new RadiusError('MALFORMED', `attribute ${octets[offset]} goes to ${end} of ${length}`, offset)
    attributes.push({ type: octets[offset]!, value: octets.subarray(offset + 2, end) })
    offset = end
  }
  return { code: octets[0]!, identifier: octets[1]!, authenticator: octets.subarray(AUTHENTICATOR, ATTRIBUTES), attributes }
}

export function findAttribute(attributes: readonly Attribute[], type: number): Uint8Array | undefined {
  return attributes.find((one) => one.type === type)?.value
}
