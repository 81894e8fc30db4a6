import { release } from 'node:os'
import { type Libc, loadLibc, OpenFlag } from '@underpass/native'
import { DescriptorDevice } from './descriptor-device.ts'
import {
  asTunError,
  interfaceMtu,
  interfaceRequest,
  nameInRequest,
  setInterfaceMtu,
  setInterfaceQueueLength,
  writeRequestU16,
} from './interface-request.ts'
import { ip } from './ip-command.ts'
import type { PacketLayout } from './packet-reader.ts'
import { type TunDevice, TunError } from './tun-device.ts'

// linux/if_tun.h
const TUNSETIFF = 0x400454ca
const TUNSETOFFLOAD = 0x400454d0
const TUNSETQUEUE = 0x400454d9
const IFF_TUN = 0x0001
const IFF_MULTI_QUEUE = 0x0100
const IFF_DETACH_QUEUE = 0x0400
const IFF_NO_PI = 0x1000
const IFF_VNET_HDR = 0x4000
const TUN_F_CSUM = 0x01
const TUN_F_TSO4 = 0x02
const TUN_F_TSO6 = 0x04
const TUN_F_TSO_ECN = 0x08
const TUN_F_USO4 = 0x20
const TUN_F_USO6 = 0x40

const TCP_OFFLOADS = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN
/** Since Linux 6.2, and only both together. Where they are known, the kernel takes UDP super-packets too. */
const UDP_OFFLOADS = TUN_F_USO4 | TUN_F_USO6

export interface TunOptions {
  /** At most 15 characters; `%d` in it is replaced by a free number. Default `tun%d`. */
  readonly name?: string
  /** Octets, 68 … 65,535. Default: what the kernel gives, 1,500. */
  readonly mtu?: number
  /**
   * Exchange super-packets of up to 64 kB with the kernel, which are segmented and coalesced here: many times the throughput for TCP.
   * Default true; falls back by itself where the kernel has no such thing.
   */
  readonly offload?: boolean
  /** Several devices of one name, in one or many processes, among which the kernel spreads the flows. Default false. */
  readonly multiQueue?: boolean
  /**
   * Packets from the host that may wait to be read, 1 … 65,536; what comes when so many wait is dropped. Default: what the kernel gives,
   * 500, which 100,000 packets a second fill in 5 ms: about as long as this process may have to wait for a busy CPU. A longer queue loses
   * less then, and delays what stands behind a burst by as much as it holds. A super-packet counts as one.
   */
  readonly queueLength?: number
}

/** Of a TUN's ring; the kernel takes any int and fails to allocate it. */
const MAX_QUEUE = 65_536

/**
 * Makes a TUN interface in this network namespace, or takes over a persistent one. It has no address and is down; it vanishes with
 * {@link TunDevice.close}.
 *
 * @throws TunError `UNAVAILABLE`, `PERMISSION_DENIED`, `NAME_IN_USE`, `ARGUMENT`, `COMMAND_FAILED`, `SYSTEM`
 */
export function openTun(options: TunOptions = {}): TunDevice {
  const { libc, queue } = openQueue(options)
  try {
    return adopted(libc, queue)
  } catch (error) {
    libc.close(queue.descriptor)
    throw asTunError(error, queue.name, {})
  }
}

/** One queue of a TUN, as plain data: it may be opened in one thread and read in another. */
export interface TunQueue {
  readonly descriptor: number
  readonly name: string
  readonly layout: PacketLayout
}

/** Takes the descriptor over. @throws TunError `UNAVAILABLE`; the descriptor stays the caller's then */
export function adoptTunQueue(queue: TunQueue): TunDevice {
  try {
    return adopted(loadLibc(), queue)
  } catch (error) {
    throw asTunError(error, queue.name, {})
  }
}

export interface TunQueues {
  readonly name: string
  readonly mtu: number
  /** For {@link adoptTunQueue}, each once. Who adopts one closes it. */
  readonly queues: readonly TunQueue[]
  /** The interface vanishes once the queues are closed, too. Idempotent. */
  close(): void
}

/**
 * As {@link openTun}, with several queues among which the kernel spreads the flows: a packet comes to the queue to which its flow was last
 * written, or else by a hash. The interface stays until `close`, even where all queues are closed before.
 *
 * @throws TunError as openTun does
 */
export function openTunQueues(options: Omit<TunOptions, 'multiQueue'>, count: number): TunQueues {
  const { libc, queue: first } = openQueue({ ...options, multiQueue: true })
  const queues = [first]
  const flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE | (first.layout.hasVirtioHeader ? IFF_VNET_HDR : 0)
  try {
    while (queues.length <= count) queues.push({ ...first, descriptor: attachAnother(libc, first.name, flags) })
    // The last one is nobody's: no flow may be sent to it, but it keeps the interface.
    const keeper = queues.pop()!.descriptor
    const detach = interfaceRequest(first.name)
    writeRequestU16(detach, IFF_DETACH_QUEUE)
    libc.ioctl(keeper, TUNSETQUEUE, detach)
    let isOpen = true
    return {
      name: first.name,
      mtu: first.layout.mtu,
      queues,
      close() {
        if (isOpen) libc.close(keeper)
        isOpen = false
      },
    }
  } catch (error) {
    for (const { descriptor } of queues) libc.close(descriptor)
    throw asTunError(error, first.name, { EINVAL: 'NAME_IN_USE' })
  }
}

function attachAnother(libc: Libc, name: string, flags: number): number {
  const fd = libc.open('/dev/net/tun', OpenFlag.O_RDWR | OpenFlag.O_NONBLOCK)
  const request = interfaceRequest(name)
  writeRequestU16(request, flags)
  try {
    libc.ioctl(fd, TUNSETIFF, request)
    return fd
  } catch (error) {
    libc.close(fd)
    throw error
  }
}

function adopted(libc: Libc, { descriptor, name, layout }: TunQueue): TunDevice {
  return new DescriptorDevice(libc, descriptor, 'tun', name, name, layout)
}

function openQueue(options: TunOptions): { readonly libc: Libc; readonly queue: TunQueue } {
  const { name = 'tun%d', mtu, offload = true, multiQueue = false, queueLength } = options
  if (queueLength !== undefined && !(Number.isInteger(queueLength) && queueLength > 0 && queueLength <= MAX_QUEUE))
    throw new TunError('ARGUMENT', `a queue cannot hold ${queueLength} packets`, { interface: name })
  const request = interfaceRequest(name)
  let libc: Libc
  let fd: number
  try {
    libc = loadLibc()
    fd = libc.open('/dev/net/tun', OpenFlag.O_RDWR | OpenFlag.O_NONBLOCK)
  } catch (error) {
    throw asTunError(error, name, { ENOENT: 'UNAVAILABLE', ENODEV: 'UNAVAILABLE', ENXIO: 'UNAVAILABLE' })
  }
  try {
    const flags = IFF_TUN | IFF_NO_PI | (multiQueue ? IFF_MULTI_QUEUE : 0)
    const hasOffload = offload && attach(libc, fd, request, flags | IFF_VNET_HDR)
    if (!hasOffload) {
      writeRequestU16(request, flags)
      libc.ioctl(fd, TUNSETIFF, request)
    }
    const actualName = nameInRequest(request)
    const features = hasOffload ? setOffload(libc, fd) : 0
    if (mtu !== undefined) setInterfaceMtu(libc, actualName, mtu)
    if (queueLength !== undefined) setQueueLength(libc, actualName, queueLength)
    const actualMtu = interfaceMtu(libc, actualName)
    const takesUdpSuperPackets = (features & UDP_OFFLOADS) !== 0
    const takesLongSuperPackets = (features & TCP_OFFLOADS) === TCP_OFFLOADS && isLinuxFrom(6, 3)
    const layout = { linkLength: 0, hasVirtioHeader: hasOffload, takesUdpSuperPackets, takesLongSuperPackets, mtu: actualMtu }
    return { libc, queue: { descriptor: fd, name: actualName, layout } }
  } catch (error) {
    libc.close(fd)
    throw asTunError(error, name, { EINVAL: 'NAME_IN_USE' })
  }
}

/** False when the kernel does not know IFF_VNET_HDR; other failures are the caller's to see, from the plain attempt. */
function attach(libc: Libc, fd: number, request: Uint8Array, flags: number): boolean {
  writeRequestU16(request, flags)
  try {
    libc.ioctl(fd, TUNSETIFF, request)
    return true
  } catch {
    return false
  }
}

/** The features that the kernel agreed to; with none of them the header stays, and says of each packet that it is whole. */
function setOffload(libc: Libc, fd: number): number {
  for (const features of [TCP_OFFLOADS | UDP_OFFLOADS, TCP_OFFLOADS, TUN_F_CSUM]) {
    try {
      libc.ioctl(fd, TUNSETOFFLOAD, features)
      return features
    } catch {
      // the next, smaller set
    }
  }
  return 0
}

/** What an older kernel makes of a Total Length of 0 it does not say: it drops the packet. */
function isLinuxFrom(major: number, minor: number): boolean {
  const [ours = 0, oursMinor = 0] = release().split('.').map(Number)
  return ours > major || (ours === major && oursMinor >= minor)
}

/** In a user namespace the ioctl is refused, and netlink, which `ip` speaks, is not. */
function setQueueLength(libc: Libc, name: string, packets: number): void {
  try {
    setInterfaceQueueLength(libc, name, packets)
  } catch (error) {
    if (!(error instanceof TunError && error.code === 'PERMISSION_DENIED')) throw error
    ip(name, ['link', 'set', 'dev', name, 'txqueuelen', String(packets)])
  }
}
