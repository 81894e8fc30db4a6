import type { Codec } from '../layout.ts'
import { ProtocolId } from '../registry/message.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Next Payload  |C|  RESERVED   |         Payload Length        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Protocol ID   |   SPI Size    |          Num of SPIs          |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~               Security Parameter Index(es) (SPI)              ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Delete payload, D (RFC 7296 §3.11). */
export interface Delete {
  /** `ProtocolId`. */
  readonly protocol: number
  /** Empty for the IKE SA, whose SPIs are in the header; else SPIs of one size, those the sender expects in inbound packets. */
  readonly spis: readonly Uint8Array[]
}

export const deleteCodec: Codec<Delete> = {
  decode: (reader) => {
    const protocol = reader.u8('protocol')
    const sizeAt = reader.offset
    const spiSize = reader.u8('spiSize')
    const countAt = reader.offset
    const count = reader.u16('count')
    // An SPI of no octets names nothing, and 65,535 of them would cost more than the 8 octets that ask for them.
    if (spiSize === 0 && count > 0) reader.fail('COUNT_MISMATCH', 'count', countAt)
    // Nothing else could be encoded again from an empty list.
    if (count === 0 && spiSize !== emptySpiSize(protocol)) reader.fail('ILLEGAL_LENGTH', 'spiSize', sizeAt)
    const spis: Uint8Array[] = []
    while (spis.length < count) spis.push(reader.octets(spiSize, `spi[${spis.length}]`))
    return { protocol, spis }
  },
  encode: (writer, { protocol, spis }) => {
    const spiSize = spis[0]?.length ?? emptySpiSize(protocol)
    writer.u8(protocol, 'protocol')
    writer.u8(spiSize, 'spiSize')
    writer.u16(spis.length, 'count')
    for (const [index, spi] of spis.entries()) {
      if (spi.length !== spiSize || spiSize === 0) writer.fail('OUT_OF_RANGE', `spi[${index}]`)
      writer.octets(spi, `spi[${index}]`)
    }
  },
}

function emptySpiSize(protocol: number): number {
  return protocol === ProtocolId.AH || protocol === ProtocolId.ESP ? 4 : 0
}
