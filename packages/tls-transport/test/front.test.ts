import { connect as dialTcp, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { socketOf } from '../src/native-front.ts'
import { nativeSockets } from '../src/native-sockets.ts'
import {
  CLIENT_TLS,
  closeAll,
  dial,
  failureOf,
  LOOPBACK,
  SERVER_TLS,
  type Served,
  SOCKETS,
  serve,
  turn,
  until,
  useSockets,
} from './streams.ts'

const raw: Socket[] = []

afterEach(async () => {
  for (const socket of raw.splice(0)) socket.destroy()
  await closeAll()
})

const text = (line: string): Uint8Array => new TextEncoder().encode(line)
const HEADER = text('PROXY TCP4 192.0.2.7 198.51.100.2 5000 443\r\n')
const BINARY = Uint8Array.of(
  ...[0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0, 12],
  ...[192, 0, 2, 8, 198, 51, 100, 2, 0x13, 0x89, 0x01, 0xbb],
)
const fromLoopback = { expectsProxyHeader: (address: string): boolean => address === LOOPBACK }

/** What a connection is told, and whether it was closed. */
function spoken(
  port: number,
  ...parts: Uint8Array[]
): { socket: Socket; heard: number[]; isClosed: () => boolean; localPort: () => number | undefined } {
  const heard: number[] = []
  let isClosed = false
  let localPort: number | undefined
  const socket = dialTcp(port, LOOPBACK)
  raw.push(socket)
  socket.setNoDelay(true)
  socket.once('connect', () => {
    localPort = socket.localPort
  })
  socket.on('data', (bytes: Uint8Array) => heard.push(...bytes))
  socket.on('error', () => {})
  socket.on('close', () => {
    isClosed = true
  })
  void (async () => {
    for (const part of parts) {
      await new Promise<void>((resolve) => void socket.write(part, () => resolve()))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  })()
  return { socket, heard, isClosed: () => isClosed, localPort: () => localPort }
}

const octets = (bytes: Uint8Array): Uint8Array[] => [...bytes].map((octet) => Uint8Array.of(octet))
const saidTo = ({ accepted }: Served, at = 0): string => String.fromCharCode(...(accepted[at]?.seen.data ?? []))

describe.each(SOCKETS)('a port of TLS and plain streams, %s sockets', (sockets) => {
  beforeEach(() => useSockets(sockets))

  it('RFC 9329 App. A (T-TLS-1): told apart by the first octet, both ways', async () => {
    const served = await serve({ tls: SERVER_TLS, alsoPlain: true })
    const { port } = served.listener.local
    const secure = await dial(port, { tls: CLIENT_TLS })
    const plain = await dial(port)
    secure.stream.write(text('IKETCP in TLS'))
    await until(() => saidTo(served) === 'IKETCP in TLS')
    plain.stream.write(text('IKETCP'))
    await until(() => saidTo(served, 1) === 'IKETCP')
    expect(served.accepted.map(({ stream }) => stream.tls?.protocol)).toEqual(['TLSv1.3', undefined])
    expect(served.accepted.map(({ stream }) => stream.remote)).toEqual([secure.stream.local, plain.stream.local])
    served.accepted[0]?.stream.write(new Uint8Array(300_000).fill(3))
    served.accepted[1]?.stream.write(new Uint8Array(200_000).fill(4))
    await until(() => secure.seen.octets === 300_000 && plain.seen.octets === 200_000)
    expect(served.listener.connections).toBe(2)
    secure.stream.end()
    plain.stream.end()
    await until(() => served.listener.connections === 0)
  })

  it('what begins with neither is a plain stream, for whoever reads it to refuse', async () => {
    const served = await serve({ tls: SERVER_TLS, alsoPlain: true })
    spoken(served.listener.local.port, text('GET / HTTP/1.1\r\n\r\n'))
    await until(() => saidTo(served).startsWith('GET / '))
    expect(served.accepted[0]?.stream.tls).toBe(undefined)
  })

  it('what begins as TLS does and is none is a failed handshake, with its address', async () => {
    const served = await serve({ tls: SERVER_TLS, alsoPlain: true })
    const { localPort, isClosed } = spoken(served.listener.local.port, Uint8Array.of(0x16), text('not TLS at all, and a good deal of it'))
    await until(() => served.errors.length > 0)
    expect(served.errors[0]).toMatchObject({ code: 'TLS_HANDSHAKE', context: { host: LOOPBACK, port: localPort() } })
    // One line, in words.
    expect(served.errors[0]?.message).toMatch(/^no TLS with 127\.0\.0\.1:\d+: (?!.*(?:error:|\.c:))[^\n]+$/)
    await until(isClosed)
    expect([served.accepted.length, served.listener.connections]).toEqual([0, 0])
  })

  it('who says nothing is nobody’s, and closing the listener closes it', async () => {
    const served = await serve({ tls: SERVER_TLS, alsoPlain: true })
    const { isClosed, socket } = spoken(served.listener.local.port)
    await until(() => socket.readyState === 'open')
    const { socket: half, isClosed: isHalfClosed } = spoken(served.listener.local.port, Uint8Array.of(0x16, 3, 1))
    await until(() => half.bytesWritten === 3)
    await dial(served.listener.local.port, { tls: CLIENT_TLS })
    await until(() => served.accepted.length === 1)
    await served.listener.close()
    await until(() => isClosed() && isHalfClosed())
    expect(served.errors).toEqual([])
  })
})

describe.each(SOCKETS)('the PROXY protocol, %s sockets', (sockets) => {
  beforeEach(() => useSockets(sockets))

  it.each([
    ['version 1', HEADER, { address: '192.0.2.7', port: 5000 }],
    ['version 2', BINARY, { address: '192.0.2.8', port: 5001 }],
  ])('%s: the stream is from whom the header says, whole or octet by octet', async (_, header, remote) => {
    const served = await serve(fromLoopback)
    const { port } = served.listener.local
    const whole = spoken(port, Uint8Array.of(...header, ...text('IKETCP')))
    await until(() => saidTo(served) === 'IKETCP')
    spoken(port, ...octets(header), text('IKETCP'))
    await until(() => saidTo(served, 1) === 'IKETCP')
    for (const { stream } of served.accepted) {
      expect(stream.remote).toEqual(remote)
      expect(stream.local).toEqual({ address: '198.51.100.2', port: 443 })
    }
    served.accepted[0]?.stream.write(Uint8Array.of(1, 2))
    await until(() => whole.heard.length === 2)
    served.accepted[0]?.stream.end()
    await until(whole.isClosed)
  })

  it.each([false, true])('before TLS, beside plain streams: %s', async (alsoPlain) => {
    const served = await serve({ ...fromLoopback, tls: SERVER_TLS, alsoPlain })
    const { dialThrough } = await relayWith(served.listener.local.port, BINARY)
    const { stream, seen } = await dialThrough({ tls: CLIENT_TLS })
    stream.write(text('IKETCP'))
    await until(() => saidTo(served) === 'IKETCP')
    expect(served.accepted[0]?.stream.remote).toEqual({ address: '192.0.2.8', port: 5001 })
    expect(served.accepted[0]?.stream.tls?.protocol).toBe('TLSv1.3')
    served.accepted[0]?.stream.write(new Uint8Array(200_000).fill(9))
    await until(() => seen.octets === 200_000)
    if (!alsoPlain) return
    spoken(served.listener.local.port, Uint8Array.of(...HEADER, ...text('IKETCP plain')))
    await until(() => saidTo(served, 1) === 'IKETCP plain')
    expect(served.accepted[1]?.stream.remote).toEqual({ address: '192.0.2.7', port: 5000 })
  })

  it('a proxy that speaks for itself has its own address', async () => {
    const served = await serve(fromLoopback)
    const { socket } = spoken(served.listener.local.port, text('PROXY UNKNOWN\r\nIKETCP'))
    await until(() => saidTo(served) === 'IKETCP')
    expect(served.accepted[0]?.stream.remote).toEqual({ address: LOOPBACK, port: socket.localPort })
  })

  it.each([
    ['no header', text('IKETCP'), 'octet 0'],
    ['a malformed header', text('PROXY TCP4 192.0.2.7\r\n'), '1 fields'],
    ['another version', Uint8Array.of(...BINARY.slice(0, 12), 0x31, ...BINARY.slice(13)), 'version 3'],
  ])('%s is refused without a word, and said once', async (_, sent, why) => {
    const served = await serve({ ...fromLoopback, tls: SERVER_TLS, alsoPlain: true })
    const { heard, isClosed } = spoken(served.listener.local.port, sent)
    await until(isClosed)
    expect(heard).toEqual([])
    expect(served.accepted.length).toBe(0)
    expect(served.errors.length).toBe(1)
    expect(served.errors[0]).toMatchObject({ code: 'PROXY_HEADER', context: { host: LOOPBACK } })
    expect(served.errors[0]?.message).toContain(why)
    expect(served.listener.connections).toBe(0)
  })

  it('RFC 9329 §10: a relay brings many at once, whose headers come later', async () => {
    const served = await serve(fromLoopback)
    const many = Array.from({ length: 100 }, () => spoken(served.listener.local.port))
    await until(() => many.every(({ localPort }) => localPort() !== undefined))
    for (const { socket } of many) socket.write(Uint8Array.of(...HEADER, ...text('IKETCP')))
    await until(() => served.accepted.filter(({ seen }) => seen.octets === 6).length === 100)
    expect(served.errors).toEqual([])
  })

  it.each([false, true])('RFC 4291 §2.5.4: a /64 is limited as one host, beside plain streams: %s', async (alsoPlain) => {
    const served = await serve({ ...fromLoopback, tls: SERVER_TLS, alsoPlain })
    const { port } = served.listener.local
    const of = (address: string): ReturnType<typeof spoken> => spoken(port, text(`PROXY TCP6 ${address} 2001:db8::1 5000 443\r\n`))
    const many = Array.from({ length: 70 }, (_, i) => of(`2001:db8:1:2:${(i + 1).toString(16)}::${(i + 1).toString(16)}`))
    await until(() => many.filter(({ isClosed }) => isClosed()).length === 6)
    const elsewhere = of('2001:db8:1:3::1')
    await until(() => elsewhere.socket.bytesWritten > 0)
    for (let i = 0; i < 20; i++) await turn()
    expect(elsewhere.isClosed()).toBe(false)
    expect(many.filter(({ isClosed }) => isClosed()).length).toBe(6)
  })

  it('who leaves in the middle of a header is told of', async () => {
    const served = await serve(fromLoopback)
    const { socket } = spoken(served.listener.local.port, HEADER.subarray(0, 20))
    await until(() => socket.bytesWritten === 20)
    socket.end()
    await until(() => served.errors.length === 1)
    expect(served.errors[0]?.code).toBe('PROXY_HEADER')
    expect(served.accepted.every(({ stream }) => stream.remote.address !== '192.0.2.7')).toBe(true)
  })

  it('from an address that is not listed a header is nothing but strange octets', async () => {
    const served = await serve({ expectsProxyHeader: () => false })
    const { socket } = spoken(served.listener.local.port, Uint8Array.of(...HEADER, ...text('IKETCP')))
    await until(() => saidTo(served).startsWith('PROXY TCP4'))
    expect(served.accepted[0]?.stream.remote).toEqual({ address: LOOPBACK, port: socket.localPort })
  })

  it('a failed handshake is of whom the header says', async () => {
    const served = await serve({ ...fromLoopback, tls: { ...SERVER_TLS, minVersion: 'TLSv1.3' } })
    const { dialThrough } = await relayWith(served.listener.local.port, BINARY)
    const failure = await failureOf(dialThrough({ tls: { ...CLIENT_TLS, maxVersion: 'TLSv1.2' } }))
    expect(failure.code).toBe('TLS_HANDSHAKE')
    await until(() => served.errors.length > 0)
    expect(served.errors[0]).toMatchObject({ code: 'TLS_HANDSHAKE', context: { host: '192.0.2.8', port: 5001 } })
  })
})

// Descriptors are handed over between threads by native sockets alone; CI has them on all three runtimes.
describe.skipIf(!SOCKETS.includes('auto'))('RFC 9329 §6.1: connections for another thread', () => {
  it.each([
    ['PROXY UNKNOWN', text('PROXY UNKNOWN\r\n')],
    ['LOCAL', Uint8Array.of(...BINARY.slice(0, 12), 0x20, 0, 0, 0)],
  ])('a connection of a proxy for itself (%s) goes there with its own ends, whole', async (_, header) => {
    useSockets('auto')
    const other = await serve(fromLoopback)
    const first = await serve({
      ...fromLoopback,
      firstLook: {
        milliseconds: 5_000,
        decide: (start) => (start.length < 6 ? 6 : (descriptor, origin) => other.listener.adopt!(descriptor, origin)),
      },
    })
    const { port } = first.listener.local
    const { socket } = spoken(port, Uint8Array.of(...header, ...text('IKETCP')))
    await until(() => saidTo(other) === 'IKETCP')
    expect(other.accepted[0]?.stream.remote).toEqual({ address: LOOPBACK, port: socket.localPort })
    expect(other.accepted[0]?.stream.local).toEqual({ address: LOOPBACK, port })
    expect([first.accepted.length, first.errors, other.errors]).toEqual([0, [], []])
  })

  it('whose descriptor a connection is does not depend on whether its peer is still there', async () => {
    const sockets = nativeSockets()
    if (!('calls' in sockets)) return
    const { calls } = sockets
    const listener = calls.listen({ address: LOOPBACK, port: 0, backlog: 5, reusePort: false, prepare() {} })
    const { port } = calls.localAddress(listener)
    const accepted = async (isReset: boolean): Promise<number> => {
      const { socket } = spoken(port)
      let descriptor = -1
      await until(() => {
        descriptor = calls.accept(listener)
        return descriptor >= 0
      })
      if (!isReset) return descriptor
      socket.resetAndDestroy()
      const isGone = (): boolean => {
        try {
          calls.remoteAddress(descriptor)
          return false
        } catch {
          return true
        }
      }
      await until(isGone)
      return descriptor
    }
    const taken: boolean[] = []
    for (const isReset of [false, true, false]) {
      const descriptor = await accepted(isReset)
      const socket = socketOf(descriptor)
      taken.push(socket !== undefined)
      if (socket === undefined) sockets.close(descriptor)
      else socket.on('error', () => {}).destroy()
    }
    sockets.close(listener)
    expect(taken).toEqual(Array.from({ length: 3 }, () => !('Bun' in globalThis)))
  })
})

/** A proxy of a few lines: it says the header, and then what it hears. */
async function relayWith(port: number, header: Uint8Array): Promise<{ dialThrough: (options: object) => ReturnType<typeof dial> }> {
  const { createServer } = await import('node:net')
  const server = createServer((inside) => {
    const outside = dialTcp(port, LOOPBACK)
    raw.push(inside, outside)
    outside.write(header)
    inside.on('error', () => outside.destroy()).on('close', () => outside.destroy())
    outside.on('error', () => inside.destroy()).on('close', () => inside.destroy())
    inside.pipe(outside)
    outside.pipe(inside)
  })
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve))
  server.unref()
  const address = server.address()
  return { dialThrough: (options) => dial(typeof address === 'object' && address !== null ? address.port : 0, options) }
}
