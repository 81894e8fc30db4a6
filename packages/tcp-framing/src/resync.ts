// Where a frame may begin again after octets were injected (RFC 9329 §10). Only the owner's ICV check tells whether one does.
import type { FramingProfile } from './framing-profile.ts'

/** Asked only while searching, and for the SPI of a frame that is still incomplete; never for each frame. */
export interface ResyncOptions {
  /** Whether this connection may carry ESP with this inbound SPI. `sequenceNumber` is there for a plausibility check, ESN's low half. */
  isKnownEspSpi(spi: number, sequenceNumber: number): boolean
  /** Whether these are the SPIs of an IKE SA on this connection. */
  isKnownIkeSpis(initiator: bigint, responder: bigint): boolean
  /** Searches begun without lasting success in between, after which the stream is fatal. Default 8. */
  readonly maxAttempts?: number
  /** Octets skipped by those searches, after which the stream is fatal. Default 262,144. */
  readonly maxOctets?: number
}

/** After this many frames in sync, an attack is over and the limits start afresh. */
export const FRAMES_TO_RECOVER: number = 1024

/** Octets after Length that must be there before any position can be judged: Non-ESP marker and IKE header. */
export const SEARCH_LOOKAHEAD: number = 4 + 28

/** SPI and Sequence Number, the 64-bit vector of RFC 9329 §10. */
const ESP_VECTOR = 8

// Octets from the Non-ESP marker.
const INITIATOR_SPI = 4
const RESPONDER_SPI = 12
const IKE_LENGTH = 28

/**
 * Searches [start, end) for a Length followed by a known SPI, or by the Non-ESP marker and known IKE SPIs.
 *
 * @returns the offset of that Length; or, negative, ~offset of the first position with too few octets behind it to judge.
 */
export function findFrame(
  buffer: Uint8Array,
  start: number,
  end: number,
  profile: FramingProfile,
  maxFrame: number,
  options: ResyncOptions,
): number {
  const { lengthOctets } = profile
  for (let at = start; ; at++) {
    const message = at + lengthOctets
    if (message + ESP_VECTOR > end) return ~at
    const frame = (buffer[message - 2] << 8) | buffer[message - 1]
    if (frame < lengthOctets + ESP_VECTOR || frame > maxFrame) continue
    const spi = uint32(buffer, message)
    if (spi !== 0) {
      if (options.isKnownEspSpi(spi, uint32(buffer, message + 4))) return at
      continue
    }
    if (frame < lengthOctets + SEARCH_LOOKAHEAD) continue
    if (message + SEARCH_LOOKAHEAD > end) return ~at
    if (hasIkeLength(buffer, message, frame - lengthOctets) && isKnownIke(buffer, message, options)) return at
  }
}

/**
 * Whether a frame of which only [message, end) has come cannot be one of this connection's. Without this a forged Length would
 * swallow up to 64 kB of good frames before anyone saw the unknown SPI.
 */
export function isImplausible(buffer: Uint8Array, message: number, end: number, length: number, options: ResyncOptions): boolean {
  if (length < ESP_VECTOR || end - message < ESP_VECTOR) return false
  const spi = uint32(buffer, message)
  if (spi !== 0) return !options.isKnownEspSpi(spi, uint32(buffer, message + 4))
  // The SPIs of a first IKE_SA_INIT are not known to anyone, so only the two Length fields are compared.
  return end - message >= SEARCH_LOOKAHEAD && !hasIkeLength(buffer, message, length)
}

function hasIkeLength(buffer: Uint8Array, message: number, length: number): boolean {
  return uint32(buffer, message + IKE_LENGTH) === length - 4
}

function isKnownIke(buffer: Uint8Array, message: number, options: ResyncOptions): boolean {
  const initiator = uint64(buffer, message + INITIATOR_SPI)
  return initiator !== 0n && options.isKnownIkeSpis(initiator, uint64(buffer, message + RESPONDER_SPI))
}

function uint32(buffer: Uint8Array, at: number): number {
  return ((buffer[at] << 24) | (buffer[at + 1] << 16) | (buffer[at + 2] << 8) | buffer[at + 3]) >>> 0
}

function uint64(buffer: Uint8Array, at: number): bigint {
  return (BigInt(uint32(buffer, at)) << 32n) | BigInt(uint32(buffer, at + 4))
}
