import { type Libc, loadLibc } from '@underpass/native'
import { DescriptorDevice } from './descriptor-device.ts'
import { asTunError, interfaceMac, interfaceMtu, setInterfaceMtu } from './interface-request.ts'
import type { PacketBatch } from './packet-batch.ts'
import type { PacketLayout } from './packet-reader.ts'
import { type TunDevice, TunError } from './tun-device.ts'

// linux/if_packet.h, asm-generic/socket.h
const AF_PACKET = 17
const SOCK_RAW = 3
const SOCK_NONBLOCK = 0o4000
const ETH_P_ALL = 0x0003
const SOL_SOCKET = 1
const SO_RCVBUF = 8
const SO_RCVBUFFORCE = 33
const SOL_PACKET = 263
const PACKET_VNET_HDR = 15
const PACKET_IGNORE_OUTGOING = 23
const ETHERNET_HEADER = 14
/** A super-packet counts with its pages: this holds some dozens. */
const RECEIVE_BUFFER = 8 * 1024 * 1024

export interface PacketDeviceOptions {
  /** Our end of a veth pair, up and without an address. */
  readonly interface: string
  /** What the device calls itself. Default: the interface. */
  readonly name?: string
  /** Ethernet address of the kernel's end, 6 octets. Default: the source of the first frame that comes from there. */
  readonly peerMac?: Uint8Array
  /** Octets. Default: the interface's own. */
  readonly mtu?: number
}

/**
 * A device for namespaces where /dev/net/tun cannot be opened but CAP_NET_RAW is held: a packet socket on the far end of a veth pair.
 * {@link createPacketDevicePair} makes such a pair. Packets whose checksum the kernel left to the network card are completed, and
 * super-packets segmented and coalesced, so that the veth keeps all its offloads.
 *
 * @throws TunError `UNAVAILABLE`, `PERMISSION_DENIED`, `NO_SUCH_INTERFACE`, `ARGUMENT`, `SYSTEM`
 */
export function openPacketDevice(options: PacketDeviceOptions): TunDevice {
  const { interface: name, peerMac, mtu } = options
  let libc: Libc
  let fd: number
  try {
    libc = loadLibc()
    fd = libc.socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0)
  } catch (error) {
    throw asTunError(error, name)
  }
  try {
    if (mtu !== undefined) setInterfaceMtu(libc, name, mtu)
    const actualMtu = interfaceMtu(libc, name)
    const ourMac = interfaceMac(libc, name)
    if (peerMac !== undefined && peerMac.length !== 6)
      throw new TunError('ARGUMENT', 'an Ethernet address has 6 octets', { interface: name })
    setUp(libc, fd, name)
    // A packet socket says nothing of what it takes: the first UDP super-packet that it refuses is the last.
    const layout = {
      linkLength: ETHERNET_HEADER,
      hasVirtioHeader: true,
      takesUdpSuperPackets: true,
      takesLongSuperPackets: false,
      mtu: actualMtu,
    }
    return new PacketDevice(libc, fd, options.name ?? name, name, layout, ourMac, peerMac)
  } catch (error) {
    libc.close(fd)
    throw asTunError(error, name)
  }
}

function setUp(libc: Libc, fd: number, name: string): void {
  const index = libc.ifNameToIndex(name)
  if (index === undefined) throw new TunError('NO_SUCH_INTERFACE', `there is no interface ${name}`, { interface: name })
  // A virtio_net_hdr in front of each frame says which checksums are missing, and lets super-packets through in both directions.
  libc.setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, 1)
  libc.setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
  try {
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
  } catch {
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER) // clamped to net.core.rmem_max
  }
  // struct sockaddr_ll: family, protocol (network order), index, then what is not needed to bind.
  const address = new Uint8Array(20)
  const view = new DataView(address.buffer)
  view.setUint16(0, AF_PACKET, true)
  view.setUint16(2, ETH_P_ALL)
  view.setInt32(4, index, true)
  libc.bind(fd, address)
}

class PacketDevice extends DescriptorDevice {
  #hasPeerMac: boolean

  constructor(
    libc: Libc,
    fd: number,
    name: string,
    far: string,
    layout: PacketLayout,
    ourMac: Uint8Array,
    peerMac: Uint8Array | undefined,
  ) {
    super(libc, fd, 'packet', name, far, layout)
    this.#hasPeerMac = peerMac !== undefined
    if (peerMac !== undefined) this.writer.prefix.set(peerMac, this.writer.linkOffset)
    this.writer.prefix.set(ourMac, this.writer.linkOffset + 6)
  }

  override write(batch: PacketBatch): void {
    if (!this.#hasPeerMac) {
      // Until the kernel's end has sent something nobody there would take a frame.
      if (this.counters.packetsRead === 0) {
        this.counters.writeDrops += batch.count
        return
      }
      const source = this.reader.frameOffset + 6
      this.writer.prefix.set(this.reader.batch.buffer.subarray(source, source + 6), this.writer.linkOffset)
      this.#hasPeerMac = true
    }
    super.write(batch)
  }
}
