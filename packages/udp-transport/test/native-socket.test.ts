import { createSocket } from 'node:dgram'
import { Errno, type Libc, loadLibc, sharedReactor } from '@underpass/native'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { type Datagram, type Endpoint, openUdp, type PacketBatch, type UdpError, type UdpOptions, type UdpSocket } from '../src/index.ts'
import { bindDescriptor } from '../src/native-descriptor.ts'
import { NativeSocket } from '../src/native-socket.ts'

const open: { close(): unknown }[] = []

afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

it('what could not be sent while a socket that fails has its rest goes out afterwards', async () => {
  const right = await underpass()
  const libc: Libc = Object.create(loadLibc())
  let isBroken = true
  libc.recvmmsg = (...how) => (isBroken ? -Errno.EPERM : loadLibc().recvmmsg(...how))
  libc.sendmmsg = (...how) => (isBroken ? -Errno.EAGAIN : loadLibc().sendmmsg(...how))
  const where = { address: LOOPBACK, port: 0, family: 4 } as const
  const errors: UdpError[] = []
  const options: UdpOptions = { ...where, onDatagram: () => {}, onError: (error) => void errors.push(error) }
  const left = new NativeSocket(libc, sharedReactor(), bindDescriptor(libc, where, options), 4, options)
  open.push(left)
  right.socket.send('ike', IKE, left.local)
  await until(() => errors.length > 0)
  for (let i = 0; i < 3; i++) left.send('ike', IKE, right.socket.local)
  expect(right.log).toEqual([])
  isBroken = false
  await until(() => right.log.length === 3)
})

describe('many packets with one call', () => {
  it.each<[string, 4 | 6]>([
    ['127.0.0.1', 4],
    ['::1', 6],
  ])('%s: any mix of lengths arrives octet for octet and in order, cut by the kernel and joined by it', async (address, family) => {
    const left = await underpass({ address, family })
    const right = await underpass({ address, family })
    await fc.assert(
      fc.asyncProperty(LENGTHS, fc.nat(40), fc.integer({ min: 1, max: 0x7fff_ffff }), async (lengths, gap, seed) => {
        const batch = batchOf(lengths, gap, seed)
        const expected = packetsOf(batch)
        left.socket.sendBatch(batch, right.socket.local)
        batch.buffer.fill(0)
        await until(() => right.esp.length === expected.length)
        const received = right.esp.splice(0)
        for (const [i, packet] of received.entries()) if (!isEqual(packet, expected[i])) expect(packet).toEqual(expected[i])
      }),
      { numRuns: 60 },
    )
    expect(left.socket.counters).toMatchObject({ sendDrops: 0, errors: 0, sent: right.socket.counters.received })
    expect(right.remotes.size).toBe(1)
    expect([...right.remotes]).toEqual([left.socket.local])
  })

  it('hands over hundreds of packets in a few batches, straight from few system calls', async () => {
    const left = await underpass()
    const right = await underpass()
    left.socket.sendBatch(batchOf(new Array(460).fill(1400), 0, 7), right.socket.local)
    await until(() => right.esp.length === 460)
    expect(right.batches).toBeLessThan(20)
  })

  it('RFC 3948 §2 (U-1): IKE, keepalives and ESP stay in order, and what is malformed is counted', async () => {
    const right = await underpass()
    const left = await raw()
    const datagrams = [[1, 1, 1, 1], [1, 1, 1, 2], [0xff], [1, 1, 1, 3], [0, 0, 0, 0, ...IKE], [1, 2], [1, 1, 1, 4], [], [1, 1, 1, 5]]
    for (const octets of datagrams) left.send(Uint8Array.from(octets), right.socket.local)
    await until(() => right.log.at(-1) === 'esp 5')
    expect(right.log).toEqual(['esp 1', 'esp 2', 'keepalive', 'esp 3', 'ike', 'esp 4', 'esp 5'])
    expect(right.socket.counters).toMatchObject({ received: 7, malformed: 2 })
  })

  it('without onEspBatch each packet goes to onDatagram, and belongs to it', async () => {
    const kept: [Datagram, Uint8Array][] = []
    const right = await openUdp({
      address: LOOPBACK,
      onDatagram: (message, kind) => void kept.push([kind, message]),
      onError: () => {},
    })
    open.push(right)
    const left = await underpass()
    const batch = batchOf([30, 30, 20, 40], 3, 5)
    const expected = packetsOf(batch)
    left.socket.sendBatch(batch, right.local)
    await until(() => kept.length === 4)
    left.socket.sendBatch(batchOf([30, 30, 20, 40], 3, 99), right.local)
    await until(() => kept.length === 8)
    expect(kept.slice(0, 4)).toEqual(expected.map((packet) => ['esp', packet]))
  })

  it('an endpoint is one object while a peer goes on sending, also between packets of others', async () => {
    const right = await underpass()
    const peers = [await raw(), await raw(), await raw()]
    for (let i = 0; i < 30; i++) peers[i % 3].send(Uint8Array.of(1, 1, 1, i), right.socket.local)
    await until(() => right.esp.length === 30)
    expect(right.remotes.size).toBe(3)
  })

  it('a batch that is not inside its buffer is refused before the kernel sees an address', async () => {
    const { socket } = await underpass()
    const batch = { buffer: new Uint8Array(10), offsets: Uint32Array.of(5), lengths: Uint32Array.of(6), count: 1 }
    expect(() => socket.sendBatch(batch, socket.local)).toThrow(RangeError)
    expect(() => socket.sendBatch({ ...batch, lengths: Uint32Array.of(5), count: 2 }, socket.local)).toThrow(RangeError)
  })

  it('can be closed by the functions it calls', async () => {
    const left = await underpass()
    let calls = 0
    const right: UdpSocket = await openUdp({
      address: LOOPBACK,
      onDatagram: () => {
        calls++
        void right.close()
      },
      onError: () => {},
    })
    left.socket.sendBatch(batchOf(new Array(50).fill(100), 0, 1), right.local)
    await until(() => calls > 0)
    await turn()
    expect(calls).toBe(1)
    // The port is free.
    await underpass({ port: right.local.port })
  })
})

describe('RFC 7296 §2.4 (C-8): what ICMP says is a hint', () => {
  it('names the peer that refused, once a second for each', async () => {
    const { socket, errors } = await underpass()
    const gone = [await closedPort(), await closedPort()]
    for (let i = 0; i < 3; i++) {
      for (const each of gone) socket.send('ike', IKE, each)
      await turn()
    }
    await until(() => errors.length >= 2)
    expect(errors.map(({ code, context }) => [code, context.port, context.address, context.systemCode])).toEqual(
      gone.map(({ port }) => ['REFUSED', port, LOOPBACK, 'ECONNREFUSED']),
    )
    expect(errors[0].message).toBe(`${LOOPBACK}:${gone[0].port}: ECONNREFUSED, Connection refused`)
    expect(socket.counters.errors).toBeGreaterThanOrEqual(4)
  })

  it('is not taken for the result of a later send, which arrives', async () => {
    const { socket } = await underpass()
    const peer = await underpass()
    const gone = await closedPort()
    for (let i = 0; i < 20; i++) {
      // Loopback answers before the call returns: the error is pending now.
      socket.send('ike', IKE, gone)
      socket.send('esp', Uint8Array.of(1, 1, 1, i), peer.socket.local)
      socket.send('ike', IKE, gone)
      socket.sendBatch(batchOf([100, 100, 50], 0, i + 1), peer.socket.local)
    }
    await until(() => peer.esp.length === 80)
    expect(socket.counters).toMatchObject({ sent: 120, sendDrops: 0 })
  })
})

describe('errors of a send', () => {
  it('may be answered by sending, to somebody else', async () => {
    const other = await underpass()
    const left: UdpSocket = await openUdp({
      address: LOOPBACK,
      onDatagram: () => {},
      onError: ({ code }) => {
        if (code === 'MESSAGE_TOO_LONG') left.send('esp', Uint8Array.of(1, 1, 1, 200), other.socket.local)
      },
    })
    open.push(left)
    const right = await underpass()
    left.sendBatch(batchOf([100, 65_508, 100, 100], 0, 3), right.socket.local)
    await until(() => right.esp.length === 3 && other.esp.length === 1)
    expect(other.log).toEqual(['esp 200'])
    expect(left.counters).toMatchObject({ sent: 4, errors: 1 })
  })

  it('a destination of port 0 is refused', async () => {
    const { socket, errors } = await underpass()
    socket.sendBatch(batchOf([100, 100], 0, 3), { address: LOOPBACK, port: 0 })
    expect(errors.map(({ code }) => code)).toEqual(['BAD_ADDRESS'])
  })
})

const LOOPBACK = '127.0.0.1'
const IKE = Uint8Array.from({ length: 40 }, (_, i) => 0x80 + i)

/** Runs of one length, with others between them: what makes and breaks segments. At most what a socket's buffer takes at once. */
const LENGTHS = fc
  .array(
    fc.tuple(
      fc.oneof(fc.integer({ min: 5, max: 1500 }), fc.constantFrom(5, 64, 1400, 1452), fc.integer({ min: 5, max: 20_000 })),
      fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constantFrom(63, 64, 65, 130)),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((runs) => {
    const lengths = runs.flatMap(([length, count]) => new Array<number>(count).fill(length))
    let octets = 0
    return lengths.filter((length) => {
      octets += length
      return octets < 600_000
    })
  })

/** Packets of pseudo-random octets, `gap` octets apart; none is a keepalive, and none begins with zeros. */
function batchOf(lengths: readonly number[], gap: number, seed: number): PacketBatch {
  const buffer = new Uint8Array(lengths.reduce((sum, length) => sum + length + gap, 0))
  const batch = { buffer, offsets: new Uint32Array(lengths.length), lengths: Uint32Array.from(lengths), count: lengths.length }
  let state = seed
  let at = 0
  for (const [i, length] of lengths.entries()) {
    batch.offsets[i] = at
    for (let end = at + length; at < end; at++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      buffer[at] = state >>> 16
    }
    buffer[batch.offsets[i]] |= 1
    at += gap
  }
  return batch
}

function packetsOf({ buffer, offsets, lengths, count }: PacketBatch): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => buffer.slice(offsets[i], offsets[i] + lengths[i]))
}

function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((octet, i) => octet === right[i])
}

async function underpass(options: Partial<UdpOptions> = {}) {
  const esp: Uint8Array[] = []
  const log: string[] = []
  const remotes = new Set<Endpoint>()
  const errors: UdpError[] = []
  const opened = { esp, log, remotes, errors, batches: 0 }
  const socket = await openUdp({
    address: LOOPBACK,
    ...options,
    onDatagram: (_, kind) => void log.push(kind),
    onEspBatch: (batch, remote) => {
      opened.batches++
      remotes.add(remote)
      for (const packet of packetsOf(batch)) {
        esp.push(packet)
        log.push(`esp ${packet[3]}`)
      }
    },
    onError: (error) => void errors.push(error),
  })
  open.push(socket)
  expect(socket.kind).toBe('native')
  return Object.assign(opened, { socket })
}

async function raw(): Promise<{ send(octets: Uint8Array, to: Endpoint): void }> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, LOOPBACK, resolve))
  open.push({ close: () => new Promise<void>((resolve) => void socket.close(() => resolve())) })
  // One after the other: not every runtime keeps the order.
  let last = Promise.resolve()
  return {
    send(octets, to) {
      last = last.then(() => new Promise((resolve) => socket.send(octets, to.port, to.address, () => resolve())))
    },
  }
}

async function closedPort(): Promise<Endpoint> {
  const { socket } = await underpass()
  await socket.close()
  return socket.local
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 2000) throw new Error('nothing came')
    await turn(1)
  }
}

function turn(milliseconds = 10): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
