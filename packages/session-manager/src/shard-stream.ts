/** Whose a TCP connection is: an IKE SA lives in one core, its connections may come to any (RFC 9329 §6.1). */
import { FRAMING_PROFILES, STREAM_PREFIX } from '@underpass/tcp-framing'
import type { FramingProfileName } from './contract.ts'
import { shardOfSpi } from './shard-spi.ts'

/**
 * 'none': it is no such stream, or begins with what names no SA. `needs`: how many octets from its start, at most 64. `isNew`: no core has
 * an SA for it yet, so that any may take it.
 */
export type StreamShard = { readonly shard: number; readonly isNew?: true } | { readonly needs: number } | 'none'

/**
 * Which of `count` cores made the SPI that the first message of a stream is for. Of IKE_SA_INIT, which names none, the initiator's SPI
 * says it: who repeats it on another connection, with a cookie or without (RFC 9329 §6.3), comes to the core that has heard it before.
 * `start`: the first octets of the stream, as many as have come.
 */
export function shardOfStream(framing: FramingProfileName, start: Uint8Array, count: number): StreamShard {
  const { hasPrefix, lengthOctets } = FRAMING_PROFILES[framing]
  const prefix = hasPrefix ? STREAM_PREFIX : NONE
  for (let i = 0; i < Math.min(prefix.length, start.length); i++) if (start[i] !== prefix[i]) return 'none'
  const message = prefix.length + lengthOctets
  if (start.length < message + SPI) return { needs: message + SPI }
  const length = readLength(start, prefix.length, lengthOctets) - lengthOctets
  if (length < SPI) return 'none'
  const spi = readU32(start, message)
  if (spi !== 0) return { shard: shardOfSpi(spi) }
  // The Non-ESP marker, then the initiator's SPI, the responder's, and who of the two has sent this.
  const [initiatorSpi, responderSpi, flags] = [message + SPI, message + SPI + IKE_SPI, message + SPI + FLAGS]
  if (length <= SPI + FLAGS) return 'none'
  if (start.length <= flags) return { needs: flags + 1 }
  const low = readU32(start, initiatorSpi + 4)
  // Where one of ours has rekeyed the IKE SA, ours is the initiator's.
  if ((start[flags]! & INITIATOR) === 0) return { shard: shardOfSpi(low) }
  const isNew = readU32(start, responderSpi) === 0 && readU32(start, responderSpi + 4) === 0
  return isNew ? { shard: low % count, isNew } : { shard: shardOfSpi(readU32(start, responderSpi + 4)) }
}

const NONE = new Uint8Array(0)
const SPI = 4
const IKE_SPI = 8
/** In the header of an IKE message: its Flags (RFC 7296 §3.1), and the original initiator's. */
const FLAGS = 19
const INITIATOR = 0x08

function readLength(octets: Uint8Array, at: number, lengthOctets: 2 | 4): number {
  return lengthOctets === 2 ? (octets[at]! << 8) | octets[at + 1]! : readU32(octets, at)
}

function readU32(octets: Uint8Array, at: number): number {
  return ((octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) | octets[at + 3]!) >>> 0
}
