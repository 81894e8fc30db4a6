import { addressOf, checkRange, nativeBuffer } from './address.ts'
import { EpollEvents } from './epoll-events.ts'
import { type Koffi, loadKoffi, type NativeFunction, type NativeLibrary, openLibrary } from './koffi.ts'
import { NativeError } from './native-error.ts'
import type { PollSet } from './poll-set.ts'
import { bindAddresses } from './socket-address.ts'

/**
 * Linux's libc. Calls on the data path (`read`, `readTo`, `write`, `writev`, `sendto`, `sendmmsg`, `recvmmsg`, `epollWait`) answer with a count
 * ≥ 0 or with −errno, and allocate nothing but the numbers of addresses; the others throw NativeError `SYSTEM` with the name of the errno.
 */
export interface Libc {
  /** `O_CLOEXEC` is added. `flags` are {@link OpenFlag}s. */
  open(path: string, flags: number, mode?: number): number
  /** Errors are not reported: there is nothing to be done about them (Linux releases the descriptor in any case). */
  close(fd: number): void
  /** At most `length` octets to `buffer[offset…]`; octets read or −errno. */
  read(fd: number, buffer: Uint8Array, offset: number, length: number): number
  /** The same to an address. The caller answers for it, and allocates nothing where it passes on a number that it keeps (`keptAddresses`). */
  readTo(fd: number, address: number, length: number): number
  /** `buffer[offset, offset + length)`; octets written or −errno. */
  write(fd: number, buffer: Uint8Array, offset: number, length: number): number
  /** The first `count` entries of a `struct iovec[]` at `vectors`; octets written or −errno. The caller answers for the addresses. */
  writev(fd: number, vectors: number, count: number): number
  /** `address` is a `struct sockaddr`; octets sent or −errno. */
  sendto(fd: number, buffer: Uint8Array, offset: number, length: number, flags: number, address: Uint8Array): number
  /** The first `count` entries of a `struct mmsghdr[]` at `messages` (see `SocketMessages`); messages sent or −errno. */
  sendmmsg(fd: number, messages: number, count: number, flags: number): number
  /** As many messages as there are, at most `count`; messages received or −errno. */
  recvmmsg(fd: number, messages: number, count: number, flags: number): number
  /** `argument`: an integer, or a structure that the kernel reads and writes in place. Returns the call's result ≥ 0. */
  ioctl(fd: number, request: number, argument: number | Uint8Array): number
  /** Blocks the whole thread. Returns the number of ready descriptors; −1 of milliseconds waits without limit. */
  poll(set: PollSet, milliseconds: number): number
  /** poll(2) on a thread of the runtime's pool, which it occupies until it returns. Calls back with the count or −errno. */
  pollAsync(set: PollSet, milliseconds: number, callback: (ready: number) => void): void
  epollCreate(): number
  /** `events`: {@link PollEvent} bits. `data` comes back from `epollWait`: a number below 2 ** 32. */
  epollControl(epoll: number, operation: EpollOperation, fd: number, events: number, data: number): void
  /** Fills `events`; their count or −errno. */
  epollWait(epoll: number, events: EpollEvents, milliseconds: number): number
  socket(domain: number, type: number, protocol: number): number
  /** `address` is a `struct sockaddr`. */
  bind(fd: number, address: Uint8Array): void
  /** `address` is a `struct sockaddr`. */
  connect(fd: number, address: Uint8Array): void
  /** The `struct sockaddr` that the socket is bound to. */
  getsockname(fd: number): Uint8Array
  setsockopt(fd: number, level: number, option: number, value: number | Uint8Array): void
  /** An option whose value is an int. */
  getsockopt(fd: number, level: number, option: number): number
  /** `struct sockaddr_in` or `sockaddr_in6` of an IP literal (`fe80::1%eth0` with its zone). @throws NativeError `ARGUMENT` */
  encodeAddress(literal: string, port: number): Uint8Array
  /** The IP literal (with its zone where it is link-local) and the port of a `struct sockaddr`. */
  decodeAddress(address: Uint8Array): { address: string; port: number }
  /** Index of the interface, or `undefined` when there is none of that name in this network namespace. */
  ifNameToIndex(name: string): number | undefined
  /** A non-blocking eventfd(2) with a counter of 0. */
  eventfd(): number
  /** Non-blocking ends: `[read, write]`. */
  pipe(): [number, number]
  /** The CPUs that this thread may run on, and that there are: numbers from 0 (sched_getaffinity(2)). */
  affinity(): number[]
  /** The CPUs that this thread, and those that it makes from now on, may run on. */
  setAffinity(cpus: readonly number[]): void
  /** Name of an errno value: `EPERM`, or `errno 524` for one without a name. */
  errnoName(errno: number): string
  /** The libc's text for an errno value. */
  errnoText(errno: number): string
}

/** include/uapi/asm-generic/fcntl.h: x86-64, arm64, riscv64 and loongarch64 agree. */
export const OpenFlag = { O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_NONBLOCK: 0o4000, O_CLOEXEC: 0o2000000 } as const

/** For {@link Libc.epollControl}. */
export type EpollOperation = 1 | 2 | 3
export const EpollOperation = { ADD: 1, DELETE: 2, MODIFY: 3 } as const

/** Some errno values; `errnoName` knows all. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSYS: 38,
  EBADFD: 77,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  ENETDOWN: 100,
  ENOBUFS: 105,
} as const

/** The size of glibc's cpu_set_t. */
const MOST_CPUS = 1024

let libc: Libc | undefined

/**
 * The libc of this process, bound at the first call.
 *
 * @throws NativeError `UNAVAILABLE` away from Linux, and where koffi cannot be loaded
 */
export function loadLibc(): Libc {
  if (libc === undefined) {
    // The constants and structures here are Linux's.
    if (process.platform !== 'linux') throw new NativeError('UNAVAILABLE', `no system calls for ${process.platform}, only for linux`)
    libc = openLibrary('libc', [null, 'libc.so.6', 'libc.so'], (library) => bindLibc(loadKoffi(), library))
  }
  return libc
}

function bindLibc(koffi: Koffi, library: NativeLibrary): Libc {
  // open and ioctl are variadic in C; the Linux ABIs listed at OpenFlag pass integers the same way in both cases.
  const open = library.func('int open(const char *path, int flags, unsigned int mode)')
  const close = library.func('int close(int fd)')
  const read = library.func('int64_t read(int fd, uintptr_t buffer, size_t length)')
  const write = library.func('int64_t write(int fd, uintptr_t buffer, size_t length)')
  const writev = library.func('int64_t writev(int fd, uintptr_t vectors, int count)')
  const sendto = library.func(
    'int64_t sendto(int fd, uintptr_t buffer, size_t length, int flags, uintptr_t address, unsigned int addressLength)',
  )
  const sendmmsg = library.func('int sendmmsg(int fd, uintptr_t messages, unsigned int count, int flags)')
  const recvmmsg = library.func('int recvmmsg(int fd, uintptr_t messages, unsigned int count, int flags, uintptr_t timeout)')
  const ioctl = library.func('int ioctl(int fd, unsigned long request, uintptr_t argument)')
  const poll = library.func('int poll(uintptr_t fds, unsigned long count, int timeout)')
  const epollCreate = library.func('int epoll_create1(int flags)')
  const epollControl = library.func('int epoll_ctl(int epoll, int operation, int fd, uintptr_t event)')
  const epollWait = library.func('int epoll_wait(int epoll, uintptr_t events, int count, int timeout)')
  const socket = library.func('int socket(int domain, int type, int protocol)')
  const bind = library.func('int bind(int fd, uintptr_t address, unsigned int length)')
  const connect = library.func('int connect(int fd, uintptr_t address, unsigned int length)')
  const getsockname = library.func('int getsockname(int fd, uintptr_t address, uintptr_t length)')
  const setsockopt = library.func('int setsockopt(int fd, int level, int option, uintptr_t value, unsigned int length)')
  const getsockopt = library.func('int getsockopt(int fd, int level, int option, uintptr_t value, uintptr_t length)')
  const addresses = bindAddresses(library)
  const eventfd = library.func('int eventfd(unsigned int initial, int flags)')
  const pipe = library.func('int pipe2(uintptr_t fds, int flags)')
  const getAffinity = library.func('int sched_getaffinity(int thread, size_t length, uintptr_t mask)')
  const setAffinity = library.func('int sched_setaffinity(int thread, size_t length, uintptr_t mask)')
  const strerror = library.func('const char *strerror(int errno)')
  const names = errnoNames(koffi)

  const nameOf = (errno: number): string => names.get(errno) ?? `errno ${errno}`
  const fail = (call: string, subject: string): never => {
    const errno = koffi.errno()
    const text = `${call}(${subject}): ${nameOf(errno)}, ${strerror(errno)}`
    throw new NativeError('SYSTEM', text, { call, errno: nameOf(errno), subject })
  }
  const orFail = (result: number, call: string, subject: string): number => (result < 0 ? fail(call, subject) : result)
  // One for every call with a small structure that the kernel reads at once.
  const scratch = nativeBuffer(32)
  const scratchEvent = new EpollEvents(1)
  const orErrno = (result: number): number => (result < 0 ? -koffi.errno() : result)

  return {
    open: (path, flags, mode = 0) => orFail(open(path, flags | OpenFlag.O_CLOEXEC, mode), 'open', path),
    close: (fd) => void close(fd),
    read(fd, buffer, offset, length) {
      checkRange(buffer, offset, length)
      return orErrno(read(fd, addressOf(buffer) + offset, length))
    },
    readTo: (fd, address, length) => orErrno(read(fd, address, length)),
    write(fd, buffer, offset, length) {
      checkRange(buffer, offset, length)
      return orErrno(write(fd, addressOf(buffer) + offset, length))
    },
    writev: (fd, vectors, count) => orErrno(writev(fd, vectors, count)),
    sendto(fd, buffer, offset, length, flags, address) {
      checkRange(buffer, offset, length)
      return orErrno(sendto(fd, addressOf(buffer) + offset, length, flags, addressOf(address), address.length))
    },
    sendmmsg: (fd, messages, count, flags) => orErrno(sendmmsg(fd, messages, count, flags)),
    recvmmsg: (fd, messages, count, flags) => orErrno(recvmmsg(fd, messages, count, flags, 0)),
    ioctl(fd, request, argument) {
      const value = typeof argument === 'number' ? argument : addressOf(argument)
      return orFail(ioctl(fd, request, value), 'ioctl', `0x${request.toString(16)}`)
    },
    poll: (set, milliseconds) => orFail(poll(set.address, set.count, milliseconds), 'poll', `${set.count} descriptors`),
    pollAsync(set, milliseconds, callback) {
      poll.async(set.address, set.count, milliseconds, (error: Error | null, ready: number) => {
        // Since koffi 3.2, errno inside this callback is that of the call.
        callback(error !== null ? -Errno.EIO : orErrno(ready))
      })
    },
    epollCreate: () => orFail(epollCreate(OpenFlag.O_CLOEXEC), 'epoll_create1', ''),
    epollControl(epoll, operation, fd, events, data) {
      scratchEvent.set(0, events, data)
      orFail(epollControl(epoll, operation, fd, scratchEvent.address), 'epoll_ctl', `descriptor ${fd}`)
    },
    epollWait: (epoll, events, milliseconds) => orErrno(epollWait(epoll, events.address, events.count, milliseconds)),
    socket: (domain, type, protocol) => orFail(socket(domain, type | OpenFlag.O_CLOEXEC, protocol), 'socket', `family ${domain}`),
    bind: (fd, address) => void orFail(bind(fd, addressOf(address), address.length), 'bind', `descriptor ${fd}`),
    connect: (fd, address) => void orFail(connect(fd, addressOf(address), address.length), 'connect', `descriptor ${fd}`),
    getsockname(fd) {
      const length = new Uint32Array(scratch.bytes.buffer, 28, 1)
      length[0] = 28
      orFail(getsockname(fd, scratch.address, scratch.address + 28), 'getsockname', `descriptor ${fd}`)
      return scratch.bytes.slice(0, length[0])
    },
    getsockopt(fd, level, option) {
      const value = new Int32Array(scratch.bytes.buffer, 0, 2)
      value[1] = 4
      orFail(getsockopt(fd, level, option, scratch.address, scratch.address + 4), 'getsockopt', `level ${level} option ${option}`)
      return value[0]
    },
    ...addresses,
    setsockopt(fd, level, option, value) {
      const bytes = typeof value === 'number' ? new Uint8Array(Int32Array.of(value).buffer) : value
      orFail(setsockopt(fd, level, option, addressOf(bytes), bytes.length), 'setsockopt', `level ${level} option ${option}`)
    },
    eventfd: () => orFail(eventfd(0, OpenFlag.O_NONBLOCK | OpenFlag.O_CLOEXEC), 'eventfd', ''),
    pipe() {
      const fds = nativeBuffer(8)
      orFail(pipe(fds.address, OpenFlag.O_NONBLOCK | OpenFlag.O_CLOEXEC), 'pipe2', '')
      const [readEnd, writeEnd] = new Int32Array(fds.bytes.buffer)
      return [readEnd, writeEnd]
    },
    affinity() {
      const { bytes, address } = nativeBuffer(MOST_CPUS / 8)
      orFail(getAffinity(0, bytes.length, address), 'sched_getaffinity', '')
      return Array.from({ length: MOST_CPUS }, (_, cpu) => cpu).filter((cpu) => (bytes[cpu >>> 3] & (1 << (cpu & 7))) !== 0)
    },
    setAffinity(cpus) {
      const mask = nativeBuffer(MOST_CPUS / 8)
      for (const cpu of cpus) mask.bytes[cpu >>> 3] |= 1 << (cpu & 7)
      orFail(setAffinity(0, mask.bytes.length, mask.address), 'sched_setaffinity', `CPU ${cpus.join(', ')}`)
    },
    errnoName: nameOf,
    errnoText: strerror as NativeFunction & ((errno: number) => string),
  }
}

function errnoNames(koffi: Koffi): Map<number, string> {
  const names = new Map<number, string>()
  // The first name of a value is the usual one: EAGAIN before EWOULDBLOCK.
  for (const [name, errno] of Object.entries(koffi.os.errno)) if (!names.has(errno)) names.set(errno, name)
  return names
}
