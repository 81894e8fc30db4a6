/** Packets to test with, and the slow and plain way to check them. */

export interface TcpFields {
  version?: 4 | 6
  /** Last octet of source and destination address. */
  source?: number
  destination?: number
  sourcePort?: number
  destinationPort?: number
  sequence?: number
  acknowledgement?: number
  /** Octet 13 of the TCP header: ACK is 0x10, PSH 0x08, FIN 0x01, CWR 0x80. */
  flags?: number
  window?: number
  options?: Uint8Array
  identification?: number
  hopLimit?: number
  trafficClass?: number
  isAtomic?: boolean
}

export const ACK = 0x10
export const PSH = 0x08
export const FIN = 0x01
export const CWR = 0x80

export function tcpPacket(fields: TcpFields, payload: Uint8Array): Uint8Array {
  const options = fields.options ?? new Uint8Array(0)
  const tcp = new Uint8Array(20 + options.length + payload.length)
  const view = new DataView(tcp.buffer)
  view.setUint16(0, fields.sourcePort ?? 40_000)
  view.setUint16(2, fields.destinationPort ?? 443)
  view.setUint32(4, fields.sequence ?? 1)
  view.setUint32(8, fields.acknowledgement ?? 77)
  tcp[12] = ((20 + options.length) / 4) << 4
  tcp[13] = fields.flags ?? ACK
  view.setUint16(14, fields.window ?? 500)
  tcp.set(options, 20)
  tcp.set(payload, 20 + options.length)
  return ipPacket(6, fields, tcp, 16)
}

/** The same packet with four octets of IPv4 options, or an empty IPv6 hop-by-hop header. */
export function withOptions(packet: Uint8Array): Uint8Array {
  const isIpv4 = packet[0] >> 4 === 4
  const [header, added] = isIpv4 ? [20, Uint8Array.of(1, 1, 1, 0)] : [40, Uint8Array.of(packet[6], 0, 1, 4, 0, 0, 0, 0)]
  const longer = Uint8Array.of(...packet.subarray(0, header), ...added, ...packet.subarray(header))
  const view = new DataView(longer.buffer)
  if (isIpv4) {
    longer[0] = 0x46
    view.setUint16(2, longer.length)
    view.setUint16(10, 0)
    view.setUint16(10, slowChecksum(longer.subarray(0, 24)))
  } else {
    longer[6] = 0
    view.setUint16(4, longer.length - 40)
  }
  return longer
}

export function udpPacket(fields: TcpFields, payload: Uint8Array): Uint8Array {
  const udp = new Uint8Array(8 + payload.length)
  const view = new DataView(udp.buffer)
  view.setUint16(0, fields.sourcePort ?? 40_000)
  view.setUint16(2, fields.destinationPort ?? 443)
  view.setUint16(4, udp.length)
  udp.set(payload, 8)
  return ipPacket(17, fields, udp, 6)
}

function ipPacket(protocol: number, fields: TcpFields, transport: Uint8Array, checksumAt: number): Uint8Array {
  const isIpv4 = fields.version !== 6
  const header = isIpv4 ? 20 : 40
  const packet = new Uint8Array(header + transport.length)
  const view = new DataView(packet.buffer)
  if (isIpv4) {
    packet[0] = 0x45
    packet[1] = fields.trafficClass ?? 0
    view.setUint16(2, packet.length)
    view.setUint16(4, fields.identification ?? 0)
    packet[6] = fields.isAtomic === false ? 0 : 0x40
    packet[8] = fields.hopLimit ?? 64
    packet[9] = protocol
    packet.set([10, 0, 0, fields.source ?? 1, 10, 0, 0, fields.destination ?? 2], 12)
    view.setUint16(10, slowChecksum(packet.subarray(0, 20)))
  } else {
    view.setUint16(0, 0x6000 | ((fields.trafficClass ?? 0) << 4))
    view.setUint16(4, transport.length)
    packet[6] = protocol
    packet[7] = fields.hopLimit ?? 64
    packet.set([0xfd, 0xab], 8)
    packet.set([0xfd, 0xab], 24)
    packet[23] = fields.source ?? 1
    packet[39] = fields.destination ?? 2
  }
  packet.set(transport, header)
  const checksum = slowChecksum(pseudoHeader(packet), packet.subarray(header))
  view.setUint16(header + checksumAt, protocol === 17 && checksum === 0 ? 0xffff : checksum)
  return packet
}

/** RFC 1071 §4.1, in network byte order, over the parts one after the other (each but the last of even length). */
export function slowChecksum(...parts: Uint8Array[]): number {
  let sum = 0
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += (part[i] << 8) + (part[i + 1] ?? 0)
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

/** RFC 9293 §3.1 and RFC 8200 §8.1. */
export function pseudoHeader(packet: Uint8Array): Uint8Array {
  const isIpv4 = packet[0] >> 4 === 4
  const length = packet.length - (isIpv4 ? (packet[0] & 15) * 4 : 40)
  const tail = Uint8Array.of(0, packet[isIpv4 ? 9 : 6], length >> 8, length & 0xff)
  return isIpv4 ? Uint8Array.of(...packet.subarray(12, 20), ...tail) : Uint8Array.of(...packet.subarray(8, 40), ...tail)
}

/** What is wrong with the lengths and checksums of a packet; empty when nothing is. */
export function faults(packet: Uint8Array): string[] {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  const isIpv4 = packet[0] >> 4 === 4
  const header = isIpv4 ? (packet[0] & 15) * 4 : 40
  const found: string[] = []
  if ((isIpv4 ? view.getUint16(2) : view.getUint16(4) + 40) !== packet.length) found.push('length')
  if (isIpv4 && slowChecksum(packet.subarray(0, header)) !== 0) found.push('header checksum')
  if (slowChecksum(pseudoHeader(packet), packet.subarray(header)) !== 0) found.push('transport checksum')
  return found
}

/** A small deterministic generator (xorshift32), 0 ≤ value < limit. */
export function seeded(seed: number): (limit: number) => number {
  let state = seed || 1
  return (limit) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % limit
  }
}

export function octets(length: number, random: (limit: number) => number): Uint8Array {
  return Uint8Array.from({ length }, () => random(256))
}
