import { afterEach, describe, expect, it } from 'vitest'
import { Errno, loadLibc, loadTcpCalls, NativeError, PollEvent, PollSet, TcpOption } from '../src/index.ts'

const libc = loadLibc()
const calls = loadTcpCalls()
const opened: number[] = []
const tracked = (fd: number): number => {
  opened.push(fd)
  return fd
}
const readable = (fd: number): number => libc.poll(new PollSet([{ fd, events: PollEvent.POLLIN }]), 2_000)
const errnoOf = (body: () => unknown): string | undefined => {
  try {
    body()
  } catch (error) {
    if (error instanceof NativeError) return error.context.errno ?? error.code
    throw error
  }
  return undefined
}

afterEach(() => {
  for (const fd of opened.splice(0)) libc.close(fd)
})

function connected(address: string): { client: number; server: number; listener: number } {
  const listener = tracked(calls.listen({ address, port: 0, backlog: 8, reusePort: false }))
  const client = tracked(calls.connect(calls.localAddress(listener)))
  expect(readable(listener)).toBe(1)
  return { client, server: tracked(calls.accept(listener)), listener }
}

describe.each(['127.0.0.1', '::1'])('tcp(7) at %s', (address) => {
  it('connects, names both ends, carries octets, and tells FIN from RST', () => {
    const { client, server, listener } = connected(address)
    expect(calls.remoteAddress(client)).toEqual(calls.localAddress(listener))
    expect(calls.remoteAddress(server)).toEqual(calls.localAddress(client))
    expect(calls.localAddress(client).address).toBe(address)
    const buffer = new Uint8Array(16)
    expect(calls.receive(server, buffer, 0, 16)).toBe(-Errno.EAGAIN)
    expect(calls.send(client, Uint8Array.of(0, 1, 2, 3), 1, 3)).toBe(3)
    readable(server)
    expect([calls.peek(server, buffer, 0, 2), [...buffer.subarray(0, 2)]]).toEqual([2, [1, 2]])
    expect([calls.receive(server, buffer, 4, 12), [...buffer.subarray(4, 7)]]).toEqual([3, [1, 2, 3]])
    calls.shutdown(client)
    readable(server)
    expect(calls.receive(server, buffer, 0, 16)).toBe(0)
    calls.resetOnClose(server)
    libc.close(opened.splice(opened.indexOf(server), 1)[0])
    readable(client)
    expect(libc.errnoName(-calls.receive(client, buffer, 0, 16))).toBe('ECONNRESET')
  })

  it('a send that finds no room takes a part, then says EAGAIN', () => {
    const { client } = connected(address)
    const chunk = new Uint8Array(1_000_000)
    let sent = 0
    for (let taken = 0; taken >= 0; sent += Math.max(0, taken)) taken = calls.send(client, chunk, 0, chunk.length)
    expect(sent).toBeGreaterThan(0)
    expect(calls.send(client, chunk, 0, chunk.length)).toBe(-Errno.EAGAIN)
    // What the other end has not taken, or was not even sent.
    expect(calls.unsent(client)).toBeGreaterThan(0)
    expect(calls.unsent(client)).toBeLessThanOrEqual(sent)
  })
})

describe('what can go wrong', () => {
  it('a port nobody listens on: SO_ERROR says ECONNREFUSED, once', () => {
    const listener = calls.listen({ address: '127.0.0.1', port: 0, backlog: 1, reusePort: false })
    const nowhere = calls.localAddress(listener)
    libc.close(listener)
    const client = tracked(calls.connect(nowhere))
    libc.poll(new PollSet([{ fd: client, events: PollEvent.POLLOUT }]), 2_000)
    expect([libc.errnoName(calls.takeError(client)), calls.takeError(client)]).toEqual(['ECONNREFUSED', 0])
    expect(errnoOf(() => calls.remoteAddress(client))).toBe('ENOTCONN')
  })

  it('a port that is taken is EADDRINUSE, unless both ask for SO_REUSEPORT', () => {
    const listen = (port: number, reusePort: boolean): number =>
      tracked(calls.listen({ address: '127.0.0.1', port, backlog: 1, reusePort }))
    const alone = calls.localAddress(listen(0, false)).port
    expect(errnoOf(() => listen(alone, false))).toBe('EADDRINUSE')
    const shared = calls.localAddress(listen(0, true)).port
    expect(errnoOf(() => listen(shared, true))).toBeUndefined()
  })

  it('what is no address, and congestion control that the kernel does not have', () => {
    expect(errnoOf(() => calls.connect({ address: 'gateway.example', port: 1 }))).toBe('ARGUMENT')
    const { client } = connected('127.0.0.1')
    expect(errnoOf(() => calls.setCongestionControl(client, 'no-such'))).toBe('ENOENT')
  })
})

it('options are set where they belong', () => {
  const { client } = connected('127.0.0.1')
  for (const [option, value] of [
    [TcpOption.NODELAY, 1],
    [TcpOption.KEEPALIVE, 1],
    [TcpOption.KEEPIDLE, 77],
    [TcpOption.NOTSENT_LOWAT, 65_536],
    [TcpOption.RCVLOWAT, 12],
  ] as const) {
    calls.setOption(client, option, value)
    expect(libc.getsockopt(client, option[0], option[1])).toBe(value)
  }
  const { length } = calls.congestionControl(client)
  calls.setCongestionControl(client, 'reno')
  expect([length > 0, calls.congestionControl(client)]).toEqual([true, 'reno'])
})

describe.each([
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '::1'],
  ['::', '127.0.0.1'],
])('what a listener at %s is set to, those that it accepts by %s have', (at, by) => {
  it('RFC 2474 (T-SA-2): DSCP', () => {
    const prepare = (fd: number): void => calls.setDscp(fd, 46)
    const listener = tracked(calls.listen({ address: at, port: 0, backlog: 8, reusePort: false, prepare }))
    const client = tracked(calls.connect({ ...calls.localAddress(listener), address: by }, { prepare }))
    expect(readable(listener)).toBe(1)
    const server = tracked(calls.accept(listener))
    for (const fd of [client, server]) expect(calls.option(fd, by === '::1' ? TcpOption.TCLASS : TcpOption.TOS)).toBe(46 << 2)
  })

  it('buffers', () => {
    const granted: number[] = []
    const prepare = (fd: number): void => void granted.push(calls.setBuffer(fd, 'send', 70_000), calls.setBuffer(fd, 'receive', 90_000))
    const listener = tracked(calls.listen({ address: at, port: 0, backlog: 8, reusePort: false, prepare }))
    tracked(calls.connect({ ...calls.localAddress(listener), address: by }, { prepare }))
    expect(readable(listener)).toBe(1)
    const server = tracked(calls.accept(listener))
    expect(granted).toEqual([70_000, 90_000, 70_000, 90_000])
    expect([7, 8].map((option) => libc.getsockopt(server, 1, option) / 2)).toEqual([70_000, 90_000])
  })
})
