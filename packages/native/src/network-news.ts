import { Errno, loadLibc } from './libc.ts'
import { PollEvent } from './poll-set.ts'
import { sharedReactor } from './reactor.ts'

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const NETLINK_ROUTE = 0
/** include/uapi/linux/rtnetlink.h: links; IPv4 addresses and routes; IPv6 addresses and routes. */
const GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400

/** `struct sockaddr_nl`: family, padding, port (0: the kernel chooses), groups; in the machine's byte order. */
const SOCKADDR_NL = 12

/**
 * Calls back when a link, an address or a route of this network namespace came, went or is another (rtnetlink(7)); not what it was: who needs to know
 * asks. Keeps the process alive until it is closed.
 *
 * @throws NativeError `UNAVAILABLE` away from Linux and without koffi, `SYSTEM`
 */
export function watchNetworkNews(onNews: () => void): { close(): void } {
  const libc = loadLibc()
  const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)
  try {
    const address = new Uint8Array(SOCKADDR_NL)
    address.set(new Uint8Array(Uint16Array.of(AF_NETLINK).buffer))
    address.set(new Uint8Array(Uint32Array.of(GROUPS).buffer), 8)
    libc.bind(fd, address)
    const buffer = new Uint8Array(8_192)
    const watch = sharedReactor().watch(fd, PollEvent.POLLIN, () => {
      // What did not fit (ENOBUFS) is news, too. A bounded number: an event comes again for what is left.
      for (let i = 0; i < 64; i++) {
        const length = libc.read(fd, buffer, 0, buffer.length)
        if (length <= 0 && length !== -Errno.ENOBUFS) break
      }
      onNews()
    })
    return {
      close() {
        watch.close()
        libc.close(fd)
      },
    }
  } catch (error) {
    libc.close(fd)
    throw error
  }
}
