/*
 * struct virtio_net_hdr (virtio 1.2 §5.1.6), 10 octets in front of each packet of a TUN with IFF_VNET_HDR or of a packet socket with
 * PACKET_VNET_HDR; little-endian here as the host is.
 *
 *      0       1          2         4          6            8             10
 *      | flags | gso_type | hdr_len | gso_size | csum_start | csum_offset |
 */
export const VIRTIO_NET_HEADER_LENGTH = 10

/** The checksum field holds only the sum of the pseudo-header; sum from csum_start on and store it at csum_start + csum_offset. */
export const NEEDS_CSUM = 1

export const GsoType = { NONE: 0, TCPV4: 1, UDP: 3, TCPV6: 4, UDP_L4: 5, ECN: 0x80 } as const

export const FLAGS = 0
export const GSO_TYPE = 1
export const HDR_LEN = 2
export const GSO_SIZE = 4
export const CSUM_START = 6
export const CSUM_OFFSET = 8

export function readU16(buffer: Uint8Array, at: number): number {
  return buffer[at] | (buffer[at + 1] << 8)
}

export function writeU16(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value & 0xff
  buffer[at + 1] = value >>> 8
}
