import { checksumOf, fold, pseudoHeaderSum, storeChecksum, storeIpv4HeaderChecksum } from './checksum.ts'
import { writeBigEndian16 } from './network-order.ts'
import { CSUM_OFFSET, CSUM_START, FLAGS, GSO_SIZE, GSO_TYPE, GsoType, NEEDS_CSUM, readU16 } from './virtio-net-header.ts'

const TCP = 6
const UDP = 17
const FIN_PSH = 0x09
const CWR = 0x80

/**
 * Segmentation of what the kernel hands over through a virtio_net_hdr: a whole packet whose checksum may be missing, or one of up to
 * 64 kB that stands for many. The packets are made one by one, elsewhere in the same buffer, so that copying allocates nothing.
 */
export class SuperPacket {
  readonly #buffer: Uint8Array
  #packet = 0
  #transport = 0
  #headerLength = 0
  #segmentSize = 0
  #payload = 0
  #end = 0
  #index = 0
  #protocol = 0
  #isIpv4 = true
  #isWhole = true
  #needsChecksum = false
  #checksumAt = 0

  /** `buffer` holds the super-packet and takes the packets. */
  constructor(buffer: Uint8Array) {
    this.#buffer = buffer
  }

  /** Octets of the packet that {@link SuperPacket.writeNext} makes next; 0 when there is none. */
  get nextLength(): number {
    if (this.#payload >= this.#end) return 0
    if (this.#isWhole) return this.#end - this.#packet
    return this.#headerLength + Math.min(this.#segmentSize, this.#end - this.#payload)
  }

  /**
   * Takes the packet `buffer[packet, packet + length)` that the virtio_net_hdr at `header` describes; `linkLength` octets of link
   * header stand in front of it and count in csum_start.
   *
   * @returns false when it is no IP packet or the header contradicts it
   */
  load(header: number, linkLength: number, packet: number, length: number): boolean {
    const buffer = this.#buffer
    this.#payload = this.#end = 0
    const version = buffer[packet] >>> 4
    if (length < 20 || (version !== 4 && (version !== 6 || length < 40))) return false
    this.#isIpv4 = version === 4
    this.#packet = packet
    this.#index = 0
    const transport = readU16(buffer, header + CSUM_START) - linkLength
    const checksumAt = transport + readU16(buffer, header + CSUM_OFFSET)
    this.#transport = transport
    this.#checksumAt = checksumAt
    this.#needsChecksum = (buffer[header + FLAGS] & NEEDS_CSUM) !== 0
    if (this.#needsChecksum && (transport < 20 || checksumAt + 2 > length)) return false
    const gsoType = buffer[header + GSO_TYPE] & ~GsoType.ECN
    this.#isWhole = gsoType === GsoType.NONE
    if (!this.#isWhole && !this.#loadSegments(gsoType, readU16(buffer, header + GSO_SIZE), length)) return false
    if (this.#isWhole) this.#payload = packet
    this.#end = packet + length
    return true
  }

  #loadSegments(gsoType: number, segmentSize: number, length: number): boolean {
    const isTcp = gsoType === (this.#isIpv4 ? GsoType.TCPV4 : GsoType.TCPV6)
    if (!isTcp && gsoType !== GsoType.UDP_L4) return false
    const minimum = isTcp ? 20 : 8
    if (!this.#needsChecksum || segmentSize === 0 || this.#transport + minimum > length) return false
    if (this.#isIpv4 && this.#transport !== (this.#buffer[this.#packet] & 0x0f) * 4) return false
    if (!this.#isIpv4 && this.#transport < 40) return false
    const transportHeader = isTcp ? (this.#buffer[this.#packet + this.#transport + 12] >>> 4) * 4 : 8
    if (transportHeader < minimum) return false
    this.#protocol = isTcp ? TCP : UDP
    this.#headerLength = this.#transport + transportHeader
    this.#segmentSize = segmentSize
    this.#payload = this.#packet + this.#headerLength
    return this.#headerLength < length
  }

  /**
   * Makes the next packet at `at` of the buffer, checksums complete. There must be room for {@link SuperPacket.nextLength} octets. A packet
   * that was loaded whole may be in its place already.
   *
   * @returns its length
   */
  writeNext(at: number): number {
    return this.#isWhole ? this.#writeWhole(at) : this.#writeSegment(at)
  }

  #writeWhole(at: number): number {
    const buffer = this.#buffer
    const length = this.#end - this.#packet
    if (at !== this.#packet) buffer.copyWithin(at, this.#packet, this.#end)
    if (this.#needsChecksum) {
      const sum = checksumOf(buffer, at + this.#transport, length - this.#transport)
      storeChecksum(buffer, at + this.#checksumAt, sum)
      if (this.#checksumAt - this.#transport === 6) avoidZeroUdpChecksum(buffer, at + this.#checksumAt)
    }
    this.#payload = this.#end
    return length
  }

  #writeSegment(at: number): number {
    const buffer = this.#buffer
    const octets = Math.min(this.#segmentSize, this.#end - this.#payload)
    const length = this.#headerLength + octets
    buffer.copyWithin(at, this.#packet, this.#packet + this.#headerLength)
    buffer.copyWithin(at + this.#headerLength, this.#payload, this.#payload + octets)
    if (this.#isIpv4) {
      writeBigEndian16(buffer, at + 2, length)
      // A segment has an identification of its own (RFC 6864 §4.2 allows any while DF is set).
      writeBigEndian16(buffer, at + 4, (buffer[at + 4] << 8) + buffer[at + 5] + this.#index)
      storeIpv4HeaderChecksum(buffer, at, this.#transport)
    } else {
      writeBigEndian16(buffer, at + 4, length - 40)
    }
    const transport = at + this.#transport
    if (this.#protocol === TCP) this.#writeTcpFields(transport, this.#payload + octets >= this.#end)
    else writeBigEndian16(buffer, transport + 4, 8 + octets)
    const checksumAt = transport + (this.#protocol === TCP ? 16 : 6)
    buffer[checksumAt] = 0
    buffer[checksumAt + 1] = 0
    const transportLength = length - this.#transport
    const pseudo = pseudoHeaderSum(buffer, at, this.#protocol, transportLength)
    storeChecksum(buffer, checksumAt, fold(pseudo + checksumOf(buffer, transport, transportLength)))
    if (this.#protocol === UDP) avoidZeroUdpChecksum(buffer, checksumAt)
    this.#payload += octets
    this.#index++
    return length
  }

  #writeTcpFields(tcp: number, isLast: boolean): void {
    const buffer = this.#buffer
    const first = ((buffer[tcp + 4] << 24) | (buffer[tcp + 5] << 16) | (buffer[tcp + 6] << 8) | buffer[tcp + 7]) >>> 0
    const sequence = (first + this.#index * this.#segmentSize) >>> 0
    buffer[tcp + 4] = sequence >>> 24
    buffer[tcp + 5] = sequence >>> 16
    buffer[tcp + 6] = sequence >>> 8
    buffer[tcp + 7] = sequence
    // The end of the data, and what it pushes, belongs to the last segment; CWR to the first (RFC 3168 §6.1.2).
    if (!isLast) buffer[tcp + 13] &= ~FIN_PSH
    if (this.#index > 0) buffer[tcp + 13] &= ~CWR
  }
}

/** A UDP checksum of zero would mean that there is none (RFC 768). */
function avoidZeroUdpChecksum(buffer: Uint8Array, at: number): void {
  if ((buffer[at] | buffer[at + 1]) === 0) buffer[at] = buffer[at + 1] = 0xff
}
