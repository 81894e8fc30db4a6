import type { ByteReader } from '../reader.ts'
import { TransformAttributeType } from '../registry/transform.ts'
import type { ByteWriter } from '../writer.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Last Substruc |   RESERVED    |        Transform Length       |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |Transform Type |   RESERVED    |          Transform ID         |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                      Transform Attributes                     ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Transform substructure (RFC 7296 §3.3.2). */
export interface Transform {
  /** `TransformType`. */
  readonly type: number
  /** `EncryptionId`, `PrfId`, `IntegrityId`, `KeyExchangeMethod` or `SequenceNumbers`, by type. */
  readonly id: number
  /** Bits: the Key Length attribute, where it is the first attribute and in the TV format that §3.3.5 demands. */
  readonly keyLength?: number
  /**
   * All other attributes in their order, absent when there are none. A transform that has any is one "that contains a
   * Transform Attribute it does not understand": to be considered unacceptable (§3.3.6). A second, misplaced or TLV Key
   * Length is among them.
   */
  readonly attributes?: readonly TransformAttribute[]
}

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |A|       Attribute Type        |    AF=0  Attribute Length     |
 *  |F|                             |    AF=1  Attribute Value      |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                   AF=0  Attribute Value                       |
 *  |                   AF=1  Not Transmitted                       |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Transform attribute (RFC 7296 §3.3.5): a number is in the TV format, octets are in the TLV format. */
export interface TransformAttribute {
  /** 15 bits. */
  readonly type: number
  readonly value: number | Uint8Array
}

/** What follows Transform Length. */
export function decodeTransform(reader: ByteReader): Transform {
  const type = reader.u8('type')
  reader.skip(1, 'reserved')
  const id = reader.u16('id')
  const all: TransformAttribute[] = []
  while (reader.remaining > 0) all.push(reader.scope(`attribute[${all.length}]`, () => decodeAttribute(reader)))
  const keyLength = keyLengthOf(all[0])
  const attributes = keyLength === undefined ? all : all.slice(1)
  return { type, id, ...(keyLength === undefined ? {} : { keyLength }), ...(attributes.length === 0 ? {} : { attributes }) }
}

export function encodeTransform(writer: ByteWriter, { type, id, keyLength, attributes = [] }: Transform): void {
  writer.u8(type, 'type')
  writer.reserve(1)
  writer.u16(id, 'id')
  if (keyLength !== undefined) writer.scope('keyLength', () => encodeAttribute(writer, { type: KEY_LENGTH, value: keyLength }))
  for (const [index, attribute] of attributes.entries()) {
    writer.scope(`attribute[${index}]`, () => encodeAttribute(writer, attribute))
  }
}

const KEY_LENGTH = TransformAttributeType.KEY_LENGTH
const AF = 0x8000

function decodeAttribute(reader: ByteReader): TransformAttribute {
  const formatAndType = reader.u16('type')
  const type = formatAndType & ~AF
  if ((formatAndType & AF) !== 0) return { type, value: reader.u16('value') }
  return { type, value: reader.octets(reader.u16('length'), 'value') }
}

function encodeAttribute(writer: ByteWriter, { type, value }: TransformAttribute): void {
  if (type >= AF) writer.fail('OUT_OF_RANGE', 'type')
  if (typeof value === 'number') {
    writer.u16(type + AF, 'type')
    writer.u16(value, 'value')
    return
  }
  writer.u16(type, 'type')
  writer.u16(value.length, 'length')
  writer.octets(value, 'value')
}

function keyLengthOf(attribute: TransformAttribute | undefined): number | undefined {
  return attribute?.type === KEY_LENGTH && typeof attribute.value === 'number' ? attribute.value : undefined
}
