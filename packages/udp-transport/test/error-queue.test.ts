import { loadLibc } from '@underpass/native'
import { describe, expect, it } from 'vitest'
import { ErrorQueue } from '../src/error-queue.ts'
import { openUdp } from '../src/index.ts'
import { bindDescriptor } from '../src/native-descriptor.ts'
import { IP_RECVERR, IPPROTO_IP, IPPROTO_IPV6, IPV6_RECVERR } from '../src/socket-options.ts'

const libc = loadLibc()
const nothing = { onDatagram() {}, onError() {} }

describe.each([
  [4, '127.0.0.1', IPPROTO_IP, IP_RECVERR],
  [6, '::1', IPPROTO_IPV6, IPV6_RECVERR],
] as const)('RFC 7296 §2.4 (C-8) ICMP over IPv%i, which anyone can forge', (family, address, level, option) => {
  it('is told with its destination, and past a hundred in a second not heard for the next', async () => {
    const nowhere = await openUdp({ address, family, ...nothing })
    await nowhere.close()
    const { fd } = bindDescriptor(libc, { address, port: 0, family }, nothing)
    const remotes: string[] = []
    const queue = new ErrorQueue(libc, fd, family, (errno, remote) =>
      remotes.push(`${libc.errnoName(errno)} ${remote.address} ${remote.port}`),
    )
    const name = libc.encodeAddress(address, nowhere.local.port)
    // Each second call is answered with the error of the one before it.
    for (let i = 0; i < 8; i++) libc.sendto(fd, new Uint8Array(1), 0, 1, 0, name)
    queue.drain()
    expect(new Set(remotes)).toEqual(new Set([`ECONNREFUSED ${address} ${nowhere.local.port}`]))
    expect(libc.getsockopt(fd, level, option)).toBe(1)

    for (let i = 0; i < 400 && libc.getsockopt(fd, level, option) === 1; i++) {
      libc.sendto(fd, new Uint8Array(1), 0, 1, 0, name)
      queue.drain()
    }
    expect(libc.getsockopt(fd, level, option)).toBe(0)
    expect(remotes.length).toBeLessThan(220)
    libc.sendto(fd, new Uint8Array(1), 0, 1, 0, name)
    expect(queue.drain()).toBe(0)

    await new Promise((resolve) => setTimeout(resolve, 1_200))
    expect(libc.getsockopt(fd, level, option)).toBe(1)
    queue.close()
    libc.close(fd)
  })
})
