/**
 * Many IP packets in one buffer: packet `i` is `buffer[offsets[i], offsets[i] + lengths[i])` for `i < count`. Nothing is allocated
 * per packet. Every package declares this shape itself; they fit each other structurally.
 */
export interface PacketBatch {
  buffer: Uint8Array
  offsets: Uint32Array
  lengths: Uint32Array
  count: number
  /** Octets behind each packet that whoever is lent the batch may write to. Default 0. */
  tailroom?: number
}

/** Free octets in front of each packet that a device delivers: Length (2), ESP header (8) and the longest IV (16) fit. */
export const HEADROOM = 32

/** Free octets behind each packet that a device delivers: ESP padding and trailer (17) and the longest ICV (32) fit. */
export const TAILROOM = 64

/** A batch with room for `packets` packets, which `buffer` takes together with their head- and tailroom. */
export function createPacketBatch(packets: number, buffer: Uint8Array): PacketBatch {
  return {
    buffer,
    offsets: new Uint32Array(packets),
    lengths: new Uint32Array(packets),
    count: 0,
    tailroom: TAILROOM,
  }
}

/** Copies `packets` into a new batch. For tests and for the slow path. */
export function batchOf(packets: readonly Uint8Array[]): PacketBatch {
  const octets = packets.reduce((sum, packet) => sum + slotLength(packet.length), 0)
  const batch = createPacketBatch(packets.length, new Uint8Array(octets))
  let at = 0
  for (const packet of packets) {
    batch.offsets[batch.count] = at + HEADROOM
    batch.lengths[batch.count] = packet.length
    batch.buffer.set(packet, at + HEADROOM)
    batch.count++
    at += slotLength(packet.length)
  }
  return batch
}

/** Copies of the packets of `batch`. For tests and for the slow path. */
export function packetsOf(batch: PacketBatch): Uint8Array[] {
  return Array.from({ length: batch.count }, (_, i) => batch.buffer.slice(batch.offsets[i], batch.offsets[i] + batch.lengths[i]))
}

/** Octets that a packet takes in a batch: with its room around it, and so that the next one starts at a multiple of 4. */
export function slotLength(packetLength: number): number {
  return (HEADROOM + packetLength + TAILROOM + 3) & ~3
}
