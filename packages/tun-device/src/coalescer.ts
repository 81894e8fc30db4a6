import { checksumOf, fold, pseudoHeaderSum, storeIpv4HeaderChecksum, storeSum } from './checksum.ts'
import type { PacketBatch } from './packet-batch.ts'
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

const TCP = 6
const PSH = 0x08
const ACK = 0x10
const TCP_CHECKSUM = 16
const MAX_PACKET = 65_535
const MAX_RUNS = 8
/** A run becomes one writev(2), which takes 1,024 vectors. */
const MAX_RUN_PACKETS = 512

/**
 * Receive offload (GRO): finds the packets of a batch that follow one another in one TCP flow, so that they are handed to the kernel as
 * one super-packet. A packet joins only if cutting the super-packet up again would give it back octet for octet, apart from the
 * identification of an atomic IPv4 datagram (RFC 6864 §4): same addresses, ports, options, window, acknowledgement, TTL and traffic
 * class, sequence numbers without a gap, equal lengths except the last, and checksums that verify. A checksum is computed only where
 * all the rest fits, so that a packet which stays alone costs none.
 *
 * After {@link Coalescer.plan}, run `r` of `runs` is packet `first[r]`, then `next[…]` until −1: `packets[r]` of them.
 */
export class Coalescer {
  runs = 0
  first: Int32Array = new Int32Array(0)
  next: Int32Array = new Int32Array(0)
  packets: Int32Array = new Int32Array(0)
  /** Octets of the run's super-packet. */
  lengths: Int32Array = new Int32Array(0)
  #last = new Int32Array(0)
  #sequence = new Float64Array(0)
  /** 1: the checksum of the run's first packet was verified. */
  #isVerified = new Uint8Array(0)
  /** Runs that may still grow. */
  readonly #open = new Int32Array(MAX_RUNS)
  #openCount = 0
  // Of the packet that is being looked at.
  #tcp = 0
  #headerLength = 0

  plan(batch: PacketBatch): void {
    const { buffer, offsets, lengths, count } = batch
    if (this.next.length < count) this.#grow(count)
    this.runs = 0
    this.#openCount = 0
    for (let i = 0; i < count; i++) {
      const packet = offsets[i]
      const length = lengths[i]
      if (!this.#isPlainTcp(buffer, packet, length)) {
        this.#startRun(i, length)
        continue
      }
      const slot = this.#findOpen(batch, packet)
      const canJoin = length > this.#headerLength && (buffer[packet + this.#tcp + 13] & ~PSH) === ACK
      if (slot >= 0 && canJoin && this.#join(batch, i, this.#open[slot])) {
        if (this.#isFinal(batch, this.#open[slot])) this.#closeSlot(slot)
        continue
      }
      // Whatever comes later in this flow must not overtake this packet.
      if (slot >= 0) this.#closeSlot(slot)
      const run = this.#startRun(i, length)
      if (canJoin) {
        this.#sequence[run] = (readU32(buffer, packet + this.#tcp + 4) + length - this.#headerLength) >>> 0
        if ((buffer[packet + this.#tcp + 13] & PSH) === 0) this.#openSlot(run)
      }
    }
  }

  /**
   * Writes what stands in front of the payloads of run `run` (of more than one packet): its virtio_net_hdr to `out[at]`, then, past
   * `linkLength` octets that are left alone, its IP and TCP header.
   *
   * @returns octets of the IP and TCP header; so much of each packet of the run is not payload
   */
  writeSuperHeader(batch: PacketBatch, run: number, out: Uint8Array, at: number, linkLength: number): number {
    const header = at + VIRTIO_NET_HEADER_LENGTH + linkLength
    const { buffer, offsets } = batch
    const packet = offsets[this.first[run]]
    const isIpv4 = buffer[packet] >>> 4 === 4
    const tcp = isIpv4 ? 20 : 40
    const headerLength = tcp + (buffer[packet + tcp + 12] >>> 4) * 4
    const length = this.lengths[run]
    for (let i = 0; i < headerLength; i++) out[header + i] = buffer[packet + i]
    const lengthField = isIpv4 ? length : length - 40
    out[header + (isIpv4 ? 2 : 4)] = lengthField >>> 8
    out[header + (isIpv4 ? 3 : 5)] = lengthField & 0xff
    if (isIpv4) storeIpv4HeaderChecksum(out, header, 20)
    out[header + tcp + 13] |= buffer[offsets[this.#last[run]] + tcp + 13] & PSH
    storeSum(out, header + tcp + TCP_CHECKSUM, pseudoHeaderSum(out, header, TCP, length - tcp))

    out[at + FLAGS] = NEEDS_CSUM
    out[at + GSO_TYPE] = isIpv4 ? GsoType.TCPV4 : GsoType.TCPV6
    writeU16(out, at + HDR_LEN, linkLength + headerLength)
    writeU16(out, at + GSO_SIZE, batch.lengths[this.first[run]] - headerLength)
    writeU16(out, at + CSUM_START, linkLength + tcp)
    writeU16(out, at + CSUM_OFFSET, TCP_CHECKSUM)
    return headerLength
  }

  /** TCP without anything unusual below it: no IPv4 options or fragments, no IPv6 extension headers, no padding. Notes where it is. */
  #isPlainTcp(buffer: Uint8Array, packet: number, length: number): boolean {
    if (length < 40) return false
    if (buffer[packet] === 0x45) {
      const isFragment = (buffer[packet + 6] & 0x3f) !== 0 || buffer[packet + 7] !== 0
      if (buffer[packet + 9] !== TCP || isFragment || readU16(buffer, packet + 2) !== length) return false
      this.#tcp = 20
    } else if (buffer[packet] >>> 4 === 6) {
      if (length < 60 || buffer[packet + 6] !== TCP || readU16(buffer, packet + 4) !== length - 40) return false
      this.#tcp = 40
    } else {
      return false
    }
    this.#headerLength = this.#tcp + (buffer[packet + this.#tcp + 12] >>> 4) * 4
    return this.#headerLength >= this.#tcp + 20 && this.#headerLength <= length
  }

  /** Slot of the open run with the addresses and ports of the packet, or −1. */
  #findOpen({ buffer, offsets }: PacketBatch, packet: number): number {
    const tcp = this.#tcp
    const addresses = tcp === 20 ? 12 : 8
    for (let slot = 0; slot < this.#openCount; slot++) {
      const other = offsets[this.first[this.#open[slot]]]
      if (buffer[other] >>> 4 === buffer[packet] >>> 4 && isEqual(buffer, packet + addresses, other + addresses, tcp + 4 - addresses))
        return slot
    }
    return -1
  }

  #join({ buffer, offsets, lengths }: PacketBatch, index: number, run: number): boolean {
    const packet = offsets[index]
    const first = offsets[this.first[run]]
    const payload = lengths[index] - this.#headerLength
    const tcp = this.#tcp
    if (readU32(buffer, packet + tcp + 4) !== this.#sequence[run]) return false
    if (payload > lengths[this.first[run]] - this.#headerLength) return false
    if (this.lengths[run] + payload > MAX_PACKET || this.packets[run] === MAX_RUN_PACKETS) return false
    const isSameIp =
      tcp === 20
        ? buffer[packet + 1] === buffer[first + 1] &&
          isEqual(buffer, packet + 6, first + 6, 3) &&
          this.#isNextIdentification(buffer, packet, first, run)
        : isEqual(buffer, packet, first, 4) && buffer[packet + 7] === buffer[first + 7]
    if (!isSameIp) return false
    // Acknowledgement number and data offset; window and, further on, options. Between them stand flags and checksum.
    if (!isEqual(buffer, packet + tcp + 8, first + tcp + 8, 5)) return false
    if (!isEqual(buffer, packet + tcp + 14, first + tcp + 14, 2)) return false
    if (!isEqual(buffer, packet + tcp + 18, first + tcp + 18, this.#headerLength - tcp - 18)) return false
    if (this.#isVerified[run] === 0) {
      if (!isChecksumRight(buffer, first, tcp, lengths[this.first[run]])) return false
      this.#isVerified[run] = 1
    }
    if (!isChecksumRight(buffer, packet, tcp, lengths[index])) return false
    this.next[this.#last[run]] = index
    this.next[index] = -1
    this.#last[run] = index
    this.packets[run]++
    this.lengths[run] += payload
    this.#sequence[run] = (this.#sequence[run] + payload) >>> 0
    return true
  }

  #isNextIdentification(buffer: Uint8Array, packet: number, first: number, run: number): boolean {
    const isAtomic = (buffer[packet + 6] & 0x40) !== 0
    return isAtomic || readU16(buffer, packet + 4) === ((readU16(buffer, first + 4) + this.packets[run]) & 0xffff)
  }

  /** Nothing may follow a short segment or a pushed one. */
  #isFinal({ buffer, offsets, lengths }: PacketBatch, run: number): boolean {
    const last = this.#last[run]
    return lengths[last] < lengths[this.first[run]] || (buffer[offsets[last] + this.#tcp + 13] & PSH) !== 0
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

  #openSlot(run: number): void {
    if (this.#openCount === MAX_RUNS) this.#closeSlot(0)
    this.#open[this.#openCount++] = run
  }

  #closeSlot(slot: number): void {
    this.#openCount--
    for (let i = slot; i < this.#openCount; i++) this.#open[i] = this.#open[i + 1]
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

function isChecksumRight(buffer: Uint8Array, packet: number, tcp: number, length: number): boolean {
  if (tcp === 20 && checksumOf(buffer, packet, 20) !== 0xffff) return false
  const pseudo = pseudoHeaderSum(buffer, packet, TCP, length - tcp)
  return fold(pseudo + checksumOf(buffer, packet + tcp, length - tcp)) === 0xffff
}

function isEqual(buffer: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (buffer[a + i] !== buffer[b + i]) return false
  return true
}

function readU16(buffer: Uint8Array, at: number): number {
  return (buffer[at] << 8) | buffer[at + 1]
}

function readU32(buffer: Uint8Array, at: number): number {
  return ((buffer[at] << 24) | (buffer[at + 1] << 16) | (buffer[at + 2] << 8) | buffer[at + 3]) >>> 0
}
