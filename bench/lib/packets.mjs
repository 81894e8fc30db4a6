// IP packets to send through what is measured, and batches of them.

/** A UDP packet of `length` octets with its IPv4 checksum, and none for UDP. */
export function udpPacket(source, destination, length) {
  const packet = ipv4(source, destination, length, 17)
  packet.set([0x30, 0x39, 0x30, 0x3a, (length - 20) >> 8, (length - 20) & 0xff, 0, 0], 20)
  return packet
}

/** A segment of one flow, all its checksums filled in: `sequence` is that of its first octet. */
export function tcpPacket(source, destination, length, sequence) {
  const packet = ipv4(source, destination, length, 6)
  const view = new DataView(packet.buffer)
  packet.set([0x30, 0x39, 0x30, 0x3a], 20)
  view.setUint32(24, sequence)
  view.setUint32(28, 1)
  packet.set([0x50, 0x10, 0xff, 0xff], 32)
  const pseudo = sum(packet, 12, 20) + 6 + (length - 20)
  view.setUint16(36, checksum(pseudo + sum(packet, 20, length)))
  return packet
}

/** An ICMP echo request (RFC 792) with `identifier`, of 64 octets. */
export function echoRequest(source, destination, identifier) {
  const packet = ipv4(source, destination, 64, 1)
  packet.set([8, 0, 0, 0, identifier >> 8, identifier & 0xff, 0, 1], 20)
  new DataView(packet.buffer).setUint16(22, checksum(sum(packet, 20, 64)))
  return packet
}

/** Octets behind each packet of a batch that may be written to, as a device leaves them. */
const TAILROOM = 64

/** @param {Uint8Array[]} packets */
export function batchOf(packets) {
  const buffer = new Uint8Array(packets.reduce((total, packet) => total + packet.length + TAILROOM, 0))
  const [offsets, lengths] = [new Uint32Array(packets.length), new Uint32Array(packets.length)]
  const batch = { buffer, offsets, lengths, count: packets.length, tailroom: TAILROOM }
  let at = 0
  for (const [i, packet] of packets.entries()) {
    buffer.set(packet, at)
    batch.offsets[i] = at
    batch.lengths[i] = packet.length
    at += packet.length + TAILROOM
  }
  return batch
}

function ipv4(source, destination, length, protocol) {
  const packet = new Uint8Array(length)
  packet.set([0x45, 0, length >> 8, length & 0xff, 0, 1, 0x40, 0, 64, protocol])
  packet.set(source.split('.').map(Number), 12)
  packet.set(destination.split('.').map(Number), 16)
  new DataView(packet.buffer).setUint16(10, checksum(sum(packet, 0, 20)))
  return packet
}

function sum(bytes, from, to) {
  let total = 0
  for (let i = from; i < to; i += 2) total += (bytes[i] << 8) | (bytes[i + 1] ?? 0)
  return total
}

function checksum(total) {
  let folded = total
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16)
  return ~folded & 0xffff
}
