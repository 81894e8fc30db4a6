import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ByteStream, connect, listen } from '../src/index.ts'
import { transportError } from '../src/transport-error.ts'
import { closeAll, dial, failureOf, LOOPBACK, pair, Recorder, type Side, SOCKETS, serve, turn, until, useSockets } from './streams.ts'

afterEach(closeAll)

describe.each(SOCKETS)('%s sockets', (kind) => {
  beforeEach(() => useSockets(kind))

  describe('what an owner does with a stream before it has returned its handlers', () => {
    /** Listens, dials, and tells what became of it. */
    async function accepted(first: (stream: ByteStream) => void): Promise<{ seen: Recorder; client: Side; stream: ByteStream }> {
      const seen = new Recorder()
      let stream: ByteStream | undefined
      const listener = await listen({ address: LOOPBACK, sockets: kind }, (incoming) => {
        stream = incoming
        first(incoming)
        return seen
      })
      const client = await dial(listener.local.port)
      await until(() => stream !== undefined)
      await listener.close()
      return { seen, client, stream: stream! }
    }

    it('RFC 9329 §10 (T-SEC-1): refusing the connection closes it, and the listener goes on', async () => {
      const seen: Recorder[] = []
      const listener = await listen({ address: LOOPBACK, sockets: kind }, (incoming) => {
        const recorder = new Recorder()
        if (seen.push(recorder) <= 3) incoming.reset()
        return recorder
      })
      // The reset may come before the client has seen that it is connected.
      for (let i = 0; i < 3; i++) await dial(listener.local.port).catch(() => {})
      await until(() => seen.length === 3 && seen.every(({ events }) => events.includes('close')))
      const { stream } = await dial(listener.local.port)
      stream.write(Uint8Array.of(1))
      await until(() => seen[3]?.octets === 1)
      await listener.close()
    })

    it('what it writes arrives whole, however much it is', async () => {
      const octets = 16_777_216
      const { client } = await accepted((stream) => stream.write(new Uint8Array(octets).fill(7)))
      await until(() => client.seen.octets === octets)
    })

    it('pausing holds the peer back', async () => {
      const { seen, client, stream } = await accepted((incoming) => incoming.pause())
      client.stream.write(new Uint8Array(1000))
      for (let i = 0; i < 5; i++) await turn()
      expect(seen.octets).toBe(0)
      stream.resume()
      await until(() => seen.octets === 1000)
    })

    it('a peer that is gone while the stream is paused is told of when it is resumed', async () => {
      const { seen, client, stream } = await accepted((incoming) => incoming.pause())
      client.stream.write(new Uint8Array(1000))
      client.stream.end()
      await turn()
      stream.end()
      await turn()
      expect([seen.octets, seen.events]).toEqual([0, []])
      stream.resume()
      await until(() => seen.events.includes('close'))
      expect([seen.octets, seen.events]).toEqual([1000, ['end', 'close']])
    })
  })

  describe('RFC 9329 §6.1 a TCP connection', () => {
    it('carries octets both ways and names both ends', async () => {
      const { client, server } = await pair()
      expect(client.stream.remote).toEqual(server.stream.local)
      expect(server.stream.remote).toEqual(client.stream.local)
      expect(client.stream.remote.address).toBe(LOOPBACK)
      client.stream.write(Uint8Array.of(1, 2, 3))
      server.stream.write(Uint8Array.of(4, 5))
      await until(() => server.seen.octets === 3 && client.seen.octets === 2)
      expect([server.seen.data, client.seen.data]).toEqual([
        [1, 2, 3],
        [4, 5],
      ])
      expect(client.stream.tls).toBe(undefined)
    })

    it('gives away plain Uint8Arrays, so that slice copies', async () => {
      const { client, server } = await pair()
      client.stream.write(Uint8Array.of(1))
      await until(() => server.seen.octets === 1)
      expect(Object.getPrototypeOf(server.seen.chunks[0])).toBe(Uint8Array.prototype)
    })

    it('RFC 9329 §6.1 (T-LIFE-2): end sends FIN after what is queued, and both ends close in order', async () => {
      const { client, server } = await pair()
      client.stream.write(new Uint8Array(100_000))
      client.stream.end()
      expect(client.stream.write(Uint8Array.of(1))).toBe(false)
      await until(() => server.seen.events.includes('close') && client.seen.events.includes('close'))
      expect(server.seen.octets).toBe(100_000)
      expect(server.seen.events).toEqual(['end', 'close'])
      expect([server.seen.error, client.seen.error]).toEqual([undefined, undefined])
    })

    it('RFC 9329 §6.1 (T-LIFE-4): reset sends RST; the peer sees CONNECTION_RESET, we see a close', async () => {
      const { client, server } = await pair()
      client.stream.reset()
      await until(() => server.seen.events.includes('close') && client.seen.events.includes('close'))
      expect(server.seen.error?.code).toBe('CONNECTION_RESET')
      expect(client.seen.error).toBe(undefined)
      expect(client.stream.write(Uint8Array.of(1))).toBe(false)
      for (const call of ['end', 'reset', 'pause', 'resume'] as const) client.stream[call]()
    })

    it('handlers may be replaced while the stream is open', async () => {
      const { client, server } = await pair()
      const late: number[] = []
      server.seen.onData = (bytes) => late.push(...bytes)
      client.stream.write(Uint8Array.of(9))
      await until(() => late.length === 1)
      expect(server.seen.octets).toBe(0)
    })
  })

  describe('back-pressure', () => {
    it('write says false above the mark, queued counts, and drain comes when all has left', async () => {
      const { client, server } = await pair()
      server.stream.pause()
      let writes = 0
      while (client.stream.write(new Uint8Array(65536)) && writes < 1000) writes++
      expect(writes).toBeLessThan(1000)
      expect(client.stream.queued).toBeGreaterThan(0x40000)
      await turn()
      expect(client.seen.events).toEqual([])
      const held = server.seen.octets
      expect(held).toBeLessThanOrEqual(0x40000)
      server.stream.resume()
      await until(() => client.seen.events.includes('drain') && server.seen.octets === (writes + 1) * 65536)
      expect(client.stream.queued).toBe(0)
      expect(client.seen.events).toEqual(['drain'])
    })

    it('room says what a write could have, none while octets are queued', async () => {
      const { client, server } = await pair()
      server.stream.pause()
      expect(client.stream.room).toBeGreaterThan(0)
      while (client.stream.write(new Uint8Array(65_536)));
      expect(client.stream.room).toBe(0)
      server.stream.resume()
      await until(() => client.stream.queued === 0)
      expect(client.stream.room).toBeGreaterThan(0)
    })

    it('notSentLowWater adaptive, highWaterMark 0: what the kernel has not sent stays within the room that was told', async () => {
      const { client, server } = await pair({ client: { notSentLowWater: 'adaptive', highWaterMark: 0 } })
      let written = 0
      for (let round = 0; round < 5; round++) {
        const drains = client.seen.events.length
        server.stream.pause()
        for (let isTaken = true; isTaken; written++) {
          isTaken = client.stream.write(new Uint8Array(1_000).fill(round))
          expect(client.stream.queued).toBeLessThan(kind === 'auto' ? 1_001 : 66_537)
        }
        server.stream.resume()
        await until(() => client.seen.events.length > drains && server.seen.octets === 1_000 * written)
        expect(server.seen.chunks.splice(0).every((chunk) => chunk.every((octet) => octet === round))).toBe(true)
      }
      expect(new Set(client.seen.events)).toEqual(new Set(['drain']))
    })

    it('octets keep their order and value through a megabyte of odd writes', async () => {
      const { client, server } = await pair()
      const expected = Uint8Array.from({ length: 1_000_003 }, (_, i) => (i * 31) & 0xff)
      for (let at = 0, size = 1; at < expected.length; at += size, size = (size * 7 + 3) % 40_009) {
        client.stream.write(expected.slice(at, at + size))
      }
      await until(() => server.seen.octets === expected.length)
      let at = 0
      for (const chunk of server.seen.chunks) {
        if (chunk.some((octet, i) => octet !== expected[at + i])) expect.unreachable(`chunk at ${at}`)
        at += chunk.length
      }
    })

    it('octets are lent for the call: the buffer may be used again at once', async () => {
      const { client, server } = await pair()
      const buffer = new Uint8Array(1000)
      for (let round = 1; round <= 2_000; round++) {
        buffer.fill(round)
        client.stream.write(buffer)
      }
      await until(() => server.seen.octets === 2_000_000)
      expect(server.seen.data.every((octet, i) => octet === ((Math.floor(i / 1000) + 1) & 0xff))).toBe(true)
    })
  })

  describe('connect', () => {
    it('a port nobody listens on is CONNECTION_REFUSED and says which', async () => {
      const { listener } = await serve()
      await listener.close()
      const failure = await failureOf(dial(listener.local.port))
      expect(failure.code).toBe('CONNECTION_REFUSED')
      expect(failure.message).toContain(`${LOOPBACK}:${listener.local.port}`)
      expect(failure.context).toMatchObject({ host: LOOPBACK, port: listener.local.port, systemCode: 'ECONNREFUSED' })
    })

    it('a name that does not resolve is NAME_NOT_FOUND', async () => {
      expect((await failureOf(connect({ host: 'no-such-name.invalid', port: 4500 }, new Recorder()))).code).toBe('NAME_NOT_FOUND')
    })

    it('a name connects as an address does', async () => {
      const { listener } = await serve()
      expect((await dial(listener.local.port, { host: 'localhost' })).stream.remote.port).toBe(listener.local.port)
    })

    it('IPv6 works like IPv4', async () => {
      const served = await serve({ address: '::1' }).catch(() => undefined)
      if (served === undefined) return
      const { stream } = await dial(served.listener.local.port, { host: '::1' })
      await until(() => served.accepted.length === 1)
      expect(stream.remote.address).toBe('::1')
    })

    it('an IPv4 peer of a dual-stack listener has its IPv4 address, which NAT_DETECTION hashes', async () => {
      const served = await serve({ address: '::' }).catch(() => undefined)
      if (served === undefined) return
      const client = await dial(served.listener.local.port)
      await until(() => served.accepted.length === 1)
      expect(served.accepted[0].stream.remote).toEqual(client.stream.local)
      expect(served.accepted[0].stream.local.address).toBe(LOOPBACK)
    })

    it('localAddress chooses the source', async () => {
      const { listener, accepted } = await serve()
      await dial(listener.local.port, { localAddress: '127.0.0.9' })
      await until(() => accepted.length === 1)
      expect(accepted[0].stream.remote.address).toBe('127.0.0.9')
    })

    it('the timeout covers the TLS handshake too, and is TIMED_OUT', async () => {
      const { listener } = await serve()
      const started = performance.now()
      const failure = await failureOf(dial(listener.local.port, { timeout: 80, tls: { rejectUnauthorized: false } }))
      expect(failure.code).toBe('TIMED_OUT')
      expect(performance.now() - started).toBeLessThan(3000)
    })

    it('an AbortSignal gives the attempt up, before and during it, and not after', async () => {
      const { listener, accepted } = await serve()
      const { port } = listener.local
      expect((await failureOf(dial(port, { signal: AbortSignal.abort() }))).code).toBe('ABORTED')
      const during = new AbortController()
      const attempt = failureOf(dial(port, { signal: during.signal, tls: { rejectUnauthorized: false } }))
      await turn()
      during.abort()
      expect((await attempt).code).toBe('ABORTED')
      const after = new AbortController()
      const { stream } = await dial(port, { signal: after.signal })
      after.abort()
      stream.write(Uint8Array.of(7))
      await until(() => accepted.some((each) => each.seen.octets === 1))
    })

    it('an impossible port is BAD_OPTION, as a rejection', async () => {
      expect((await failureOf(connect({ host: LOOPBACK, port: 70_000 }, new Recorder()))).code).toBe('BAD_OPTION')
    })
  })

  describe('listen', () => {
    it('a port that is taken is ADDRESS_IN_USE and names it', async () => {
      const { listener } = await serve()
      const failure = await failureOf(listen({ address: LOOPBACK, port: listener.local.port }, () => new Recorder()))
      expect(failure.code).toBe('ADDRESS_IN_USE')
      expect(failure.message).toContain(`${LOOPBACK}:${listener.local.port}`)
    })

    it('a port below 1024 without the right to it says what is needed', () => {
      const error = transportError(Object.assign(new Error('listen EACCES'), { code: 'EACCES' }), 'listen', '0.0.0.0', 443)
      expect(error.code).toBe('PERMISSION_DENIED')
      expect(error.message).toContain('port 443 needs root or CAP_NET_BIND_SERVICE; ')
    })

    it('RFC 9329 §10 (T-SEC-1): above maxConnections new ones are closed, and room comes back', async () => {
      const { listener, accepted } = await serve({ maxConnections: 2 })
      const first = await dial(listener.local.port)
      await dial(listener.local.port)
      const third = await dial(listener.local.port).catch(() => undefined)
      if (third !== undefined) await until(() => third.seen.events.includes('close'))
      expect(listener.connections).toBe(2)
      first.stream.end()
      await until(() => listener.connections === 1)
      await dial(listener.local.port)
      await until(() => accepted.length === 3)
    })

    it('close frees the port while open streams go on', async () => {
      const { client, server, served } = await pair()
      const { port } = served.listener.local
      await served.listener.close()
      const again = createServer()
      await new Promise<void>((resolve, reject) => again.once('error', reject).listen(port, LOOPBACK, resolve))
      await new Promise((resolve) => again.close(resolve))
      client.stream.write(Uint8Array.of(1))
      await until(() => server.seen.octets === 1)
    })
  })
})
