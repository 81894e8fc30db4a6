import type { Codec } from '../layout.ts'
import type { ByteReader } from '../reader.ts'
import type { ByteWriter } from '../writer.ts'
import { decodeTransform, encodeTransform, type Transform } from './transform.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Next Payload  |C|  RESERVED   |         Payload Length        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                          <Proposals>                          ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Security Association payload, SA (RFC 7296 §3.3). "Assembly of Security Association payloads requires great peace of mind." */
export interface SecurityAssociation {
  /** In order of preference. Their numbering (1, 2, …) is the sender's to fill and the receiver's to check. */
  readonly proposals: readonly Proposal[]
}

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Last Substruc |   RESERVED    |         Proposal Length       |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Proposal Num  |  Protocol ID  |    SPI Size   |Num  Transforms|
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                        SPI (variable)                         ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                        <Transforms>                           ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Proposal substructure (RFC 7296 §3.3.1). */
export interface Proposal {
  readonly number: number
  /** `ProtocolId`. */
  readonly protocol: number
  /** The sender's: none in IKE_SA_INIT, 8 octets for an IKE SA, 4 for ESP and AH. Other sizes are kept. */
  readonly spi: Uint8Array
  /** Transforms of one type are alternatives; types are combined. At most 255. */
  readonly transforms: readonly Transform[]
}

export const securityAssociation: Codec<SecurityAssociation> = {
  decode: (reader) => ({ proposals: decodeSubstructures(reader, 'proposal', MORE_PROPOSALS, decodeProposal) }),
  encode: (writer, { proposals }) => encodeSubstructures(writer, 'proposal', MORE_PROPOSALS, proposals, encodeProposal),
}

// Values of Last Substruc other than 0, which are the IKEv1 payload types of Proposal and Transform (§3.3.1, §3.3.2).
const MORE_PROPOSALS = 2
const MORE_TRANSFORMS = 3

function decodeProposal(reader: ByteReader): Proposal {
  const number = reader.u8('number')
  const protocol = reader.u8('protocol')
  const spiSize = reader.u8('spiSize')
  const countAt = reader.offset
  const count = reader.u8('transformCount')
  const spi = reader.octets(spiSize, 'spi')
  const transforms = decodeSubstructures(reader, 'transform', MORE_TRANSFORMS, decodeTransform)
  if (transforms.length !== count) reader.fail('COUNT_MISMATCH', 'transformCount', countAt)
  return { number, protocol, spi, transforms }
}

function encodeProposal(writer: ByteWriter, { number, protocol, spi, transforms }: Proposal): void {
  writer.u8(number, 'number')
  writer.u8(protocol, 'protocol')
  writer.u8(spi.length, 'spiSize')
  writer.u8(transforms.length, 'transformCount')
  writer.octets(spi, 'spi')
  encodeSubstructures(writer, 'transform', MORE_TRANSFORMS, transforms, encodeTransform)
}

/** A list that fills its container. Last Substruc must say what the lengths say, so that encoding it again gives the same octets. */
function decodeSubstructures<T>(reader: ByteReader, name: string, more: number, decode: (reader: ByteReader) => T): T[] {
  const values: T[] = []
  while (reader.remaining > 0) {
    const element = `${name}[${values.length}]`
    const isLast = reader.scope(element, () => {
      const last = reader.u8('lastSubstruc')
      if (last !== 0 && last !== more) reader.fail('ILLEGAL_VALUE', 'lastSubstruc', reader.offset - 1)
      reader.skip(1, 'reserved')
      values.push(reader.lengthCountingHeader(() => decode(reader)))
      return last === 0
    })
    if (isLast && reader.remaining > 0) reader.fail('TRAILING_OCTETS')
    if (!isLast && reader.remaining === 0) reader.fail('TRUNCATED', `${name}[${values.length}]`)
  }
  return values
}

function encodeSubstructures<T>(
  writer: ByteWriter,
  name: string,
  more: number,
  values: readonly T[],
  encode: (writer: ByteWriter, value: T) => void,
): void {
  for (const [index, value] of values.entries()) {
    writer.scope(`${name}[${index}]`, () => {
      writer.u8(index === values.length - 1 ? 0 : more, 'lastSubstruc')
      writer.reserve(1)
      writer.lengthCountingHeader(() => encode(writer, value))
    })
  }
}
