/**
 * Which TCP acknowledgement says all that an earlier one says (RFC 9293 §3.4: a number acknowledges everything below it), so that the
 * earlier need not be sent (ACK filtering, RFC 3449 §5.2.1). Duplicates, SACK, and whatever carries data or another flag stay: they say more.
 */

import { readU32 } from '../octets.ts'

const TCP = 6
const ACK = 0x10
/** The sender saw a mark (RFC 3168 §6.1.3). */
const ECE = 0x40
const NOP = 1
const TIMESTAMPS = 8
const TIMESTAMPS_LENGTH = 10

/** Of two packets with whole IP headers. Both in the same flow's queue, which says nothing of whether they are of one connection. */
export function supersedes(
  later: Uint8Array,
  offset: number,
  length: number,
  earlier: Uint8Array,
  position: number,
  size: number,
): boolean {
  const tcp = segmentAt(later, offset, length)
  if (tcp < 0 || tcp !== segmentAt(earlier, position, size)) return false
  const at = offset + tcp
  const was = position + tcp
  const isIpv4 = later[offset]! >> 4 === 4
  return (
    isSame(later, offset, earlier, position, 2) &&
    (isIpv4 ? isSame(later, offset + 12, earlier, position + 12, 8) : isSame(later, offset + 8, earlier, position + 8, 32)) &&
    // Ports and sequence number.
    isSame(later, at, earlier, was, 8) &&
    later[at + 13] === earlier[was + 13] &&
    isAckAlone(later, at, offset + length) &&
    isAckAlone(earlier, was, position + size) &&
    ((readU32(later, at + 8) - readU32(earlier, was + 8)) | 0) > 0
  )
}

/** Where TCP's header is, counted from the packet's beginning; negative in fragments, and behind options and extension headers. */
function segmentAt(packet: Uint8Array, offset: number, length: number): number {
  const isIpv4 = packet[offset]! >> 4 === 4
  if (isIpv4 && (packet[offset] !== 0x45 || (packet[offset + 6]! & 0x3f) !== 0 || packet[offset + 7] !== 0)) return -1
  const tcp = isIpv4 ? 20 : 40
  return packet[offset + (isIpv4 ? 9 : 6)] === TCP && length >= tcp + 20 ? tcp : -1
}

function isAckAlone(packet: Uint8Array, tcp: number, end: number): boolean {
  // The bits behind the header's length are reserved, or count marks with ECE (AccECN).
  const hasOthers = (packet[tcp + 12]! & 0x0f) !== 0 || (packet[tcp + 13]! & ~ECE) !== ACK
  if (hasOthers || tcp + ((packet[tcp + 12]! >> 4) << 2) !== end) return false
  let at = tcp + 20
  while (at < end)
    if (packet[at] === NOP) at++
    else if (packet[at] === TIMESTAMPS && packet[at + 1] === TIMESTAMPS_LENGTH) at += TIMESTAMPS_LENGTH
    else return false
  return at === end
}

function isSame(one: Uint8Array, at: number, other: Uint8Array, position: number, count: number): boolean {
  for (let i = 0; i < count; i++) if (one[at + i] !== other[position + i]) return false
  return true
}
