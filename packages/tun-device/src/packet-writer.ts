import { addressOf, Errno, type Libc, nativeBuffer } from '@underpass/native'
import { Coalescer, LONG_PACKET, MAX_PACKET } from './coalescer.ts'
import type { PacketBatch } from './packet-batch.ts'
import type { PacketLayout } from './packet-reader.ts'
import type { TunCounters } from './tun-device.ts'
import { VIRTIO_NET_HEADER_LENGTH } from './virtio-net-header.ts'

const MAX_VECTORS = 1024
/** Longest IP and TCP header that is coalesced: IPv6 40, TCP 60. */
const MAX_HEADER = 100

/** Hands the packets of a batch to a descriptor: one by one, or coalesced into super-packets when the layout has a virtio_net_hdr. */
export class PacketWriter {
  /** What stands in front of each packet: virtio_net_hdr, link header, and the header of a super-packet. */
  readonly prefix: Uint8Array
  /** Offset of the link header in {@link PacketWriter.prefix}. */
  readonly linkOffset: number = VIRTIO_NET_HEADER_LENGTH
  readonly #prefixAddress: number
  readonly #vectors: Uint32Array
  readonly #vectorsAddress: number
  readonly #coalescer: Coalescer
  readonly #libc: Libc
  readonly #fd: number
  readonly #layout: PacketLayout
  readonly #counters: TunCounters

  constructor(libc: Libc, fd: number, layout: PacketLayout, counters: TunCounters) {
    this.#libc = libc
    this.#fd = fd
    this.#layout = layout
    this.#counters = counters
    this.#coalescer = new Coalescer(layout.takesUdpSuperPackets, layout.takesLongSuperPackets ? LONG_PACKET : undefined)
    const prefix = nativeBuffer(VIRTIO_NET_HEADER_LENGTH + layout.linkLength + MAX_HEADER)
    this.prefix = prefix.bytes
    this.#prefixAddress = prefix.address
    const vectors = nativeBuffer(16 * MAX_VECTORS)
    this.#vectors = new Uint32Array(vectors.bytes.buffer)
    this.#vectorsAddress = vectors.address
  }

  write(batch: PacketBatch): void {
    if (!this.#layout.hasVirtioHeader) this.#writeEach(batch)
    else this.#writeRuns(batch)
  }

  #writeEach({ buffer, offsets, lengths, count }: PacketBatch): void {
    for (let i = 0; i < count; i++) {
      this.#count(this.#libc.write(this.#fd, buffer, offsets[i], lengths[i]), 1, lengths[i])
    }
  }

  #writeRuns(batch: PacketBatch): void {
    const coalescer = this.#coalescer
    checkInside(batch)
    coalescer.plan(batch)
    if (batch.count === 0) return
    const base = addressOf(batch.buffer)
    for (let run = 0; run < coalescer.runs; run++) {
      if (coalescer.packets[run] === 1) this.#writeWhole(batch, base, coalescer.first[run])
      else this.#writeSuper(batch, base, run)
    }
  }

  #writeWhole({ buffer, offsets, lengths }: PacketBatch, base: number, index: number): void {
    const { linkLength } = this.#layout
    if (linkLength > 0) this.#setEtherType(buffer[offsets[index]] >>> 4)
    this.prefix.fill(0, 0, VIRTIO_NET_HEADER_LENGTH)
    this.#setVector(0, this.#prefixAddress, VIRTIO_NET_HEADER_LENGTH + linkLength)
    this.#setVector(1, base + offsets[index], lengths[index])
    this.#count(this.#libc.writev(this.#fd, this.#vectorsAddress, 2), 1, lengths[index])
  }

  #writeSuper(batch: PacketBatch, base: number, run: number): void {
    const coalescer = this.#coalescer
    const { linkLength } = this.#layout
    const { buffer, offsets, lengths } = batch
    const first = coalescer.first[run]
    if (linkLength > 0) this.#setEtherType(buffer[offsets[first]] >>> 4)
    const headerLength = coalescer.writeSuperHeader(batch, run, this.prefix, 0, linkLength)
    this.#setVector(0, this.#prefixAddress, VIRTIO_NET_HEADER_LENGTH + linkLength + headerLength)
    let vectors = 1
    let octets = 0
    for (let index = first; index >= 0; index = coalescer.next[index]) {
      this.#setVector(vectors++, base + offsets[index] + headerLength, lengths[index] - headerLength)
      octets += lengths[index]
    }
    const result = this.#libc.writev(this.#fd, this.#vectorsAddress, vectors)
    // An interface that is down (EIO) takes nothing, long or not.
    const isLong = coalescer.lengths[run] > MAX_PACKET && result !== -Errno.EIO
    if (result < 0 && (isLong || (result === -Errno.EINVAL && !coalescer.isTcp(batch, run)))) {
      // A kernel without GSO_UDP_L4 calls the header invalid; nothing else is wrong with it. For a long one there may be no memory in large pieces.
      if (isLong) coalescer.longest = MAX_PACKET
      else coalescer.joinsUdp = false
      for (let index = first; index >= 0; index = coalescer.next[index]) this.#writeWhole(batch, base, index)
    } else {
      this.#count(result, coalescer.packets[run], octets)
    }
  }

  #count(result: number, packets: number, octets: number): void {
    const counters = this.#counters
    if (result < 0) {
      counters.writeDrops += packets
      return
    }
    counters.writes++
    counters.packetsWritten += packets
    counters.octetsWritten += octets
  }

  /** `struct iovec`, written as 32-bit halves: a 64-bit store would need a bigint. */
  #setVector(index: number, address: number, length: number): void {
    const at = index * 4
    this.#vectors[at] = address
    this.#vectors[at + 1] = address / 0x1_0000_0000
    this.#vectors[at + 2] = length
    this.#vectors[at + 3] = 0
  }

  #setEtherType(version: number): void {
    const at = this.linkOffset + 12
    this.prefix[at] = version === 6 ? 0x86 : 0x08
    this.prefix[at + 1] = version === 6 ? 0xdd : 0x00
  }
}

/** The addresses that writev is given are computed from these numbers, so a wrong one must stop here. */
function checkInside({ buffer, offsets, lengths, count }: PacketBatch): void {
  for (let i = 0; i < count; i++) {
    if (offsets[i] + lengths[i] > buffer.length) throw new RangeError(`packet ${i} of the batch ends behind its buffer`)
  }
}
