import { describe, expect, it } from 'vitest'
import { addressOf, Errno, loadLibc, MessageFlag, NAME_WORDS, nativeBuffer, OpenFlag, SocketMessages } from '../src/index.ts'

const libc = loadLibc()
const SOCK_DGRAM = 2
const SOL_UDP = 17
const UDP_SEGMENT = 103
const UDP_GRO = 104
const IPPROTO_IP = 0

function open(address: string): { fd: number; name: Uint8Array } {
  const fd = libc.socket(address.includes(':') ? 10 : 2, SOCK_DGRAM | OpenFlag.O_NONBLOCK, 0)
  libc.bind(fd, libc.encodeAddress(address, 0))
  return { fd, name: libc.getsockname(fd) }
}

/** Messages with one room of `length` octets each. */
function receiving(count: number, length: number): { messages: SocketMessages; bytes: Uint8Array } {
  const messages = new SocketMessages(count, count, 64)
  const { bytes, address } = nativeBuffer(count * length)
  for (let i = 0; i < count; i++) {
    messages.setVector(i, address + i * length, length)
    messages.setVectors(i, i, 1)
    messages.prepare(i)
  }
  return { messages, bytes }
}

describe.each(['127.0.0.1', '::1'])('sendmmsg and recvmmsg over %s', (address) => {
  it('carry several datagrams with one call, each gathered from several places, and tell where from', () => {
    const [left, right] = [open(address), open(address)]
    const data = Uint8Array.from({ length: 100 }, (_, i) => i)
    const sending = new SocketMessages(3, 6, 24)
    for (let i = 0; i < 3; i++) {
      sending.setVector(2 * i, addressOf(data) + 10 * i, 5)
      sending.setVector(2 * i + 1, addressOf(data) + 50, i)
      sending.setVectors(i, 2 * i, 2)
      sending.setName(i, addressOf(right.name), right.name.length)
      sending.clearControl(i)
    }
    expect(libc.sendmmsg(left.fd, sending.address, 3, MessageFlag.NOSIGNAL)).toBe(3)
    expect([0, 1, 2].map((i) => sending.length(i))).toEqual([5, 6, 7])

    const { messages, bytes } = receiving(8, 64)
    expect(libc.recvmmsg(right.fd, messages.address, 8, MessageFlag.DONTWAIT)).toBe(3)
    expect([0, 1, 2].map((i) => [...bytes.subarray(64 * i, 64 * i + messages.length(i))])).toEqual([
      [0, 1, 2, 3, 4],
      [10, 11, 12, 13, 14, 50],
      [20, 21, 22, 23, 24, 50, 51],
    ])
    const name = new Uint8Array(messages.names.slice(2 * NAME_WORDS, 3 * NAME_WORDS).buffer)
    expect(libc.decodeAddress(name)).toEqual(libc.decodeAddress(left.name))
    expect(libc.recvmmsg(right.fd, messages.address, 8, MessageFlag.DONTWAIT)).toBe(-Errno.EAGAIN)
    libc.close(left.fd)
    libc.close(right.fd)
  })

  it('UDP_SEGMENT and UDP_GRO: one message is many datagrams', () => {
    const [left, right, plain] = [open(address), open(address), open(address)]
    libc.setsockopt(right.fd, SOL_UDP, UDP_GRO, 1)
    expect([libc.getsockopt(left.fd, SOL_UDP, UDP_SEGMENT), libc.getsockopt(right.fd, SOL_UDP, UDP_GRO)]).toEqual([0, 1])
    const data = Uint8Array.from({ length: 1050 }, (_, i) => i)
    const sending = new SocketMessages(1, 1, 24)
    sending.setVector(0, addressOf(data), data.length)
    sending.setVectors(0, 0, 1)
    sending.setControl(0, SOL_UDP, UDP_SEGMENT, 100, 2)
    for (const { name } of [right, plain]) {
      sending.setName(0, addressOf(name), name.length)
      expect(libc.sendmmsg(left.fd, sending.address, 1, 0)).toBe(1)
    }
    const joined = receiving(4, 2000)
    expect(libc.recvmmsg(right.fd, joined.messages.address, 4, MessageFlag.DONTWAIT)).toBe(1)
    expect(joined.messages.length(0)).toBe(1050)
    expect(joined.messages.controlWords[joined.messages.findControl(0, SOL_UDP, UDP_GRO)]).toBe(100)
    expect(joined.messages.findControl(0, IPPROTO_IP, UDP_GRO)).toBe(-1)
    expect(joined.bytes.subarray(0, 1050)).toEqual(data)

    const apart = receiving(16, 100)
    expect(libc.recvmmsg(plain.fd, apart.messages.address, 16, MessageFlag.DONTWAIT)).toBe(11)
    expect(apart.messages.length(10)).toBe(50)
    expect(apart.messages.findControl(0, SOL_UDP, UDP_GRO)).toBe(-1)
    for (const { fd } of [left, right, plain]) libc.close(fd)
  })

  it('tell of octets and of control messages that were cut off', () => {
    const [left, right] = [open(address), open(address)]
    libc.sendto(left.fd, new Uint8Array(50), 0, 50, 0, right.name)
    const { messages } = receiving(1, 20)
    expect(libc.recvmmsg(right.fd, messages.address, 1, MessageFlag.DONTWAIT)).toBe(1)
    expect([messages.length(0), messages.flags(0) & MessageFlag.TRUNC]).toEqual([20, MessageFlag.TRUNC])
    libc.close(left.fd)
    libc.close(right.fd)
  })
})

describe('the error queue', () => {
  it('says what ICMP said of a datagram, and where that went', () => {
    const [left, gone] = [open('127.0.0.1'), open('127.0.0.1')]
    libc.setsockopt(left.fd, IPPROTO_IP, 11, 1) // IP_RECVERR
    libc.close(gone.fd)
    expect(libc.sendto(left.fd, Uint8Array.of(1, 2, 3), 0, 3, 0, gone.name)).toBe(3)
    const { messages, bytes } = receiving(2, 64)
    expect(libc.recvmmsg(left.fd, messages.address, 2, MessageFlag.DONTWAIT | MessageFlag.ERRQUEUE)).toBe(1)
    const error = messages.findControl(0, IPPROTO_IP, 11)
    expect(libc.errnoName(messages.controlWords[error])).toBe('ECONNREFUSED')
    expect(libc.decodeAddress(new Uint8Array(messages.names.slice(0, NAME_WORDS).buffer))).toEqual(libc.decodeAddress(gone.name))
    expect([...bytes.subarray(0, 3)]).toEqual([1, 2, 3])
    libc.close(left.fd)
  })
})

describe('socket addresses', () => {
  it.each(['192.0.2.1', '255.255.255.255', '2001:db8::1', '::', '::ffff:192.0.2.1', 'fe80::1%lo'])('%s and back', (address) => {
    expect(libc.decodeAddress(libc.encodeAddress(address, 54_321))).toEqual({ address, port: 54_321 })
  })

  it.each(['localhost', '192.0.2', 'fe80::1%no-such-if', ''])('%j is refused', (literal) => {
    expect(() => libc.encodeAddress(literal, 1)).toThrow(expect.objectContaining({ code: 'ARGUMENT' }))
  })

  it('the kernel chooses the source address of a connected socket', () => {
    const fd = libc.socket(2, SOCK_DGRAM, 0)
    libc.connect(fd, libc.encodeAddress('127.0.0.1', 9))
    expect(libc.decodeAddress(libc.getsockname(fd)).address).toBe('127.0.0.1')
    libc.close(fd)
    expect(() => libc.getsockname(fd)).toThrow(expect.objectContaining({ code: 'SYSTEM' }))
    expect(() => libc.getsockopt(fd, 1, 7)).toThrow(expect.objectContaining({ code: 'SYSTEM' }))
    expect(() => libc.connect(fd, new Uint8Array(16))).toThrow(expect.objectContaining({ code: 'SYSTEM' }))
  })
})
