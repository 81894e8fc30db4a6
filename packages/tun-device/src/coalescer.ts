import { checksumOf, fold, pseudoHeaderSum, storeIpv4HeaderChecksum } from './checksum.ts'
import { isEqual, readBigEndian16, readBigEndian32, writeBigEndian16 } from './network-order.ts'
import type { PacketBatch } from './packet-batch.ts'
import { isPlainData, isPushed, isSameTcp, MAX_TCP_RUN, TCP, TCP_CHECKSUM, tcpHeaderLength, writeTcpSuperHeader } from './tcp-run.ts'
import { hasUdpChecksum, MAX_UDP_RUN, UDP, UDP_CHECKSUM, udpHeaderLength, writeUdpSuperHeader } from './udp-run.ts'
import {
  CSUM_OFFSET,
  CSUM_START,
  FLAGS,
  GSO_SIZE,
  GSO_TYPE,
  GsoType,
  HDR_LEN,
  NEEDS_CSUM,
  VIRTIO_NET_HEADER_LENGTH,
  writeU16,
} from './virtio-net-header.ts'

export const MAX_PACKET = 65_535
/**
 * Octets of a TCP super-packet over IPv4 where the kernel takes longer ones than a packet can be ("BIG TCP"): its Total Length is 0 then, and
 * the virtio_net_hdr's is what counts. The kernel keeps it in at most 17 pieces, which are of 32 kB if it has them. The receiver is woken once
 * for all of it, so this is for packets of which few fit into 64 kB.
 */
export const LONG_PACKET: number = 8 * MAX_PACKET
const MAX_RUNS = 8

/** Of {@link transportOf}: nothing that a run could hold. */
const OTHER = 0
/** Of {@link transportOf}: perhaps of a flow that is in a run, but nothing that may join it. */
const UNUSUAL = -1

/**
 * Receive offload (GRO): finds the packets of a batch that follow one another in one TCP or UDP flow, so that they are handed to the
 * kernel as one super-packet. A packet joins only if cutting the super-packet up again would give it back octet for octet, apart from
 * the identification of an atomic IPv4 datagram (RFC 6864 §4): same addresses, ports, TTL and traffic class, equal lengths except the
 * last, checksums that verify, and what {@link isSameTcp} and {@link hasUdpChecksum} ask for. A checksum is computed only where all the
 * rest fits, so that a packet which stays alone costs none.
 *
 * After {@link Coalescer.plan}, run `r` of `runs` is packet `first[r]`, then `next[…]` until −1: `packets[r]` of them. The packets of a
 * flow keep their order, those of different flows need not.
 */
export class Coalescer {
  /** UDP datagrams are joined too: the kernel knows GSO_UDP_L4. */
  joinsUdp: boolean
  /** Octets of a TCP super-packet over IPv4 at most; of any other it is what a packet can have. */
  longest: number
  runs = 0
  first: Int32Array = new Int32Array(0)
  next: Int32Array = new Int32Array(0)
  packets: Int32Array = new Int32Array(0)
  /** Octets of the run's super-packet. */
  lengths: Int32Array = new Int32Array(0)
  #last = new Int32Array(0)
  /** The sequence number that continues a TCP run. */
  #sequence = new Float64Array(0)
  /** 1: the checksum of the run's first packet was verified. */
  #isVerified = new Uint8Array(0)
  /** Runs that may still grow. */
  readonly #open = new Int32Array(MAX_RUNS)
  #openCount = 0
  // Of the packet that is being looked at.
  #protocol = 0
  #transport = 0
  #headerLength = 0

  constructor(joinsUdp: boolean, longest: number = MAX_PACKET) {
    this.joinsUdp = joinsUdp
    this.longest = longest
  }

  plan(batch: PacketBatch): void {
    const { buffer, offsets, lengths, count } = batch
    if (this.next.length < count) this.#grow(count)
    this.runs = 0
    this.#openCount = 0
    for (let i = 0; i < count; i++) {
      const packet = offsets[i]
      const length = lengths[i]
      const transport = transportOf(buffer, packet, length)
      if (transport === OTHER) {
        this.#startRun(i, length)
        continue
      }
      if (transport === UNUSUAL || !this.#hasHeaders(buffer, packet, transport, length)) {
        this.#closeBetweenHosts(batch, packet)
        this.#startRun(i, length)
        continue
      }
      const slot = this.#findOpen(batch, packet)
      const canJoin = this.#canJoin(buffer, packet, length)
      if (slot >= 0 && canJoin && this.#join(batch, i, this.#open[slot])) {
        if (this.#isFinal(batch, this.#open[slot])) this.#closeSlot(slot)
        continue
      }
      // Whatever comes later in this flow must not overtake this packet.
      if (slot >= 0) this.#closeSlot(slot)
      const run = this.#startRun(i, length)
      if (canJoin) this.#begin(buffer, packet, length, run)
    }
  }

  /**
   * Writes what stands in front of the payloads of run `run` (of more than one packet): its virtio_net_hdr to `out[at]`, then, past
   * `linkLength` octets that are left alone, its IP and TCP or UDP header.
   *
   * @returns octets of the IP and TCP or UDP header; so much of each packet of the run is not payload
   */
  writeSuperHeader(batch: PacketBatch, run: number, out: Uint8Array, at: number, linkLength: number): number {
    const header = at + VIRTIO_NET_HEADER_LENGTH + linkLength
    const { buffer, offsets } = batch
    const packet = offsets[this.first[run]]
    const isIpv4 = buffer[packet] >>> 4 === 4
    const transport = isIpv4 ? 20 : 40
    const isTcp = this.isTcp(batch, run)
    const headerLength = isTcp ? transport + (buffer[packet + transport + 12] >>> 4) * 4 : transport + 8
    const length = this.lengths[run]
    for (let i = 0; i < headerLength; i++) out[header + i] = buffer[packet + i]
    if (isIpv4) {
      writeBigEndian16(out, header + 2, length > MAX_PACKET ? 0 : length)
      storeIpv4HeaderChecksum(out, header, 20)
    } else {
      writeBigEndian16(out, header + 4, length - 40)
    }
    if (isTcp) writeTcpSuperHeader(out, header, transport, length, isPushed(buffer, offsets[this.#last[run]] + transport))
    else writeUdpSuperHeader(out, header, transport, length)

    out[at + FLAGS] = NEEDS_CSUM
    out[at + GSO_TYPE] = !isTcp ? GsoType.UDP_L4 : isIpv4 ? GsoType.TCPV4 : GsoType.TCPV6
    writeU16(out, at + HDR_LEN, linkLength + headerLength)
    writeU16(out, at + GSO_SIZE, batch.lengths[this.first[run]] - headerLength)
    writeU16(out, at + CSUM_START, linkLength + transport)
    writeU16(out, at + CSUM_OFFSET, isTcp ? TCP_CHECKSUM : UDP_CHECKSUM)
    return headerLength
  }

  /** Whether a run of more than one packet is TCP; it is UDP otherwise. */
  isTcp({ buffer, offsets }: PacketBatch, run: number): boolean {
    const packet = offsets[this.first[run]]
    return buffer[packet + (buffer[packet] >>> 4 === 4 ? 9 : 6)] === TCP
  }

  /** Notes where the headers end; false when they contradict the length. */
  #hasHeaders(buffer: Uint8Array, packet: number, transport: number, length: number): boolean {
    const protocol = buffer[packet + (transport === 20 ? 9 : 6)]
    this.#protocol = protocol
    this.#transport = transport
    this.#headerLength =
      protocol === TCP ? tcpHeaderLength(buffer, packet, transport, length) : udpHeaderLength(buffer, packet, transport, length)
    return this.#headerLength > 0
  }

  /** It carries data, and nothing that only a packet of its own can say. */
  #canJoin(buffer: Uint8Array, packet: number, length: number): boolean {
    if (length === this.#headerLength) return false
    const header = packet + this.#transport
    return this.#protocol === TCP ? isPlainData(buffer, header) : this.joinsUdp && hasUdpChecksum(buffer, header)
  }

  /** Slot of the open run with the protocol, addresses and ports of the packet, or −1. */
  #findOpen({ buffer, offsets }: PacketBatch, packet: number): number {
    const transport = this.#transport
    const protocolAt = transport === 20 ? 9 : 6
    const addresses = transport === 20 ? 12 : 8
    for (let slot = 0; slot < this.#openCount; slot++) {
      const other = offsets[this.first[this.#open[slot]]]
      if (buffer[other] >>> 4 !== buffer[packet] >>> 4 || buffer[other + protocolAt] !== this.#protocol) continue
      if (isEqual(buffer, packet + addresses, other + addresses, transport + 4 - addresses)) return slot
    }
    return -1
  }

  #join({ buffer, offsets, lengths }: PacketBatch, index: number, run: number): boolean {
    const packet = offsets[index]
    const first = offsets[this.first[run]]
    const payload = lengths[index] - this.#headerLength
    const transport = this.#transport
    const isTcp = this.#protocol === TCP
    if (isTcp && readBigEndian32(buffer, packet + transport + 4) !== this.#sequence[run]) return false
    if (payload > lengths[this.first[run]] - this.#headerLength) return false
    const longest = isTcp && transport === 20 ? this.longest : MAX_PACKET
    if (this.lengths[run] + payload > longest || this.packets[run] === (isTcp ? MAX_TCP_RUN : MAX_UDP_RUN)) return false
    if (transport === 20 ? !this.#isSameIpv4(buffer, packet, first, run) : !isSameIpv6(buffer, packet, first)) return false
    if (isTcp && !isSameTcp(buffer, packet + transport, first + transport, this.#headerLength - transport)) return false
    if (this.#isVerified[run] === 0) {
      if (!isChecksumRight(buffer, first, transport, this.#protocol, lengths[this.first[run]])) return false
      this.#isVerified[run] = 1
    }
    if (!isChecksumRight(buffer, packet, transport, this.#protocol, lengths[index])) return false
    this.next[this.#last[run]] = index
    this.next[index] = -1
    this.#last[run] = index
    this.packets[run]++
    this.lengths[run] += payload
    if (isTcp) this.#sequence[run] = (this.#sequence[run] + payload) >>> 0
    return true
  }

  /** Type of service, flags, TTL; and the identification where it means something: segmentation numbers from the first one on. */
  #isSameIpv4(buffer: Uint8Array, packet: number, first: number, run: number): boolean {
    if (buffer[packet + 1] !== buffer[first + 1] || !isEqual(buffer, packet + 6, first + 6, 3)) return false
    const isAtomic = (buffer[packet + 6] & 0x40) !== 0
    return isAtomic || readBigEndian16(buffer, packet + 4) === ((readBigEndian16(buffer, first + 4) + this.packets[run]) & 0xffff)
  }

  /** Nothing may follow a short packet or a pushed segment. */
  #isFinal({ buffer, offsets, lengths }: PacketBatch, run: number): boolean {
    const last = this.#last[run]
    if (lengths[last] < lengths[this.first[run]]) return true
    return this.#protocol === TCP && isPushed(buffer, offsets[last] + this.#transport)
  }

  #startRun(index: number, length: number): number {
    const run = this.runs++
    this.first[run] = index
    this.#last[run] = index
    this.next[index] = -1
    this.packets[run] = 1
    this.lengths[run] = length
    this.#isVerified[run] = 0
    return run
  }

  /** Lets others join the run that the packet has started. */
  #begin(buffer: Uint8Array, packet: number, length: number, run: number): void {
    if (this.#protocol === TCP) {
      const header = packet + this.#transport
      if (isPushed(buffer, header)) return
      this.#sequence[run] = (readBigEndian32(buffer, header + 4) + length - this.#headerLength) >>> 0
    }
    if (this.#openCount === MAX_RUNS) this.#closeSlot(0)
    this.#open[this.#openCount++] = run
  }

  #closeSlot(slot: number): void {
    this.#openCount--
    for (let i = slot; i < this.#openCount; i++) this.#open[i] = this.#open[i + 1]
  }

  /** The packet may belong to any flow between its two hosts, as a fragment may; none of their data must overtake it. */
  #closeBetweenHosts({ buffer, offsets }: PacketBatch, packet: number): void {
    const isIpv4 = buffer[packet] >>> 4 === 4
    for (let slot = this.#openCount - 1; slot >= 0; slot--) {
      const other = offsets[this.first[this.#open[slot]]]
      if (buffer[other] >>> 4 !== buffer[packet] >>> 4) continue
      if (isEqual(buffer, packet + (isIpv4 ? 12 : 8), other + (isIpv4 ? 12 : 8), isIpv4 ? 8 : 32)) this.#closeSlot(slot)
    }
  }

  #grow(count: number): void {
    this.first = new Int32Array(count)
    this.next = new Int32Array(count)
    this.packets = new Int32Array(count)
    this.lengths = new Int32Array(count)
    this.#last = new Int32Array(count)
    this.#sequence = new Float64Array(count)
    this.#isVerified = new Uint8Array(count)
  }
}

/**
 * Offset of the TCP or UDP header, 20 or 40, where nothing unusual stands below it: no IPv4 options or fragments, no IPv6 extension
 * headers, no padding. {@link UNUSUAL} where something does, {@link OTHER} for other protocols.
 */
function transportOf(buffer: Uint8Array, packet: number, length: number): number {
  const version = buffer[packet] >>> 4
  if (version === 4 && length >= 20) {
    const protocol = buffer[packet + 9]
    if (protocol !== TCP && protocol !== UDP) return OTHER
    const isFragment = (buffer[packet + 6] & 0x3f) !== 0 || buffer[packet + 7] !== 0
    return buffer[packet] === 0x45 && !isFragment && readBigEndian16(buffer, packet + 2) === length ? 20 : UNUSUAL
  }
  if (version === 6 && length >= 40) {
    const next = buffer[packet + 6]
    if (next === ICMPV6) return OTHER
    return (next === TCP || next === UDP) && readBigEndian16(buffer, packet + 4) === length - 40 ? 40 : UNUSUAL
  }
  return OTHER
}

const ICMPV6 = 58

/** Traffic class, flow label, hop limit. */
function isSameIpv6(buffer: Uint8Array, packet: number, first: number): boolean {
  return isEqual(buffer, packet, first, 4) && buffer[packet + 7] === buffer[first + 7]
}

/** As segmentation would compute them: one that is zero may also stand as all ones, which UDP alone does (RFC 768). */
function isChecksumRight(buffer: Uint8Array, packet: number, transport: number, protocol: number, length: number): boolean {
  if (transport === 20 && (isAllOnes(buffer, packet + 10) || checksumOf(buffer, packet, 20) !== 0xffff)) return false
  if (protocol === TCP && isAllOnes(buffer, packet + transport + TCP_CHECKSUM)) return false
  const pseudo = pseudoHeaderSum(buffer, packet, protocol, length - transport)
  return fold(pseudo + checksumOf(buffer, packet + transport, length - transport)) === 0xffff
}

function isAllOnes(buffer: Uint8Array, at: number): boolean {
  return (buffer[at] & buffer[at + 1]) === 0xff
}
