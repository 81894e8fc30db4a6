/** Explicit Congestion Notification on inner packets (RFC 3168 §5): a router's mark where it would otherwise drop, and a router is what a queue of ours is. */

const NOT_ECT = 0
const CE = 3

/** Makes ECT(0) or ECT(1) CE, with IPv4's header checksum; false where the packet's ends do not know of ECN. The IP header is whole. */
export function markCongestion(packet: Uint8Array, offset: number): boolean {
  return packet[offset]! >> 4 === 4 ? markIpv4(packet, offset) : markIpv6(packet, offset)
}

function markIpv4(packet: Uint8Array, offset: number): boolean {
  const before = packet[offset + 1]!
  if ((before & CE) === NOT_ECT) return false
  packet[offset + 1] = before | CE
  // RFC 1624 §3, eqn. 3: HC' = ~(~HC + ~m + m'), m being the word that the octet ends.
  const checksum = (packet[offset + 10]! << 8) | packet[offset + 11]!
  let sum = (~checksum & 0xffff) + (before | CE) - before
  sum = (sum & 0xffff) + (sum >> 16)
  const after = ~sum & 0xffff
  packet[offset + 10] = after >> 8
  packet[offset + 11] = after & 0xff
  return true
}

function markIpv6(packet: Uint8Array, offset: number): boolean {
  if (((packet[offset + 1]! >> 4) & CE) === NOT_ECT) return false
  packet[offset + 1] = packet[offset + 1]! | (CE << 4)
  return true
}
