/*   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  |               Security Parameters Index (SPI)                 |
 *  |                      Sequence Number                          |
 *  |                    IV (optional), Payload                     |
 *  ~                      TFC Padding (optional)                   ~
 *  |               |     Padding (0-255 bytes)                     |
 *  |                               |  Pad Length   | Next Header   |
 *  ~         Integrity Check Value-ICV   (variable)                ~
 *  RFC 4303 §2 */
export const SPI = 0
export const SEQUENCE_NUMBER = 4
export const IV = 8
/** Pad Length and Next Header. */
export const TRAILER_LENGTH = 2

/** Values of Next Header that ESP itself deals with (RFC 4303 §2.6). */
export const NextHeader = { IPV4: 4, IPV6: 41, NO_NEXT_HEADER: 59 } as const

/** The SPI of the ESP packet at `offset`; the caller has made sure of 4 octets. */
export function espSpi(buffer: Uint8Array, offset: number): number {
  return espSpiWord(buffer, offset) >>> 0
}

/**
 * The same 32 bits as a signed number, to look up and to compare with: half of the unsigned ones are an object each, wherever the compiler
 * does not inline what returns them.
 */
export function espSpiWord(buffer: Uint8Array, offset: number): number {
  return readWord(buffer, offset + SPI)
}

export function readUint32(buffer: Uint8Array, offset: number): number {
  return readWord(buffer, offset) >>> 0
}

function readWord(buffer: Uint8Array, offset: number): number {
  return (buffer[offset]! << 24) | (buffer[offset + 1]! << 16) | (buffer[offset + 2]! << 8) | buffer[offset + 3]!
}

/** `value`: signed or unsigned. */
export function writeUint32(buffer: Uint8Array, offset: number, value: number): void {
  buffer[offset] = value >>> 24
  buffer[offset + 1] = value >>> 16
  buffer[offset + 2] = value >>> 8
  buffer[offset + 3] = value
}

/** SPI (signed or unsigned) | Sequence Number, or SPI | high | low with ESN (RFC 4106 §5). Returns its length. */
export function writeAad(aad: Uint8Array, spi: number, esn: boolean, high: number, low: number): number {
  writeUint32(aad, 0, spi)
  if (!esn) {
    writeUint32(aad, 4, low)
    return 8
  }
  writeUint32(aad, 4, high)
  writeUint32(aad, 8, low)
  return 12
}

/** Nothing where the octets already are. The view it makes otherwise is cheaper than any loop from about 64 octets on. */
export function copyOctets(src: Uint8Array, srcOffset: number, length: number, dst: Uint8Array, dstOffset: number): void {
  if (src !== dst) dst.set(src.subarray(srcOffset, srcOffset + length), dstOffset)
  else if (srcOffset !== dstOffset) dst.copyWithin(dstOffset, srcOffset, srcOffset + length)
}
