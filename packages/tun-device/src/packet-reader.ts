import { Errno, keptAddresses, type Libc } from '@underpass/native'
import { createPacketBatch, HEADROOM, type PacketBatch, slotLength } from './packet-batch.ts'
import { createPacketMemory } from './packet-memory.ts'
import { SuperPacket } from './super-packet.ts'
import type { TunCounters } from './tun-device.ts'
import { GSO_TYPE, GsoType, VIRTIO_NET_HEADER_LENGTH } from './virtio-net-header.ts'

/** How packets stand in what the descriptor yields and takes. */
export interface PacketLayout {
  /** Octets of link header in front of the IP packet: 0, or 14 (Ethernet). */
  readonly linkLength: number
  /** A virtio_net_hdr stands in front of it all. */
  readonly hasVirtioHeader: boolean
  /** The kernel may know GSO_UDP_L4 (Linux 6.2), so that UDP super-packets are worth trying. */
  readonly takesUdpSuperPackets: boolean
  /** The kernel knows IPv4 super-packets that are longer than an IPv4 packet (Linux 6.3). */
  readonly takesLongSuperPackets: boolean
  readonly mtu: number
}

/**
 * `full`: there may be more to read. `empty`: the descriptor has no more. `down`: the interface of a packet socket went down, perhaps
 * for good. `failed`: {@link PacketReader.errno} says why.
 */
export type FillResult = 'full' | 'empty' | 'down' | 'failed'

const MAX_PACKET = 65_535
const BUDGET_PACKETS = 128

/**
 * Drains a non-blocking descriptor into one reused batch.
 *
 *      | packets, each in its slot: headroom, packet, tailroom … | where super-packets are read to |
 *
 * Where two packets of the MTU are more than a super-packet can be, hardly any is one: there packets are read into their slots.
 */
export class PacketReader {
  readonly batch: PacketBatch
  errno = 0
  /** Where the frame last read begins in the buffer; its link header is there. */
  frameOffset = 0
  readonly #libc: Libc
  readonly #fd: number
  readonly #layout: PacketLayout
  readonly #counters: TunCounters
  readonly #slotsEnd: number
  /** Where super-packets are read to, virtio_net_hdr first. */
  readonly #area: number
  readonly #readsIntoSlots: boolean
  /** Where packets are read to one by one, each in a slot of the MTU's length. */
  readonly #slots: readonly (number | undefined)[]
  readonly #areaAddress: readonly (number | undefined)[]
  readonly #super: SuperPacket

  constructor(libc: Libc, fd: number, layout: PacketLayout, counters: TunCounters) {
    this.#libc = libc
    this.#fd = fd
    this.#layout = layout
    this.#counters = counters
    const slot = slotLength(layout.mtu)
    // Room for a full budget, but not megabytes of it where packets are huge.
    this.#slotsEnd = Math.max(2 * slotLength(MAX_PACKET), Math.min(BUDGET_PACKETS * slot, 512 * 1024))
    this.#readsIntoSlots = 2 * layout.mtu > MAX_PACKET
    // The IP header behind it at a multiple of 4.
    this.#area = this.#slotsEnd + 2
    const areaLength = layout.hasVirtioHeader ? 2 + VIRTIO_NET_HEADER_LENGTH + layout.linkLength + MAX_PACKET : 0
    this.batch = createPacketBatch(BUDGET_PACKETS, createPacketMemory(this.#slotsEnd + areaLength + 4))
    this.#slots = keptAddresses(this.batch.buffer, HEADROOM, slot, Math.min(BUDGET_PACKETS, Math.floor(this.#slotsEnd / slot)))
    this.#areaAddress = keptAddresses(this.batch.buffer, this.#area, 0, 1)
    this.#super = new SuperPacket(this.batch.buffer)
  }

  /** Packets that were read but are in no batch yet: the next one begins with them. */
  get hasMore(): boolean {
    return this.#super.nextLength > 0
  }

  /** Fills the batch anew until the budget is spent or nothing is left. */
  fill(): FillResult {
    this.batch.count = 0
    return this.#layout.hasVirtioHeader ? this.#fillFromSuperPackets() : this.#fillDirectly()
  }

  #fillDirectly(): FillResult {
    const { batch } = this
    const { mtu } = this.#layout
    const slot = slotLength(mtu)
    while (batch.count < this.#slots.length) {
      const at = batch.count * slot
      // One octet more than fits: the kernel cuts a packet off silently, as it may have to when somebody raised the interface's MTU.
      const length = this.#libc.readTo(this.#fd, this.#slots[batch.count] as number, mtu + 1)
      if (length <= 0) return this.#stop(length)
      this.#counters.reads++
      if (length > mtu || !isIp(batch.buffer, at + HEADROOM)) this.#counters.readDrops++
      else this.#append(at, length)
    }
    return 'full'
  }

  #fillFromSuperPackets(): FillResult {
    const { batch } = this
    const { linkLength } = this.#layout
    const room = VIRTIO_NET_HEADER_LENGTH + linkLength + MAX_PACKET
    let at = 0
    while (batch.count < BUDGET_PACKETS) {
      const next = this.#super.nextLength
      if (next > 0) {
        if (at + slotLength(next) > this.#slotsEnd) return 'full'
        at = this.#append(at, this.#super.writeNext(at + HEADROOM))
        continue
      }
      if (this.#readsIntoSlots && at + slotLength(MAX_PACKET) > this.#slotsEnd) return 'full'
      const header = this.#readsIntoSlots ? at + HEADROOM - linkLength - VIRTIO_NET_HEADER_LENGTH : this.#area
      const octets = this.#readsIntoSlots
        ? this.#libc.read(this.#fd, batch.buffer, header, room)
        : this.#libc.readTo(this.#fd, this.#areaAddress[0] as number, room)
      if (octets <= 0) return this.#stop(octets)
      this.#counters.reads++
      if (!this.#load(this.#setAside(header, octets), octets)) this.#counters.readDrops++
    }
    return 'full'
  }

  /** What is to be cut, out of the way of its pieces. */
  #setAside(header: number, octets: number): number {
    const { buffer } = this.batch
    if (header === this.#area || buffer[header + GSO_TYPE] === GsoType.NONE) return header
    buffer.copyWithin(this.#area, header, header + octets)
    return this.#area
  }

  #load(header: number, octets: number): boolean {
    const { linkLength } = this.#layout
    this.frameOffset = header + VIRTIO_NET_HEADER_LENGTH
    if (linkLength > 0 && !isIpFrame(this.batch.buffer, this.frameOffset)) return false
    return this.#super.load(header, linkLength, this.frameOffset + linkLength, octets - VIRTIO_NET_HEADER_LENGTH - linkLength)
  }

  #append(at: number, length: number): number {
    const { batch } = this
    batch.offsets[batch.count] = at + HEADROOM
    batch.lengths[batch.count] = length
    batch.count++
    this.#counters.packetsRead++
    this.#counters.octetsRead += length
    return at + slotLength(length)
  }

  #stop(result: number): FillResult {
    if (result === -Errno.EAGAIN || result === -Errno.EINTR || result === 0) return 'empty'
    this.errno = -result
    if (result === -Errno.ENETDOWN) return 'down'
    return 'failed'
  }
}

function isIp(buffer: Uint8Array, packet: number): boolean {
  const version = buffer[packet] >>> 4
  return version === 4 || version === 6
}

/** EtherType 0x0800 or 0x86DD. */
function isIpFrame(buffer: Uint8Array, frame: number): boolean {
  const etherType = (buffer[frame + 12] << 8) | buffer[frame + 13]
  return etherType === 0x0800 || etherType === 0x86dd
}
