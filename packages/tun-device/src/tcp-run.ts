import { pseudoHeaderSum, storeSum } from './checksum.ts'
import { isEqual } from './network-order.ts'

/*
 * Which TCP segments may stand in one super-packet (RFC 9293 §3.1): data and nothing else, with the same acknowledgement, window and
 * options. Sequence numbers are the caller's to follow.
 */
export const TCP = 6
/** Offset of the checksum in the TCP header. */
export const TCP_CHECKSUM = 16
/** A run becomes one writev(2), which takes 1,024 vectors. */
export const MAX_TCP_RUN = 512

const FLAGS = 13
const PSH = 0x08
const ACK = 0x10

/** Octets of the IP and TCP header of a packet of `length` octets; 0 when it is too short for them. */
export function tcpHeaderLength(buffer: Uint8Array, packet: number, tcp: number, length: number): number {
  if (length < tcp + 20) return 0
  const headerLength = tcp + (buffer[packet + tcp + 12] >>> 4) * 4
  return headerLength >= tcp + 20 && headerLength <= length ? headerLength : 0
}

/** No flags but ACK and perhaps PSH. `header` is where the TCP header is. */
export function isPlainData(buffer: Uint8Array, header: number): boolean {
  return (buffer[header + FLAGS] & ~PSH) === ACK
}

/** Nothing may follow a pushed segment in a super-packet: its last segment gets the PSH. */
export function isPushed(buffer: Uint8Array, header: number): boolean {
  return (buffer[header + FLAGS] & PSH) !== 0
}

/** Two TCP headers of `length` octets differ at most in sequence number, flags and checksum. Ports are equal. */
export function isSameTcp(buffer: Uint8Array, header: number, first: number, length: number): boolean {
  // Acknowledgement number and data offset; window and, further on, options. Between them stand flags and checksum.
  return (
    isEqual(buffer, header + 8, first + 8, 5) &&
    isEqual(buffer, header + 14, first + 14, 2) &&
    isEqual(buffer, header + 18, first + 18, length - 18)
  )
}

/** Completes the TCP header of the super-packet of `length` octets at `packet`; `isLastPushed` says what its last segment was. */
export function writeTcpSuperHeader(out: Uint8Array, packet: number, tcp: number, length: number, isLastPushed: boolean): void {
  if (isLastPushed) out[packet + tcp + FLAGS] |= PSH
  storeSum(out, packet + tcp + TCP_CHECKSUM, pseudoHeaderSum(out, packet, TCP, length - tcp))
}
