/**
 * IP packets on their way from one worker to another, in one buffer that is transferred: each is copied once, into it.
 *
 *      | count (4) | length of each (4 · count) | first packet, tailroom | second packet, tailroom | …
 */
import type { PacketBatch } from '@underpass/session-manager'

/** Packets of `batch` by their places in it. */
export function packPackets({ buffer, offsets, lengths }: PacketBatch, places: readonly number[]): ArrayBuffer {
  let total = 4 + 4 * places.length
  for (const place of places) total += lengths[place]! + TAILROOM
  const packed = new ArrayBuffer(total)
  const header = new Uint32Array(packed, 0, 1 + places.length)
  const octets = new Uint8Array(packed)
  header[0] = places.length
  let at = header.byteLength
  for (const [i, place] of places.entries()) {
    const [offset, length] = [offsets[place]!, lengths[place]!]
    header[1 + i] = length
    octets.set(buffer.subarray(offset, offset + length), at)
    at += length + TAILROOM
  }
  return packed
}

/** Views of the buffer. */
export function unpackPackets(packed: ArrayBuffer): PacketBatch {
  const count = new Uint32Array(packed, 0, 1)[0]!
  const lengths = new Uint32Array(packed, 4, count)
  const offsets = new Uint32Array(count)
  let at = 4 + 4 * count
  for (let i = 0; i < count; i++) {
    offsets[i] = at
    at += lengths[i]! + TAILROOM
  }
  return { buffer: new Uint8Array(packed), offsets, lengths, count, tailroom: TAILROOM }
}

/** For ESP's trailer and ICV, so that the packet can be sealed where it is. */
const TAILROOM = 64
