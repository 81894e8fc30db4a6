// Room: wire out, after sealing. Puts Length (and the Non-ESP marker) in front of a message.
import { FramingError } from './framing-error.ts'
import { FRAMING_PROFILES, type FramingProfile, type FramingProfileName, STREAM_PREFIX } from './framing-profile.ts'

/** Octets of the Non-ESP Marker, four zeros where ESP has its SPI (RFC 9329 §3.1). */
const NON_ESP_MARKER = 4

export interface FrameOptions {
  /** Put the stream prefix first: for the TCP Originator's first frame on each connection. Profiles without a prefix ignore it. */
  readonly prefix?: boolean
}

/**
 * [prefix] Length, Non-ESP marker, message in one fresh buffer, so that prefix and first frame leave in one write: a peer may
 * read the six octets in a single call and give up when fewer come (RFC 9329 §3.1, §4).
 *
 * @param message An IKE message from its header.
 * @throws FramingError 'EMPTY_MESSAGE', 'MESSAGE_TOO_LONG'
 */
export function frameIke(profile: FramingProfileName, message: Uint8Array, options: FrameOptions = {}): Uint8Array {
  const framing = FRAMING_PROFILES[profile]
  checkLength(framing, message.length, NON_ESP_MARKER)
  return frame(framing, message, NON_ESP_MARKER, options)
}

/**
 * [prefix] Length, ESP packet in one fresh buffer. For tests and for the first frame after a redial; the data path leaves
 * headroom and calls `writeEspFrameHeader` (RFC 9329 §3.2).
 *
 * @throws FramingError 'EMPTY_MESSAGE', 'MESSAGE_TOO_LONG', 'ZERO_SPI'
 */
export function frameEsp(profile: FramingProfileName, packet: Uint8Array, options: FrameOptions = {}): Uint8Array {
  const framing = FRAMING_PROFILES[profile]
  checkLength(framing, packet.length, 0)
  if (packet.length < 4 || (packet[0] | packet[1] | packet[2] | packet[3]) === 0) {
    throw new FramingError('ZERO_SPI', 'An ESP packet begins with an SPI that is not 0 (RFC 9329 §3.2)', { octets: packet.length })
  }
  return frame(framing, packet, 0, options)
}

/** Octets to leave free in front of an ESP packet for `writeEspFrameHeader`. */
export function espFrameOverhead(profile: FramingProfileName): number {
  return FRAMING_PROFILES[profile].lengthOctets
}

/**
 * Writes Length at `offset`; the ESP packet stands, or will stand, at `offset + espFrameOverhead(profile)`.
 *
 * @param espLength Octets from SPI to ICV.
 * @throws FramingError 'EMPTY_MESSAGE', 'MESSAGE_TOO_LONG', 'NO_ROOM'
 */
export function writeEspFrameHeader(profile: FramingProfileName, buffer: Uint8Array, offset: number, espLength: number): void {
  const framing = FRAMING_PROFILES[profile]
  checkLength(framing, espLength, 0)
  const length = framing.lengthOctets + espLength
  if (offset < 0 || offset + length > buffer.length) {
    throw new FramingError('NO_ROOM', `A frame of ${length} octets does not fit at ${offset}`, {
      octets: length,
      limit: buffer.length - offset,
    })
  }
  writeLength(framing, buffer, offset, length)
}

function frame(framing: FramingProfile, message: Uint8Array, markerLength: number, options: FrameOptions): Uint8Array {
  const prefixLength = options.prefix === true && framing.hasPrefix ? STREAM_PREFIX.length : 0
  const length = framing.lengthOctets + markerLength + message.length
  const bytes = new Uint8Array(prefixLength + length)
  if (prefixLength > 0) bytes.set(STREAM_PREFIX, 0)
  writeLength(framing, bytes, prefixLength, length)
  bytes.set(message, prefixLength + framing.lengthOctets + markerLength)
  return bytes
}

function writeLength(framing: FramingProfile, buffer: Uint8Array, offset: number, length: number): void {
  let at = offset
  if (framing.lengthOctets === 4) {
    buffer[at++] = length >>> 24
    buffer[at++] = length >>> 16
  }
  buffer[at] = length >>> 8
  buffer[at + 1] = length
}

function checkLength(framing: FramingProfile, length: number, markerLength: number): void {
  if (length === 0) throw new FramingError('EMPTY_MESSAGE', 'There is no message to frame', { octets: 0 })
  const limit = framing.maxMessage - markerLength
  if (length > limit) {
    throw new FramingError('MESSAGE_TOO_LONG', `A message of ${length} octets exceeds the ${limit} that ${framing.name} can frame`, {
      octets: length,
      limit,
    })
  }
}
