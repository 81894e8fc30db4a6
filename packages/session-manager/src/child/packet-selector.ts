/**
 * Traffic selectors compiled for the data path: whether an inner packet belongs to a Child SA (RFC 4301 §5.1, §5.2), by
 * numbers and offsets only. Ports are compared where the packet shows them: a later fragment has none and matches only
 * selectors of any port.
 */
import type { IpSelector } from '../ike/traffic-selectors.ts'

interface Row {
  readonly isIpv4: boolean
  readonly start: Uint32Array
  readonly end: Uint32Array
  readonly ipProtocol: number
  readonly startPort: number
  readonly endPort: number
  readonly isAnyPort: boolean
}

export class PacketSelector {
  readonly #rows: readonly Row[]

  constructor(selectors: readonly IpSelector[]) {
    this.#rows = selectors.map((selector) => ({
      isIpv4: selector.startAddress.length === 4,
      start: toWords(selector.startAddress),
      end: toWords(selector.endAddress),
      ipProtocol: selector.ipProtocol,
      startPort: selector.startPort,
      endPort: selector.endPort,
      isAnyPort: selector.startPort === 0 && selector.endPort === 0xffff,
    }))
  }

  /** Whether the packet's source (`side` 0) or destination (1) address, its protocol and that side's port lie within a selector. */
  matches(packet: Uint8Array, offset: number, length: number, side: 0 | 1): boolean {
    const isIpv4 = packet[offset]! >> 4 === 4
    const addressAt = isIpv4 ? offset + 12 + 4 * side : offset + 8 + 16 * side
    for (let i = 0; i < this.#rows.length; i++) {
      const row = this.#rows[i]!
      if (row.isIpv4 !== isIpv4) continue
      if (!isAddressWithin(packet, addressAt, row)) continue
      if (row.ipProtocol === 0 && row.isAnyPort) return true
      if (matchesUpperLayer(packet, offset, length, side, isIpv4, row)) return true
    }
    return false
  }
}

/** Whether this is a whole IPv4 or IPv6 header whose length field fits the octets at hand. */
export function isIpPacket(packet: Uint8Array, offset: number, length: number): boolean {
  if (length < 20) return false
  const version = packet[offset]! >> 4
  if (version === 4) {
    const headerLength = (packet[offset]! & 0x0f) << 2
    const totalLength = (packet[offset + 2]! << 8) | packet[offset + 3]!
    return headerLength >= 20 && headerLength <= totalLength && totalLength <= length
  }
  return version === 6 && length >= 40 && ((packet[offset + 4]! << 8) | packet[offset + 5]!) + 40 <= length
}

function isAddressWithin(packet: Uint8Array, at: number, row: Row): boolean {
  const words = row.start.length
  let isAboveStart = false
  let isBelowEnd = false
  for (let i = 0; i < words; i++) {
    const word = readWord(packet, at + 4 * i)
    if (!isAboveStart) {
      if (word < row.start[i]!) return false
      isAboveStart = word > row.start[i]!
    }
    if (!isBelowEnd) {
      if (word > row.end[i]!) return false
      isBelowEnd = word < row.end[i]!
    }
    if (isAboveStart && isBelowEnd) return true
  }
  return true
}

function matchesUpperLayer(packet: Uint8Array, offset: number, length: number, side: 0 | 1, isIpv4: boolean, row: Row): boolean {
  const protocol = isIpv4 ? packet[offset + 9]! : packet[offset + 6]!
  if (row.ipProtocol !== 0 && row.ipProtocol !== protocol) return false
  if (row.isAnyPort) return true
  const isLaterFragment = isIpv4 && (((packet[offset + 6]! & 0x1f) << 8) | packet[offset + 7]!) !== 0
  const portsAt = offset + (isIpv4 ? (packet[offset]! & 0x0f) << 2 : 40)
  if (isLaterFragment || portsAt + 4 > offset + length) return false
  // RFC 7296 §3.13.1: ICMP's type and code stand for the port, on both sides.
  const isIcmp = protocol === ICMP || protocol === ICMPV6
  if (!isIcmp && !PROTOCOLS_WITH_PORTS.has(protocol)) return false
  const portAt = isIcmp ? portsAt : portsAt + 2 * side
  const port = (packet[portAt]! << 8) | packet[portAt + 1]!
  return port >= row.startPort && port <= row.endPort
}

const ICMP = 1
const ICMPV6 = 58

/** TCP, UDP, DCCP, SCTP, UDP-Lite. */
const PROTOCOLS_WITH_PORTS: ReadonlySet<number> = new Set([6, 17, 33, 132, 136])

function readWord(packet: Uint8Array, at: number): number {
  return ((packet[at]! << 24) | (packet[at + 1]! << 16) | (packet[at + 2]! << 8) | packet[at + 3]!) >>> 0
}

function toWords(address: Uint8Array): Uint32Array {
  return Uint32Array.from({ length: address.length / 4 }, (_, index) => readWord(address, 4 * index))
}
