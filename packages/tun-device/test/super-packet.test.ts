import { describe, expect, it } from 'vitest'
import { SuperPacket } from '../src/super-packet.ts'
import { ACK, CWR, FIN, faults, octets, PSH, pseudoHeader, seeded, slowChecksum, tcpPacket, udpPacket } from './packets.ts'

interface Header {
  flags?: number
  gsoType?: number
  gsoSize?: number
  csumStart?: number
  csumOffset?: number
}

const AREA = 300_000

/** Everything the super-packet is cut into, each piece written to a slot of its own at an offset that is not a multiple of 4. */
function segment(packet: Uint8Array, header: Header, linkLength = 0): Uint8Array[] | undefined {
  const buffer = new Uint8Array(AREA + 80_000)
  const view = new DataView(buffer.buffer, AREA)
  buffer[AREA] = header.flags ?? 1
  buffer[AREA + 1] = header.gsoType ?? 0
  view.setUint16(4, header.gsoSize ?? 0, true)
  view.setUint16(6, (header.csumStart ?? 0) + linkLength, true)
  view.setUint16(8, header.csumOffset ?? 0, true)
  const start = AREA + 10 + linkLength
  buffer.set(packet, start)
  const superPacket = new SuperPacket(buffer)
  if (!superPacket.load(AREA, linkLength, start, packet.length)) return undefined
  const pieces: Uint8Array[] = []
  let at = 1
  while (superPacket.nextLength > 0) {
    const announced = superPacket.nextLength
    const length = superPacket.writeNext(at)
    expect(length).toBe(announced)
    pieces.push(buffer.slice(at, at + length))
    at += length + 3
  }
  return pieces
}

/** As the kernel leaves it: only the pseudo-header is summed, not complemented. */
function withPartialChecksum(packet: Uint8Array, at: number): Uint8Array {
  const partial = packet.slice()
  new DataView(partial.buffer).setUint16(at, ~slowChecksum(pseudoHeader(packet)) & 0xffff)
  return partial
}

describe.each([
  { version: 4, ip: 20, gsoType: 1 },
  { version: 6, ip: 40, gsoType: 4 },
] as const)('IPv$version', ({ version, ip, gsoType }) => {
  const random = seeded(version)
  const header = { gsoType, gsoSize: 1000, csumStart: ip, csumOffset: 16 }

  it('cuts TCP data into segments whose lengths, sequence numbers and checksums are right', () => {
    const data = octets(3500, random)
    const options = Uint8Array.of(1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8)
    const packet = tcpPacket({ version, sequence: 0xffff_fc00, identification: 0xfffe, options, flags: ACK | PSH }, data)
    const pieces = segment(withPartialChecksum(packet, ip + 16), header)!
    expect(pieces.map((piece) => piece.length - ip - 32)).toEqual([1000, 1000, 1000, 500])
    expect(pieces.flatMap(faults)).toEqual([])
    expect(pieces.map((piece) => new DataView(piece.buffer).getUint32(ip + 4))).toEqual([0xffff_fc00, 0xffff_ffe8, 976, 1976])
    if (version === 4) expect(pieces.map((piece) => new DataView(piece.buffer).getUint16(4))).toEqual([0xfffe, 0xffff, 0, 1])
    expect(Uint8Array.from(pieces.flatMap((piece) => [...piece.subarray(ip + 32)]))).toEqual(data)
    for (const piece of pieces) expect(piece.subarray(ip + 20, ip + 32)).toEqual(options)
  })

  it('leaves FIN and PSH to the last segment and CWR to the first (RFC 3168 §6.1.2)', () => {
    const packet = tcpPacket({ version, flags: ACK | PSH | FIN | CWR }, octets(2001, random))
    const pieces = segment(packet, { ...header, gsoType: gsoType | 0x80 })!
    expect(pieces.map((piece) => piece[ip + 13])).toEqual([ACK | CWR, ACK, ACK | PSH | FIN])
    expect(pieces.flatMap(faults)).toEqual([])
  })

  it('counts csum_start from the link header', () => {
    const packet = tcpPacket({ version }, octets(2500, random))
    expect(segment(withPartialChecksum(packet, ip + 16), header, 14)).toEqual(segment(packet, header))
  })

  it('cuts UDP data into datagrams', () => {
    const data = octets(2100, random)
    const pieces = segment(udpPacket({ version }, data), { gsoType: 5, gsoSize: 1000, csumStart: ip, csumOffset: 6 })!
    expect(pieces.map((piece) => new DataView(piece.buffer).getUint16(ip + 4))).toEqual([1008, 1008, 108])
    expect(pieces.flatMap(faults)).toEqual([])
    expect(Uint8Array.from(pieces.flatMap((piece) => [...piece.subarray(ip + 8)]))).toEqual(data)
  })

  it('completes the checksum of a whole packet', () => {
    for (const length of [1, 2, 500, 1399]) {
      const tcp = tcpPacket({ version }, octets(length, random))
      expect(segment(withPartialChecksum(tcp, ip + 16), { csumStart: ip, csumOffset: 16 })).toEqual([tcp])
      const udp = udpPacket({ version }, octets(length, random))
      expect(segment(withPartialChecksum(udp, ip + 6), { csumStart: ip, csumOffset: 6 })).toEqual([udp])
    }
  })

  it('RFC 768: stores a UDP checksum of zero as all ones', () => {
    const even = octets(100, random)
    const first = udpPacket({ version }, even)
    // Adding the checksum itself to the data makes the checksum zero.
    const checksum = new DataView(first.buffer).getUint16(ip + 6)
    const packet = first.slice()
    new DataView(packet.buffer).setUint16(
      ip + 8,
      (() => {
        const sum = new DataView(even.buffer).getUint16(0) + checksum
        return (sum & 0xffff) + (sum >> 16)
      })(),
    )
    const [piece] = segment(withPartialChecksum(packet, ip + 6), { csumStart: ip, csumOffset: 6 })!
    expect(new DataView(piece.buffer).getUint16(ip + 6)).toBe(0xffff)
    expect(faults(piece)).toEqual([])
  })

  it('passes a packet whose checksum is there already as it is', () => {
    const packet = tcpPacket({ version }, octets(100, random))
    packet[ip + 16] ^= 0xff // even a wrong one
    expect(segment(packet, { flags: 0 })).toEqual([packet])
  })

  it('refuses a header that contradicts the packet', () => {
    const packet = tcpPacket({ version }, octets(2500, random))
    const wrongGsoType = version === 4 ? 4 : 1
    expect(segment(packet, { ...header, gsoType: wrongGsoType })).toBeUndefined()
    expect(segment(packet, { ...header, gsoType: 77 })).toBeUndefined()
    expect(segment(packet, { ...header, gsoSize: 0 })).toBeUndefined()
    expect(segment(packet, { ...header, flags: 0 })).toBeUndefined()
    expect(segment(packet, { ...header, csumStart: 65_000 })).toBeUndefined()
    expect(segment(packet, { ...header, csumStart: 4 })).toBeUndefined()
    expect(segment(packet, { csumStart: packet.length - 1, csumOffset: 16 })).toBeUndefined()
    expect(segment(packet.subarray(0, ip + 20), header)).toBeUndefined()
    const shortTcpHeader = packet.slice()
    shortTcpHeader[ip + 12] = 0x40
    expect(segment(shortTcpHeader, header)).toBeUndefined()
  })

  it('(randomised) never throws, whatever the header and the packet say', () => {
    const packet = tcpPacket({ version }, octets(1500, random))
    for (let round = 0; round < 2000; round++) {
      const damaged = packet.slice(0, random(packet.length))
      for (let i = 0; i < 3; i++) damaged[random(60)] = random(256)
      segment(damaged, { flags: random(4), gsoType: random(6), gsoSize: random(1600), csumStart: random(100), csumOffset: random(40) })
    }
  })
})

it('refuses what is no IP packet', () => {
  expect(segment(new Uint8Array(60).fill(0x11), { flags: 0 })).toBeUndefined()
  expect(segment(Uint8Array.of(0x45, 0, 0, 3), { flags: 0 })).toBeUndefined()
  expect(segment(new Uint8Array(39).fill(0x60), { flags: 0 })).toBeUndefined()
})
