import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { addressOf, Errno, keptAddresses, loadLibc, NativeError, nativeBuffer, OpenFlag, PollEvent, PollSet } from '../src/index.ts'

const libc = loadLibc()

function thrown(work: () => unknown): NativeError {
  try {
    work()
  } catch (error) {
    if (error instanceof NativeError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const text = (value: string): Uint8Array => Uint8Array.from(value, (letter) => letter.charCodeAt(0))

describe('files and pipes', () => {
  it('reads what was written, at offsets, and answers −EAGAIN when there is nothing', () => {
    const [readEnd, writeEnd] = libc.pipe()
    const buffer = new Uint8Array(32)
    expect(libc.read(readEnd, buffer, 0, 32)).toBe(-Errno.EAGAIN)
    expect(libc.write(writeEnd, text('..hello..'), 2, 5)).toBe(5)
    expect(libc.read(readEnd, buffer, 10, 22)).toBe(5)
    expect(buffer.subarray(9, 16)).toEqual(Uint8Array.of(0, ...text('hello'), 0))
    libc.close(writeEnd)
    expect(libc.read(readEnd, buffer, 0, 32)).toBe(0)
    libc.close(readEnd)
    expect(libc.read(readEnd, buffer, 0, 32)).toBe(-9)
    expect(libc.errnoName(9)).toBe('EBADF')
  })

  it('reads to addresses that are kept, and keeps none outside the buffer', () => {
    const [readEnd, writeEnd] = libc.pipe()
    const buffer = new Uint8Array(12)
    const addresses = keptAddresses(buffer, 2, 5, 2)
    expect(addresses).toEqual([addressOf(buffer) + 2, addressOf(buffer) + 7])
    expect(libc.readTo(readEnd, addresses[1] as number, 5)).toBe(-Errno.EAGAIN)
    libc.write(writeEnd, text('hello'), 0, 5)
    expect(libc.readTo(readEnd, addresses[1] as number, 5)).toBe(5)
    expect(buffer).toEqual(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, ...text('hello')))
    expect(thrown(() => keptAddresses(buffer, 2, 5, 3)).code).toBe('ARGUMENT')
    libc.close(readEnd)
    libc.close(writeEnd)
  })

  it('gathers a packet from several places with writev', () => {
    const [readEnd, writeEnd] = libc.pipe()
    const parts = [text('one '), text('two '), text('three')]
    const { bytes, address } = nativeBuffer(16 * parts.length)
    const vectors = new BigUint64Array(bytes.buffer)
    for (const [i, part] of parts.entries()) {
      vectors[2 * i] = BigInt(addressOf(part))
      vectors[2 * i + 1] = BigInt(part.length)
    }
    expect(libc.writev(writeEnd, address, 3)).toBe(13)
    const buffer = new Uint8Array(20)
    expect(libc.read(readEnd, buffer, 0, 20)).toBe(13)
    expect(String.fromCharCode(...buffer.subarray(0, 13))).toBe('one two three')
    libc.close(readEnd)
    libc.close(writeEnd)
  })

  it('refuses octets outside the buffer before the kernel sees an address', () => {
    const buffer = new Uint8Array(8)
    expect(thrown(() => libc.read(0, buffer, 4, 5)).code).toBe('ARGUMENT')
    expect(thrown(() => libc.write(1, buffer, -1, 2)).code).toBe('ARGUMENT')
    expect(thrown(() => libc.write(1, buffer, Number.NaN, 2)).code).toBe('ARGUMENT')
  })

  it('names the errno, the call and the subject of a failure', () => {
    const error = thrown(() => libc.open('/does/not/exist', OpenFlag.O_RDONLY))
    expect(error.code).toBe('SYSTEM')
    expect(error.context).toEqual({ call: 'open', errno: 'ENOENT', subject: '/does/not/exist' })
    expect(error.message).toBe('open(/does/not/exist): ENOENT, No such file or directory')
  })

  it('passes a structure to ioctl and reads what the kernel wrote (FIONREAD)', () => {
    const [readEnd, writeEnd] = libc.pipe()
    libc.write(writeEnd, new Uint8Array(77), 0, 77)
    const count = new Uint8Array(4)
    libc.ioctl(readEnd, 0x541b, count)
    expect(count[0]).toBe(77)
    libc.close(readEnd)
    libc.close(writeEnd)
  })
})

describe('sockets', () => {
  it('sends a datagram to itself', () => {
    const socket = libc.socket(2, 2 | OpenFlag.O_NONBLOCK, 0)
    libc.setsockopt(socket, 1, 2, 1) // SO_REUSEADDR
    const port = 20_000 + Math.floor(Math.random() * 20_000)
    const address = Uint8Array.of(2, 0, port >> 8, port & 0xff, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
    libc.bind(socket, address)
    expect(libc.sendto(socket, text('xdatagramx'), 1, 8, 0, address)).toBe(8)
    expect(libc.poll(new PollSet([{ fd: socket, events: PollEvent.POLLIN }]), 1000)).toBe(1)
    const buffer = new Uint8Array(100)
    expect(libc.read(socket, buffer, 0, 100)).toBe(8)
    expect(libc.read(socket, buffer, 0, 100)).toBe(-Errno.EAGAIN)
    expect(thrown(() => libc.bind(socket, address)).context.errno).toBe('EINVAL')
    libc.close(socket)
  })

  it('knows the interfaces of this network namespace', () => {
    expect(libc.ifNameToIndex('lo')).toBeGreaterThan(0)
    expect(libc.ifNameToIndex('no-such-if')).toBeUndefined()
  })
})

describe('poll', () => {
  it('reports which descriptor is ready', () => {
    const [readEnd, writeEnd] = libc.pipe()
    const set = new PollSet([
      { fd: readEnd, events: PollEvent.POLLIN },
      { fd: writeEnd, events: PollEvent.POLLOUT },
    ])
    expect(libc.poll(set, 0)).toBe(1)
    expect([set.ready(0), set.ready(1)]).toEqual([0, PollEvent.POLLOUT])
    libc.write(writeEnd, new Uint8Array(1), 0, 1)
    expect(libc.poll(set, 0)).toBe(2)
    expect(set.ready(0)).toBe(PollEvent.POLLIN)
    libc.close(writeEnd)
    libc.close(readEnd)
  })

  it('waits without blocking the thread', async () => {
    const fd = libc.eventfd()
    const set = new PollSet([{ fd, events: PollEvent.POLLIN }])
    let ticks = 0
    const timer = setInterval(() => ticks++, 5)
    const ready = new Promise<number>((resolve) => libc.pollAsync(set, 5000, resolve))
    setTimeout(() => libc.write(fd, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), 0, 8), 60)
    expect(await ready).toBe(1)
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(3)
    expect(set.ready(0)).toBe(PollEvent.POLLIN)
    libc.close(fd)
  })

  it('times out with 0', async () => {
    const fd = libc.eventfd()
    const set = new PollSet([{ fd, events: PollEvent.POLLIN }])
    expect(await new Promise<number>((resolve) => libc.pollAsync(set, 10, resolve))).toBe(0)
    libc.close(fd)
  })
})

describe('CPUs', () => {
  it('keeps this thread on those that it is told, until it is told others', () => {
    const before = libc.affinity()
    const last = before.at(-1)!
    libc.setAffinity([last])
    const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/thread-self/status', 'latin1'))?.[1]
    const meanwhile = libc.affinity()
    libc.setAffinity(before)
    expect({ list, meanwhile }).toEqual({ list: String(last), meanwhile: [last] })
    expect(libc.affinity()).toEqual(before)
  })

  it('throws where there is none of them', () => {
    expect(thrown(() => libc.setAffinity([1023]))).toMatchObject({
      code: 'SYSTEM',
      context: { call: 'sched_setaffinity', errno: 'EINVAL', subject: 'CPU 1023' },
    })
  })
})
