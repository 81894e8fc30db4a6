import { addressOf, checkRange, nativeBuffer } from './address.ts'
import { loadKoffi, openLibrary } from './koffi.ts'
import { type Libc, loadLibc, OpenFlag } from './libc.ts'
import { NativeError } from './native-error.ts'
import { AF_INET, AF_INET6, SOCKADDR_IN6 } from './socket-address.ts'

/** An IP literal and a port. */
export interface SocketAddress {
  readonly address: string
  readonly port: number
}

export interface ConnectCall {
  /** The socket is bound to it first. */
  readonly local?: string | undefined
  /**
   * IPv6's, 1 … 0xFFFFF, or 0 for none, for as long as the connection is. Default: one that the kernel makes for each connection. Where
   * somebody has leased a label for himself alone, the kernel takes none that is not leased, and there is none then.
   */
  readonly flowLabel?: number | undefined
  /** Sets options before anything is sent. */
  prepare?(fd: number): void
}

export interface ListenCall {
  readonly address: string
  readonly port: number
  readonly backlog: number
  /** SO_REUSEPORT: several sockets, of several threads or processes of one user, share the port, and the kernel spreads the connections. */
  readonly reusePort: boolean
  /** Sets options, which the sockets that are accepted inherit, before the first can be. */
  prepare?(fd: number): void
}

/**
 * TCP's system calls, non-blocking. `receive`, `send` and `accept` answer with a count or a descriptor ≥ 0 or with −errno and allocate
 * nothing; the others throw NativeError `SYSTEM`.
 */
export interface TcpCalls {
  /** A socket that is being connected; it is writable when that has an end, and `takeError` says which. */
  connect(to: SocketAddress, how?: ConnectCall): number
  /** A listening socket. IPv4 arrives at '::' too. */
  listen(where: ListenCall): number
  accept(fd: number): number
  localAddress(fd: number): SocketAddress
  remoteAddress(fd: number): SocketAddress
  /** SO_ERROR: an errno, cleared by asking, or 0. */
  takeError(fd: number): number
  /** At most `length` octets to `buffer[offset…]`; 0: the peer sent FIN. */
  receive(fd: number, buffer: Uint8Array, offset: number, length: number): number
  /** The same octets, which stay to be received. */
  peek(fd: number, buffer: Uint8Array, offset: number, length: number): number
  /** Octets of `buffer[offset, offset + length)` taken. */
  send(fd: number, buffer: Uint8Array, offset: number, length: number): number
  /** SIOCOUTQNSD: octets that the kernel has taken and not sent yet. */
  unsent(fd: number): number
  /** FIN after what was sent. */
  shutdown(fd: number): void
  /** The next close() is a RST. */
  resetOnClose(fd: number): void
  setOption(fd: number, option: TcpOption, value: number): void
  option(fd: number, option: TcpOption): number
  /** The six bits of RFC 2474, of both families where the socket has both; ECN's two stay the kernel's. */
  setDscp(fd: number, dscp: number): void
  /** Packets of IPv6 have no flow label from now on, nor have those of the sockets that this one accepts. */
  clearFlowLabel(fd: number): void
  /** SO_SNDBUF or SO_RCVBUF, the latter for before the connection is; no longer the kernel's to tune. Octets that were granted. */
  setBuffer(fd: number, which: 'send' | 'receive', octets: number): number
  /** TCP_CONGESTION: 'cubic', 'bbr', … Throws `SYSTEM` with ENOENT where the kernel has no such module, EPERM where it is not allowed. */
  setCongestionControl(fd: number, name: string): void
  congestionControl(fd: number): string
}

/** `[level, option]` of setsockopt(2), Linux. */
export type TcpOption = readonly [level: number, option: number]

/**
 * KEEPIDLE is in seconds. NOTSENT_LOWAT: octets that may lie in the socket unsent, the queue in front of the congestion window. RCVLOWAT:
 * octets below which the socket is not called readable, unless no more will come. TOS and TCLASS: DSCP and ECN, of IPv4 and of IPv6.
 */
export const TcpOption: Readonly<
  Record<'NODELAY' | 'KEEPALIVE' | 'KEEPIDLE' | 'NOTSENT_LOWAT' | 'RCVLOWAT' | 'TOS' | 'TCLASS', TcpOption>
> = {
  NODELAY: [6, 1],
  KEEPALIVE: [1, 9],
  KEEPIDLE: [6, 4],
  NOTSENT_LOWAT: [6, 25],
  RCVLOWAT: [1, 18],
  TOS: [0, 1],
  TCLASS: [41, 67],
}

const SOCK_STREAM = 1
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_ERROR = 4
const SO_LINGER = 13
const SO_REUSEPORT = 15
const IPPROTO_TCP = 6
const TCP_CONGESTION = 13
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const IPV6_FLOWINFO_SEND = 33
const IPV6_AUTOFLOWLABEL = 70
/** Of a `struct sockaddr_in6`, in network order. */
const SIN6_FLOWINFO = 4
const FLOW_LABEL_MASK = 0xfffff
const SO_DOMAIN = 39
/** [for those with CAP_NET_ADMIN, beyond the limits of net.core, for everybody]. */
const SO_BUFFERS = { send: [32, 7], receive: [33, 8] } as const
const MSG_PEEK = 0x2
const MSG_NOSIGNAL = 0x4000
const SHUT_WR = 1
const SIOCOUTQNSD = 0x894b

let calls: TcpCalls | undefined

/** @throws NativeError `UNAVAILABLE` away from Linux, and where koffi cannot be loaded */
export function loadTcpCalls(): TcpCalls {
  calls ??= bindTcpCalls(loadLibc())
  return calls
}

function bindTcpCalls(libc: Libc): TcpCalls {
  const koffi = loadKoffi()
  const { listen, accept, getpeername, getsockopt, receive, send, shutdown } = openLibrary('libc', [null, 'libc.so.6'], (library) => ({
    listen: library.func('int listen(int fd, int backlog)'),
    accept: library.func('int accept4(int fd, uintptr_t address, uintptr_t length, int flags)'),
    getpeername: library.func('int getpeername(int fd, uintptr_t address, uintptr_t length)'),
    getsockopt: library.func('int getsockopt(int fd, int level, int option, uintptr_t value, uintptr_t length)'),
    receive: library.func('int64_t recv(int fd, uintptr_t buffer, size_t length, int flags)'),
    send: library.func('int64_t send(int fd, uintptr_t buffer, size_t length, int flags)'),
    shutdown: library.func('int shutdown(int fd, int how)'),
  }))
  const scratch = nativeBuffer(64)
  const scratchView = new DataView(scratch.bytes.buffer)
  const LENGTH = 56

  const fail = (call: string, subject: string): never => {
    const errno = libc.errnoName(koffi.errno())
    throw new NativeError('SYSTEM', `${call}(${subject}): ${errno}`, { call, errno, subject })
  }
  const orErrno = (result: number): number => (result < 0 ? -koffi.errno() : result)
  const opened = (address: string): number => libc.socket(address.includes(':') ? AF_INET6 : AF_INET, SOCK_STREAM | OpenFlag.O_NONBLOCK, 0)
  const orClose = (fd: number, body: () => void): number => {
    try {
      body()
      return fd
    } catch (error) {
      libc.close(fd)
      throw error
    }
  }

  const begin = (fd: number, address: Uint8Array): void => {
    try {
      libc.connect(fd, address)
    } catch (error) {
      if (!(error instanceof NativeError) || error.context.errno !== 'EINPROGRESS') throw error
    }
  }
  const isOfIpv6 = (fd: number): boolean => libc.getsockopt(fd, SOL_SOCKET, SO_DOMAIN) === AF_INET6

  return {
    connect(to, { local, flowLabel, prepare } = {}) {
      const fd = opened(to.address)
      return orClose(fd, () => {
        prepare?.(fd)
        if (local !== undefined) libc.bind(fd, libc.encodeAddress(local, 0))
        const address = libc.encodeAddress(to.address, to.port)
        if (flowLabel === undefined || !to.address.includes(':')) return begin(fd, address)
        if (flowLabel !== 0) {
          libc.setsockopt(fd, IPPROTO_IPV6, IPV6_FLOWINFO_SEND, 1)
          const labelled = address.slice()
          new DataView(labelled.buffer).setUint32(SIN6_FLOWINFO, flowLabel & FLOW_LABEL_MASK)
          try {
            return begin(fd, labelled)
          } catch (error) {
            if (!(error instanceof NativeError) || error.context.errno !== 'EINVAL') throw error
          }
        }
        libc.setsockopt(fd, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0)
        begin(fd, address)
      })
    },
    listen({ address, port, backlog, reusePort, prepare }) {
      const fd = opened(address)
      return orClose(fd, () => {
        libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        if (reusePort) libc.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1)
        if (address === '::') libc.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)
        prepare?.(fd)
        libc.bind(fd, libc.encodeAddress(address, port))
        if (listen(fd, backlog) < 0) fail('listen', `[${address}]:${port}`)
      })
    },
    accept: (fd) => orErrno(accept(fd, 0, 0, OpenFlag.O_NONBLOCK | OpenFlag.O_CLOEXEC)),
    localAddress: (fd) => libc.decodeAddress(libc.getsockname(fd)),
    remoteAddress(fd) {
      scratchView.setUint32(LENGTH, SOCKADDR_IN6, true)
      if (getpeername(fd, scratch.address, scratch.address + LENGTH) < 0) fail('getpeername', `descriptor ${fd}`)
      return libc.decodeAddress(scratch.bytes)
    },
    takeError: (fd) => libc.getsockopt(fd, SOL_SOCKET, SO_ERROR),
    receive(fd, buffer, offset, length) {
      checkRange(buffer, offset, length)
      return orErrno(receive(fd, addressOf(buffer) + offset, length, 0))
    },
    peek(fd, buffer, offset, length) {
      checkRange(buffer, offset, length)
      return orErrno(receive(fd, addressOf(buffer) + offset, length, MSG_PEEK))
    },
    send(fd, buffer, offset, length) {
      checkRange(buffer, offset, length)
      return orErrno(send(fd, addressOf(buffer) + offset, length, MSG_NOSIGNAL))
    },
    unsent(fd) {
      libc.ioctl(fd, SIOCOUTQNSD, scratch.address + LENGTH)
      return scratchView.getInt32(LENGTH, true)
    },
    shutdown: (fd) => void shutdown(fd, SHUT_WR),
    resetOnClose: (fd) => libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, new Uint8Array(Int32Array.of(1, 0).buffer)),
    setOption: (fd, [level, option], value) => libc.setsockopt(fd, level, option, value),
    option: (fd, [level, option]) => libc.getsockopt(fd, level, option),
    setDscp(fd, dscp) {
      const field = dscp << 2
      libc.setsockopt(fd, ...TcpOption.TOS, field)
      // To '::' IPv4 arrives too, and goes by the other option.
      if (isOfIpv6(fd)) libc.setsockopt(fd, ...TcpOption.TCLASS, field)
    },
    clearFlowLabel(fd) {
      if (isOfIpv6(fd)) libc.setsockopt(fd, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0)
    },
    setBuffer(fd, which, octets) {
      const [force, plain] = SO_BUFFERS[which]
      try {
        libc.setsockopt(fd, SOL_SOCKET, force, octets)
      } catch {
        libc.setsockopt(fd, SOL_SOCKET, plain, octets)
      }
      // The kernel takes twice as many, for its own use, and tells that.
      return libc.getsockopt(fd, SOL_SOCKET, plain) / 2
    },
    setCongestionControl: (fd, name) =>
      libc.setsockopt(
        fd,
        IPPROTO_TCP,
        TCP_CONGESTION,
        Uint8Array.from(name, (letter) => letter.charCodeAt(0)),
      ),
    congestionControl(fd) {
      scratch.bytes.fill(0)
      scratchView.setUint32(LENGTH, 16, true)
      if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, scratch.address, scratch.address + LENGTH) < 0) fail('getsockopt', 'TCP_CONGESTION')
      return String.fromCharCode(...scratch.bytes.subarray(0, scratch.bytes.indexOf(0)))
    },
  }
}
