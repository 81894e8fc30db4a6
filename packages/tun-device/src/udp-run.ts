import { pseudoHeaderSum, storeSum } from './checksum.ts'
import { readBigEndian16, writeBigEndian16 } from './network-order.ts'

/*
 * Which UDP datagrams may stand in one super-packet (RFC 768): those of one flow that carry data and a checksum. What segmentation makes
 * has a checksum always, so a datagram without one would not come out as it went in.
 */
export const UDP = 17
/** Offset of the checksum in the UDP header. */
export const UDP_CHECKSUM = 6
/** UDP_MAX_SEGMENTS of the kernel: 64 when GSO_UDP_L4 came, 128 since Linux 6.9. */
export const MAX_UDP_RUN = 64

const HEADER = 8

/** Octets of the IP and UDP header of a packet of `length` octets; 0 when the UDP length is not what the IP header leaves. */
export function udpHeaderLength(buffer: Uint8Array, packet: number, udp: number, length: number): number {
  return length >= udp + HEADER && readBigEndian16(buffer, packet + udp + 4) === length - udp ? udp + HEADER : 0
}

/** `header` is where the UDP header is. */
export function hasUdpChecksum(buffer: Uint8Array, header: number): boolean {
  return (buffer[header + UDP_CHECKSUM] | buffer[header + UDP_CHECKSUM + 1]) !== 0
}

/** Completes the UDP header of the super-packet of `length` octets at `packet`. */
export function writeUdpSuperHeader(out: Uint8Array, packet: number, udp: number, length: number): void {
  writeBigEndian16(out, packet + udp + 4, length - udp)
  storeSum(out, packet + udp + UDP_CHECKSUM, pseudoHeaderSum(out, packet, UDP, length - udp))
}
