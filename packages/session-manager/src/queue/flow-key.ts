/**
 * Which flow an inner packet is of: protocol, addresses and, where the packet shows them, ports, as one number (RFC 8290 §4.1). It is a
 * hash with a key (HalfSipHash-1-3), because with a weaker one whoever chooses his own address or port could choose whose queue he is in.
 */

const TCP = 6
const UDP = 17
/** Rounds after the last word. */
const FINAL = 3

/** `salt`, secret: nobody outside can tell which flows share a number. The IP header is whole. */
export function flowKeyOf(packet: Uint8Array, offset: number, length: number, salt: number): number {
  return packet[offset]! >> 4 === 4 ? ofIpv4(packet, offset, length, salt) : ofIpv6(packet, offset, length, salt)
}

function ofIpv4(packet: Uint8Array, offset: number, length: number, salt: number): number {
  const protocol = packet[offset + 9]!
  // A fragment's ports are in the first of them only: all go without.
  const isFragment = (((packet[offset + 6]! & 0x3f) << 8) | packet[offset + 7]!) !== 0
  const ports = isFragment ? 0 : portsAt(packet, offset + ((packet[offset]! & 0x0f) << 2), offset + length, protocol)
  return hash(salt, protocol, packet, offset + 12, 2, ports)
}

/** Behind extension headers the ports are not looked for; the flow label is there for that (RFC 6437). */
function ofIpv6(packet: Uint8Array, offset: number, length: number, salt: number): number {
  const protocol = packet[offset + 6]!
  const label = word(packet, offset) & 0xfffff
  return hash(salt, (protocol << 20) | label, packet, offset + 8, 8, portsAt(packet, offset + 40, offset + length, protocol))
}

function portsAt(packet: Uint8Array, at: number, end: number, protocol: number): number {
  return (protocol === TCP || protocol === UDP) && at + 4 <= end ? word(packet, at) : 0
}

/** Of `first`, the `count` words of addresses from `at` on, and `last`. */
function hash(salt: number, first: number, packet: Uint8Array, at: number, count: number, last: number): number {
  let v0 = salt
  let v1 = ~salt
  let v2 = 0x6c796765 ^ salt
  let v3 = 0x74656462 ^ ~salt
  for (let i = 0; i < count + 2 + FINAL; i++) {
    const isFinal = i > count + 1
    const message = isFinal ? 0 : i === 0 ? first : i <= count ? word(packet, at + 4 * (i - 1)) : last
    if (i === count + 2) v2 ^= 0xff
    v3 ^= message
    v0 = (v0 + v1) | 0
    v1 = rotated(v1, 5) ^ v0
    v0 = rotated(v0, 16)
    v2 = (v2 + v3) | 0
    v3 = rotated(v3, 8) ^ v2
    v0 = (v0 + v3) | 0
    v3 = rotated(v3, 7) ^ v0
    v2 = (v2 + v1) | 0
    v1 = rotated(v1, 13) ^ v2
    v2 = rotated(v2, 16)
    v0 ^= message
  }
  return (v1 ^ v3) >>> 0
}

function rotated(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by))
}

function word(packet: Uint8Array, at: number): number {
  return (packet[at]! << 24) | (packet[at + 1]! << 16) | (packet[at + 2]! << 8) | packet[at + 3]!
}
