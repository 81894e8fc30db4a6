import { Errno, type Libc } from '@underpass/native'
import { createPacketBatch, HEADROOM, type PacketBatch, slotLength } from './packet-batch.ts'
import { SuperPacket } from './super-packet.ts'
import type { TunCounters } from './tun-device.ts'
import { VIRTIO_NET_HEADER_LENGTH } from './virtio-net-header.ts'

/** How packets stand in what the descriptor yields and takes. */
export interface PacketLayout {
  /** Octets of link header in front of the IP packet: 0, or 14 (Ethernet). */
  readonly linkLength: number
  /** A virtio_net_hdr stands in front of it all. */
  readonly hasVirtioHeader: boolean
  /** The kernel may know GSO_UDP_L4 (Linux 6.2), so that UDP super-packets are worth trying. */
  readonly takesUdpSuperPackets: boolean
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
 */
export class PacketReader {
  readonly batch: PacketBatch
  errno = 0
  /** Where the frame last read begins in the buffer; its link header is there. */
  readonly frameOffset: number
  readonly #libc: Libc
  readonly #fd: number
  readonly #layout: PacketLayout
  readonly #counters: TunCounters
  readonly #slotsEnd: number
  readonly #super: SuperPacket

  constructor(libc: Libc, fd: number, layout: PacketLayout, counters: TunCounters) {
    this.#libc = libc
    this.#fd = fd
    this.#layout = layout
    this.#counters = counters
    const slot = slotLength(layout.mtu)
    // Room for a full budget, but not megabytes of it where packets are huge.
    this.#slotsEnd = Math.max(2 * slotLength(MAX_PACKET), Math.min(BUDGET_PACKETS * slot, 512 * 1024))
    // The IP header behind it at a multiple of 4.
    const vnet = this.#slotsEnd + 2
    this.frameOffset = vnet + VIRTIO_NET_HEADER_LENGTH
    const area = layout.hasVirtioHeader ? 2 + VIRTIO_NET_HEADER_LENGTH + layout.linkLength + MAX_PACKET : 0
    this.batch = createPacketBatch(BUDGET_PACKETS, this.#slotsEnd + area + 4)
    this.#super = new SuperPacket(this.batch.buffer)
  }

  /** Fills the batch anew until the budget is spent or nothing is left. */
  fill(): FillResult {
    this.batch.count = 0
    return this.#layout.hasVirtioHeader ? this.#fillFromSuperPackets() : this.#fillDirectly()
  }

  #fillDirectly(): FillResult {
    const { batch } = this
    const { mtu } = this.#layout
    let at = 0
    while (batch.count < BUDGET_PACKETS && at + slotLength(mtu) <= this.#slotsEnd) {
      // One octet more than fits: the kernel cuts a packet off silently, as it may have to when somebody raised the interface's MTU.
      const length = this.#libc.read(this.#fd, batch.buffer, at + HEADROOM, mtu + 1)
      if (length <= 0) return this.#stop(length)
      this.#counters.reads++
      if (length > mtu || !isIp(batch.buffer, at + HEADROOM)) {
        this.#counters.readDrops++
        continue
      }
      at = this.#append(at, length)
    }
    return 'full'
  }

  #fillFromSuperPackets(): FillResult {
    const { batch } = this
    const { linkLength } = this.#layout
    const vnet = this.frameOffset - VIRTIO_NET_HEADER_LENGTH
    const room = VIRTIO_NET_HEADER_LENGTH + linkLength + MAX_PACKET
    const packet = this.frameOffset + linkLength
    let at = 0
    while (batch.count < BUDGET_PACKETS) {
      const next = this.#super.nextLength
      if (next > 0) {
        if (at + slotLength(next) > this.#slotsEnd) return 'full'
        at = this.#append(at, this.#super.writeNext(at + HEADROOM))
        continue
      }
      const octets = this.#libc.read(this.#fd, batch.buffer, vnet, room)
      if (octets <= 0) return this.#stop(octets)
      this.#counters.reads++
      const length = octets - VIRTIO_NET_HEADER_LENGTH - linkLength
      const isLoaded = (linkLength === 0 || isIpFrame(batch.buffer, this.frameOffset)) && this.#super.load(vnet, linkLength, packet, length)
      if (!isLoaded) this.#counters.readDrops++
    }
    return 'full'
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
