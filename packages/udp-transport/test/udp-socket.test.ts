import { createSocket, type Socket } from 'node:dgram'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Datagram, type Endpoint, openUdp, UdpError, type UdpOptions, type UdpSocket, type UdpSocketKind } from '../src/index.ts'
import { bindError, sendError } from '../src/udp-error.ts'

const LOOPBACK = '127.0.0.1'
const open: { close(): unknown }[] = []

afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

let chosen: UdpSocketKind = 'native'

describe.each<UdpSocketKind>(['native', 'dgram'])('a %s socket', (kind) => {
  beforeEach(() => {
    chosen = kind
  })

  it('is what was asked for', async () => {
    const { socket } = await underpass()
    expect([socket.kind, socket.fallbackReason]).toEqual([kind, undefined])
    for (const octets of [socket.buffers.receive, socket.buffers.send]) if (octets !== undefined) expect(octets).toBeGreaterThan(0)
  })

  describe('RFC 3948 §2 on the wire', () => {
    it('RFC 3948 §2.2 (U-1): IKE leaves with the marker, ESP as it is, a keepalive as one 0xFF', async () => {
      const { socket } = await underpass()
      const peer = await raw()
      socket.send('ike', IKE, peer.endpoint)
      socket.send('esp', ESP, peer.endpoint)
      socket.send('keepalive', new Uint8Array(0), peer.endpoint)
      expect(await peer.receive(3)).toEqual([[0, 0, 0, 0, ...IKE], [...ESP], [0xff]])
    })

    it('RFC 3948 §2 (U-1): the three come back as what they were, from the port they were sent from', async () => {
      const left = await underpass()
      const right = await underpass()
      left.socket.send('ike', IKE, right.socket.local)
      left.socket.send('esp', ESP, right.socket.local)
      left.socket.send('keepalive', new Uint8Array(0), right.socket.local)
      expect(await right.receive(3)).toEqual([
        ['ike', [...IKE], left.socket.local],
        ['esp', [...ESP], left.socket.local],
        ['keepalive', [0xff], left.socket.local],
      ])
      expect(right.socket.counters).toMatchObject({ received: 3, malformed: 0 })
    })

    it('RFC 7296 §2.23 (C-21): the answer goes to the port the request came from', async () => {
      const { socket, receive } = await underpass()
      const peer = await raw()
      peer.send([0, 0, 0, 0, ...IKE], socket.local)
      const [[, , remote]] = await receive(1)
      socket.send('ike', IKE, remote)
      expect(await peer.receive(1)).toEqual([[0, 0, 0, 0, ...IKE]])
    })

    it('RFC 7296 §2.23: no marker when either port is 500; where 500 is not ours to open, the error says so', async () => {
      const address = '127.0.5.0'
      try {
        const five = await underpass({ address, port: 500 })
        const peer = await underpass()
        peer.socket.send('ike', IKE, five.socket.local)
        expect(await five.receive(1)).toEqual([['ike', [...IKE], peer.socket.local]])
        five.socket.send('ike', IKE, peer.socket.local)
        expect(await peer.receive(1)).toEqual([['ike', [...IKE], five.socket.local]])
        const bare = await raw()
        five.socket.send('ike', IKE, bare.endpoint)
        expect(await bare.receive(1)).toEqual([[...IKE]])
        five.socket.send('esp', ESP, bare.endpoint)
        expect(five.errors.map((error) => error.code)).toEqual(['BAD_ADDRESS'])
      } catch (error) {
        if (!(error instanceof UdpError)) throw error
        expect(['PERMISSION_DENIED', 'ADDRESS_IN_USE']).toContain(error.code)
      }
    })

    it('what is too short is dropped and counted', async () => {
      const { socket, receive } = await underpass()
      const peer = await raw()
      for (const octets of [[1, 2], [0, 0, 0, 0, 1], [...ESP]]) peer.send(octets, socket.local)
      expect((await receive(1)).map(([kind]) => kind)).toEqual(['esp'])
      expect(socket.counters.malformed).toBe(2)
    })

    it('messages are plain Uint8Arrays, so that slice copies', async () => {
      const kept: Uint8Array[] = []
      const socket = await openUdp({ address: LOOPBACK, kind, onDatagram: (message) => kept.push(message), onError: () => {} })
      open.push(socket)
      const peer = await raw()
      peer.send([...ESP], socket.local)
      await until(() => kept.length === 1)
      expect(Object.getPrototypeOf(kept[0])).toBe(Uint8Array.prototype)
    })
  })

  describe('batches', () => {
    it('sendBatch is done with the buffer when it returns', async () => {
      const { socket } = await underpass()
      const peer = await raw()
      const buffer = new Uint8Array(4096)
      const batch = { buffer, offsets: Uint32Array.of(10, 100, 2000), lengths: Uint32Array.of(20, 1400, 9), count: 3 }
      for (let i = 0; i < 3; i++) buffer.fill(i + 1, batch.offsets[i], batch.offsets[i] + batch.lengths[i])
      socket.sendBatch(batch, peer.endpoint)
      buffer.fill(0xee)
      const received = await peer.receive(3)
      expect(received.map((octets) => [octets.length, octets.every((octet) => octet === octets[0]), octets[0]])).toEqual([
        [20, true, 1],
        [1400, true, 2],
        [9, true, 3],
      ])
    })

    it('a burst arrives in the order of the calls', async () => {
      const { socket } = await underpass()
      const peer = await raw()
      for (let i = 0; i < 30; i++) socket.send('esp', Uint8Array.of(1, 1, 1, i), peer.endpoint)
      expect((await peer.receive(30)).map((octets) => octets[3])).toEqual(Array.from({ length: 30 }, (_, i) => i))
    })

    it('thousands of packets through reused buffers arrive unmixed', async () => {
      const left = await underpass()
      const right = await underpass({ receiveBuffer: 1 << 20 })
      const buffer = new Uint8Array(64 * 1400)
      const batch = { buffer, offsets: new Uint32Array(64), lengths: new Uint32Array(64).fill(1400), count: 64 }
      for (let round = 0; round < 40; round++) {
        for (let i = 0; i < 64; i++) {
          batch.offsets[i] = i * 1400
          buffer.fill(((round * 64 + i) % 255) | 1, i * 1400, (i + 1) * 1400)
        }
        left.socket.sendBatch(batch, right.socket.local)
        buffer.fill(0)
        await turn()
      }
      await until(() => left.socket.counters.sent + left.socket.counters.sendDrops === 40 * 64)
      await turn()
      expect(right.received.length).toBeGreaterThan(100)
      for (const [, octets] of right.received) {
        if (octets[0] === 0 || octets.some((octet) => octet !== octets[0])) expect.unreachable('mixed octets')
      }
    })
  })

  describe('errors', () => {
    it('a port that is taken is ADDRESS_IN_USE and names it', async () => {
      const { socket } = await underpass()
      const failure = await failureOf(openUdp({ ...SILENT, kind, address: LOOPBACK, port: socket.local.port }))
      expect(failure.code).toBe('ADDRESS_IN_USE')
      expect(failure.message).toContain(`${LOOPBACK}:${socket.local.port}`)
      expect(failure.context).toMatchObject({ port: socket.local.port, systemCode: 'EADDRINUSE' })
    })

    it('a port below 1024 without the right to it says what is needed', () => {
      const error = bindError(Object.assign(new Error('bind EACCES'), { code: 'EACCES' }), '0.0.0.0', 500)
      expect(error.code).toBe('PERMISSION_DENIED')
      expect(error.message).toContain('port 500 needs root or CAP_NET_BIND_SERVICE; ')
    })

    it('an address of no interface, and of the other family', async () => {
      const failure = await failureOf(openUdp({ ...SILENT, kind, address: '203.0.113.7' }))
      expect(['ADDRESS_NOT_AVAILABLE', 'SOCKET_ERROR']).toContain(failure.code)
      expect((await failureOf(openUdp({ ...SILENT, kind, address: '::1', family: 4 }))).code).toBe('BAD_ADDRESS')
      expect((await failureOf(openUdp({ ...SILENT, kind, address: 'localhost' }))).code).toBe('BAD_ADDRESS')
    })

    it('RFC 7296 §2.4 (C-8): a port that refuses is no death; the socket goes on', async () => {
      const { socket } = await underpass()
      const closed = await raw()
      await closed.close()
      for (let i = 0; i < 3; i++) {
        socket.send('ike', IKE, closed.endpoint)
        await turn()
      }
      const peer = await raw()
      socket.send('esp', ESP, peer.endpoint)
      expect(await peer.receive(1)).toEqual([[...ESP]])
    })

    it.each([
      ['ECONNREFUSED', 'REFUSED'],
      ['EHOSTUNREACH', 'UNREACHABLE'],
      ['ENETUNREACH', 'UNREACHABLE'],
      ['EMSGSIZE', 'MESSAGE_TOO_LONG'],
      ['EPERM', 'PERMISSION_DENIED'],
      ['UNKNOWN', 'SOCKET_ERROR'],
    ])('RFC 7296 §2.4 (C-8): %s is the hint %s', (systemCode, code) => {
      expect(sendError(Object.assign(new Error('send'), { code: systemCode }))).toMatchObject({ code, context: { systemCode } })
    })

    it('a packet that cannot be sent is reported once a second, and counted each time', async () => {
      const { socket, errors } = await underpass()
      for (let i = 0; i < 5; i++) socket.send('esp', ESP, { address: '::1', port: 4500 })
      socket.send('ike', new Uint8Array(65532), { address: LOOPBACK, port: 4500 })
      expect(errors.map((error) => error.code)).toEqual(['BAD_ADDRESS', 'MESSAGE_TOO_LONG'])
      expect(socket.counters).toMatchObject({ errors: 6, sendDrops: 6 })
      socket.send('esp', new Uint8Array(65530).fill(1), { address: LOOPBACK, port: 4500 })
      await until(() => socket.counters.errors === 7)
    })
  })

  describe('addresses', () => {
    it('IPv4 and IPv6 share a port number', async () => {
      const four = await underpass({ address: '0.0.0.0' })
      const six = await underpass({ family: 6, port: four.socket.local.port }).catch((error) => error)
      if (six instanceof UdpError) return
      expect(six.socket.local).toEqual({ address: '::', port: four.socket.local.port })
      six.socket.send('esp', ESP, { address: '::1', port: six.socket.local.port })
      expect((await six.receive(1))[0][2]).toEqual({ address: '::1', port: six.socket.local.port })
    })

    it('RFC 7296 §2.23: localAddressFor asks the kernel, for NAT_DETECTION_SOURCE_IP', async () => {
      const wildcard = await underpass({ address: '0.0.0.0' })
      expect(await wildcard.socket.localAddressFor({ address: LOOPBACK, port: 4500 })).toBe(LOOPBACK)
      const bound = await underpass()
      expect(await bound.socket.localAddressFor({ address: '198.51.100.1', port: 4500 })).toBe(LOOPBACK)
      expect((await failureOf(wildcard.socket.localAddressFor({ address: '::1', port: 4500 }))).code).toBe('BAD_ADDRESS')
    })

    it('after close nothing is sent or received, and closing twice is fine', async () => {
      const { socket } = await underpass()
      await Promise.all([socket.close(), socket.close()])
      socket.send('esp', ESP, { address: LOOPBACK, port: 4500 })
      socket.sendBatch({ buffer: ESP, offsets: Uint32Array.of(0), lengths: Uint32Array.of(4), count: 1 }, { address: LOOPBACK, port: 4500 })
      expect(socket.counters.sent).toBe(0)
    })
  })
})

const IKE = Uint8Array.from({ length: 40 }, (_, i) => 0x80 + i)
const ESP = Uint8Array.of(1, 2, 3, 4, 0, 0, 0, 9, 7, 7, 7, 7)
const SILENT = { onDatagram: (): void => {}, onError: (): void => {} }

type Received = [kind: Datagram, octets: number[], remote: Endpoint]

interface Opened {
  readonly socket: UdpSocket
  readonly received: Received[]
  readonly errors: UdpError[]
  receive(count: number): Promise<Received[]>
}

async function underpass(options: Partial<UdpOptions> = {}): Promise<Opened> {
  const received: Received[] = []
  const errors: UdpError[] = []
  const socket = await openUdp({
    ...(options.family === 6 ? {} : { address: LOOPBACK }),
    kind: chosen,
    ...options,
    onDatagram: (message, kind, remote) => received.push([kind, [...message], remote]),
    onError: (error) => errors.push(error),
  })
  open.push(socket)
  const receive = async (count: number): Promise<Received[]> => {
    await until(() => received.length >= count)
    return received.splice(0)
  }
  return { socket, received, errors, receive }
}

interface RawPeer {
  readonly endpoint: Endpoint
  send(octets: readonly number[], to: Endpoint): void
  receive(count: number): Promise<number[][]>
  close(): Promise<void>
}

async function raw(): Promise<RawPeer> {
  const socket: Socket = createSocket('udp4')
  const received: number[][] = []
  socket.on('message', (bytes) => received.push([...bytes]))
  await new Promise<void>((resolve) => socket.bind(0, LOOPBACK, resolve))
  let closed: Promise<void> | undefined
  const peer: RawPeer = {
    endpoint: { address: LOOPBACK, port: socket.address().port },
    send: (octets, to) => socket.send(Uint8Array.from(octets), to.port, to.address),
    receive: async (count) => {
      await until(() => received.length >= count)
      return received.splice(0)
    },
    close: () => {
      closed ??= new Promise((resolve) => socket.close(() => resolve()))
      return closed
    },
  }
  open.push(peer)
  return peer
}

async function failureOf(promise: Promise<unknown>): Promise<UdpError> {
  const failure = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(failure instanceof UdpError)) throw new Error(`expected a UdpError, got ${failure}`)
  return failure
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 400) throw new Error('nothing came')
    await turn()
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10))
}
