import type { Codec } from '../layout.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Next Payload  |C|  RESERVED   |         Payload Length        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |  Protocol ID  |   SPI Size    |      Notify Message Type      |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                Security Parameter Index (SPI)                 ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  ~                       Notification Data                       ~
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** Notify payload, N (RFC 7296 §3.10). */
export interface Notify {
  /** `ProtocolId`, or 0 when there is no SPI. */
  readonly protocol: number
  /** Empty, or the SPI of the Child SA that this is about. */
  readonly spi: Uint8Array
  /** `NotifyType`. */
  readonly notifyType: number
  readonly data: Uint8Array
}

export const notifyCodec: Codec<Notify> = {
  decode: (reader) => {
    const protocol = reader.u8('protocol')
    const spiSize = reader.u8('spiSize')
    const notifyType = reader.u16('notifyType')
    const spi = reader.octets(spiSize, 'spi')
    return { protocol, spi, notifyType, data: reader.rest() }
  },
  encode: (writer, { protocol, spi, notifyType, data }) => {
    writer.u8(protocol, 'protocol')
    writer.u8(spi.length, 'spiSize')
    writer.u16(notifyType, 'notifyType')
    writer.octets(spi, 'spi')
    writer.octets(data, 'data')
  },
}

/**
 * A Notify payload. Without `sa` it concerns the IKE SA or none: Protocol ID 0 and no SPI (§3.10).
 * @example notify(NotifyType.REKEY_SA, undefined, { protocol: ProtocolId.ESP, spi })
 */
export function notify(
  notifyType: number,
  data: Uint8Array = new Uint8Array(),
  sa: { readonly protocol: number; readonly spi: Uint8Array } = { protocol: 0, spi: new Uint8Array() },
): { readonly type: 'N' } & Notify {
  return { type: 'N', protocol: sa.protocol, spi: sa.spi, notifyType, data }
}
