import { ByteReader } from './reader.ts'
import type { ByteWriter } from './writer.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                       IKE SA Initiator's SPI                  |
 *  |                                                               |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                       IKE SA Responder's SPI                  |
 *  |                                                               |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |  Next Payload | MjVer | MnVer | Exchange Type |     Flags     |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                          Message ID                           |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                            Length                             |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** The IKE header (RFC 7296 §3.1). */
export interface IkeHeader {
  /** 8 octets. */
  readonly initiatorSpi: bigint
  /** 8 octets; 0 in the first message of an initial exchange. */
  readonly responderSpi: bigint
  /** `PayloadType` of the first payload. */
  readonly nextPayload: number
  readonly majorVersion: number
  readonly minorVersion: number
  /** `ExchangeType`. */
  readonly exchangeType: number
  /** Bits of `HeaderFlag`; the other bits are kept too. */
  readonly flags: number
  readonly messageId: number
  /** Octets of the whole message. */
  readonly length: number
}

/** What an encoder is told; Next Payload and Length follow from the payloads. The version is 2.0 unless given. */
export type HeaderFields = Omit<IkeHeader, 'nextPayload' | 'length' | 'majorVersion' | 'minorVersion'> &
  Partial<Pick<IkeHeader, 'majorVersion' | 'minorVersion'>>

/** Octets of the header. */
export const IKE_HEADER_LENGTH = 28

/**
 * The first stage of decoding: looks at the 28 octets and at nothing after them. A higher major version is for the caller
 * to refuse (§2.5).
 * @throws CodecError TRUNCATED under 28 octets; LENGTH_MISMATCH when Length is not `bytes.length`
 */
export function decodeHeader(bytes: Uint8Array): IkeHeader {
  const reader = new ByteReader(bytes)
  return readHeader(reader)
}

/** Leaves the reader at the first payload. */
export function readHeader(reader: ByteReader): IkeHeader {
  return reader.scope('HDR', () => {
    const available = reader.remaining
    const initiatorSpi = reader.u64('initiatorSpi')
    const responderSpi = reader.u64('responderSpi')
    const nextPayload = reader.u8('nextPayload')
    const version = reader.u8('version')
    const exchangeType = reader.u8('exchangeType')
    const flags = reader.u8('flags')
    const messageId = reader.u32('messageId')
    const lengthAt = reader.offset
    const length = reader.u32('length')
    if (length !== available) reader.fail('LENGTH_MISMATCH', 'length', lengthAt)
    const [majorVersion, minorVersion] = [version >> 4, version & 0x0f]
    return { initiatorSpi, responderSpi, nextPayload, majorVersion, minorVersion, exchangeType, flags, messageId, length }
  })
}

/** Writes the header, then what `encode` writes, then fills in Length. */
export function writeHeader(writer: ByteWriter, header: HeaderFields, nextPayload: number, encode: () => void): void {
  const lengthAt = writer.offset + 24
  writer.scope('HDR', () => {
    const { majorVersion = 2, minorVersion = 0 } = header
    if (majorVersion > 0x0f) writer.fail('OUT_OF_RANGE', 'majorVersion')
    if (minorVersion > 0x0f) writer.fail('OUT_OF_RANGE', 'minorVersion')
    writer.u64(header.initiatorSpi, 'initiatorSpi')
    writer.u64(header.responderSpi, 'responderSpi')
    writer.u8(nextPayload, 'nextPayload')
    writer.u8(majorVersion * 0x10 + minorVersion, 'version')
    writer.u8(header.exchangeType, 'exchangeType')
    writer.u8(header.flags, 'flags')
    writer.u32(header.messageId, 'messageId')
    writer.u32(0, 'length')
  })
  encode()
  writer.patchU32(lengthAt, writer.offset, 'HDR.length')
}
