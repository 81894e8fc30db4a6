// Opens, sets up and asks the descriptor of a native socket.
import { isIP } from 'node:net'
import { type Libc, NativeError } from '@underpass/native'
import { DEFAULT_BUFFER } from './defaults.ts'
import { describeEndpoint, type Endpoint } from './endpoint.ts'
import { shareThePort, steerBySpi } from './reuse-port-group.ts'
import * as option from './socket-options.ts'
import { bindError, sendError } from './udp-error.ts'
import type { BindAddress, UdpBuffers, UdpOptions } from './udp-socket.ts'

export interface NativeDescriptor {
  readonly fd: number
  readonly local: Endpoint
  readonly buffers: UdpBuffers
  /** The kernel cuts what is sent into datagrams. */
  readonly canSegment: boolean
}

/** @throws UdpError */
export function bindDescriptor(libc: Libc, { address, port, family }: BindAddress, options: UdpOptions): NativeDescriptor {
  let fd = -1
  try {
    fd = libc.socket(family === 6 ? option.AF_INET6 : option.AF_INET, option.SOCK_DGRAM | option.SOCK_NONBLOCK, 0)
    if (family === 6) {
      libc.setsockopt(fd, option.IPPROTO_IPV6, option.IPV6_V6ONLY, 1)
      libc.setsockopt(fd, option.IPPROTO_IPV6, option.IPV6_RECVERR, 1)
    } else libc.setsockopt(fd, option.IPPROTO_IP, option.IP_RECVERR, 1)
    if (options.dscp !== undefined) {
      // ECN's two bits stay 0, Not-ECT (RFC 6040 §4.3): what a router would mark on a way is not read where it arrives.
      if (family === 6) libc.setsockopt(fd, option.IPPROTO_IPV6, option.IPV6_TCLASS, options.dscp << 2)
      else libc.setsockopt(fd, option.IPPROTO_IP, option.IP_TOS, options.dscp << 2)
    }
    // Without it datagrams come one by one.
    attempt(() => libc.setsockopt(fd, option.SOL_UDP, option.UDP_GRO, 1))
    const buffers: UdpBuffers = {
      receive: setBuffer(libc, fd, option.SO_RCVBUFFORCE, option.SO_RCVBUF, options.receiveBuffer ?? DEFAULT_BUFFER),
      send: setBuffer(libc, fd, option.SO_SNDBUFFORCE, option.SO_SNDBUF, options.sendBuffer ?? DEFAULT_BUFFER),
    }
    if (options.group !== undefined) shareThePort(libc, fd)
    libc.bind(fd, libc.encodeAddress(address, port))
    const local = libc.decodeAddress(libc.getsockname(fd))
    if (options.group !== undefined) steerBySpi(libc, fd, local.port, options.group)
    return {
      fd,
      local,
      buffers,
      // A kernel that does not know the option would send a batch as one long datagram.
      canSegment: attempt(() => libc.getsockopt(fd, option.SOL_UDP, option.UDP_SEGMENT)) !== undefined,
    }
  } catch (error) {
    if (fd >= 0) libc.close(fd)
    throw bindError(asSystemError(error), address, port)
  }
}

/** By connecting a socket of its own, which makes the kernel choose route and source address; nothing is sent. @throws UdpError */
export function nativeLocalAddress(libc: Libc, { address, port }: Endpoint): string {
  let fd = -1
  try {
    fd = libc.socket(isIP(address) === 6 ? option.AF_INET6 : option.AF_INET, option.SOCK_DGRAM, 0)
    libc.connect(fd, libc.encodeAddress(address, port > 0 ? port : 4500))
    return libc.decodeAddress(libc.getsockname(fd)).address
  } catch (error) {
    throw sendError(asSystemError(error), { address, port })
  } finally {
    if (fd >= 0) libc.close(fd)
  }
}

/** In the shape of the errors of Node's own modules. */
export function systemError(libc: Libc, errno: number, remote: Endpoint | undefined): Error {
  const code = libc.errnoName(errno)
  const where = remote === undefined ? '' : `${describeEndpoint(remote)}: `
  return Object.assign(new Error(`${where}${code}, ${libc.errnoText(errno)}`), { code })
}

export function asSystemError(error: unknown): unknown {
  if (!(error instanceof NativeError)) return error
  return Object.assign(new Error(error.message), { code: error.code === 'SYSTEM' ? error.context.errno : 'EINVAL' })
}

/** What was granted, in octets as asked for: the kernel answers with twice as many. */
function setBuffer(libc: Libc, fd: number, force: number, plain: number, octets: number): number {
  const isForced = attempt(() => {
    libc.setsockopt(fd, option.SOL_SOCKET, force, octets)
    return true
  })
  if (isForced === undefined) attempt(() => libc.setsockopt(fd, option.SOL_SOCKET, plain, octets))
  return libc.getsockopt(fd, option.SOL_SOCKET, plain) / 2
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof NativeError) return undefined
    throw error
  }
}
