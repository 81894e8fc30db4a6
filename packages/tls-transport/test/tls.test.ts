import { createServer, type Socket, connect as tcpConnect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connect, listen } from '../src/index.ts'
import {
  CERT,
  CLIENT_TLS,
  closeAll,
  dial,
  failureOf,
  LOOPBACK,
  pair,
  Recorder,
  SERVER_TLS,
  serve,
  TLS_OF,
  turn,
  until,
  useSockets,
} from './streams.ts'

afterEach(closeAll)

const OVER_TLS = { server: { tls: SERVER_TLS }, client: { tls: CLIENT_TLS } }

describe.each(TLS_OF)('RFC 9329 Appendix A: TLS around the stream, TLS of $library', ({ sockets, library }) => {
  beforeEach(() => useSockets(sockets))

  it('RFC 9329 App. A (T-TLS-1): TLS 1.3 by default, with ALPN, both ways', async () => {
    const { client, server } = await pair(OVER_TLS)
    expect(client.stream.tls).toMatchObject({ protocol: 'TLSv1.3', alpn: 'ike', isAuthorized: true })
    expect(server.stream.tls).toMatchObject({ protocol: 'TLSv1.3', alpn: 'ike' })
    expect(server.stream.remote).toEqual(client.stream.local)
    client.stream.write(new Uint8Array(300_000).fill(3))
    server.stream.write(Uint8Array.of(4))
    await until(() => server.seen.octets === 300_000 && client.seen.octets === 1)
    expect(server.seen.chunks.every((chunk) => chunk.every((octet) => octet === 3))).toBe(true)
  })

  it('records that come together are delivered together, in order', async () => {
    const { client, server } = await pair(OVER_TLS)
    const sent = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff)
    client.stream.write(sent)
    await until(() => server.seen.octets === sent.length)
    expect(Buffer.concat(server.seen.chunks).equals(sent)).toBe(true)
    // RFC 8446 §5.1: a record has at most 2^14 octets.
    expect(server.seen.chunks.length).toBeLessThan(sent.length / 2 ** 14)
  })

  it('RFC 9329 App. A (T-TLS-1): TLS 1.2 where it is asked for', async () => {
    const { client } = await pair({ server: { tls: SERVER_TLS }, client: { tls: { ...CLIENT_TLS, maxVersion: 'TLSv1.2' } } })
    expect(client.stream.tls?.protocol).toBe('TLSv1.2')
    expect(client.stream.tls?.cipher).toContain('ECDHE')
  })

  it('RFC 9329 App. A (T-PFX-3): nothing readable is on the wire before or after the ClientHello', async () => {
    const { listener } = await serve({ tls: SERVER_TLS })
    const wire: number[] = []
    const tap = createServer((inside) => {
      const outside = tcpConnect(listener.local.port, LOOPBACK)
      inside.on('data', (bytes) => {
        wire.push(...bytes)
        outside.write(bytes)
      })
      outside.on('data', (bytes) => inside.write(bytes))
      for (const each of [inside, outside])
        each.on('error', () => {}).on('close', () => [inside, outside].forEach((other) => void other.destroy()))
    })
    await new Promise<void>((resolve) => tap.listen(0, LOOPBACK, resolve))
    const address = tap.address()
    const { stream } = await dial(typeof address === 'object' && address !== null ? address.port : 0, { tls: CLIENT_TLS })
    stream.write(new TextEncoder().encode('IKETCP'))
    await until(() => stream.queued === 0)
    await turn()
    // TLS record: handshake, version 3.x.
    expect(wire.slice(0, 2)).toEqual([0x16, 0x03])
    expect(String.fromCharCode(...wire)).not.toContain('IKETCP')
    stream.reset()
    await new Promise((resolve) => tap.close(resolve))
  })

  it('RFC 9329 App. B.2 (T-TLS-8): end closes both ends in order', async () => {
    const { client, server } = await pair(OVER_TLS)
    client.stream.write(new Uint8Array(100_000))
    client.stream.end()
    await until(() => server.seen.events.includes('close') && client.seen.events.includes('close'))
    expect(server.seen.octets).toBe(100_000)
    expect(server.seen.events).toEqual(['end', 'close'])
    expect([server.seen.error, client.seen.error]).toEqual([undefined, undefined])
  })

  it.each(['client', 'server'] as const)('RFC 9329 §6.1 (T-LIFE-4): reset by the %s closes both at once', async (side) => {
    const both = await pair(OVER_TLS)
    both[side].stream.reset()
    await until(() => both.server.seen.events.includes('close') && both.client.seen.events.includes('close'))
    expect(both[side].seen.error).toBe(undefined)
    expect(both.served.listener.connections).toBe(0)
  })

  it('back-pressure is the same as without TLS', async () => {
    const { client, server } = await pair(OVER_TLS)
    server.stream.pause()
    let writes = 0
    while (client.stream.write(new Uint8Array(65536)) && writes < 1000) writes++
    expect(writes).toBeLessThan(1000)
    expect(client.stream.queued).toBeGreaterThan(0x40000)
    server.stream.resume()
    await until(() => client.seen.events.includes('drain') && server.seen.octets === (writes + 1) * 65536)
    expect(client.stream.queued).toBe(0)
  })

  it('RFC 9329 App. B.3 (T-TLS-3): a session is resumed on the second dial, where the runtime can', async () => {
    // Deno's own TLS hands out sessions that it cannot resume, or none.
    const canResume = library === 'libssl' || !('Deno' in globalThis)
    const { listener, accepted } = await serve({ tls: SERVER_TLS })
    const sessions: Uint8Array[] = []
    const first = await dial(listener.local.port, { tls: { ...CLIENT_TLS, onSession: (session) => sessions.push(session) } })
    expect(first.stream.tls?.isResumed).toBe(false)
    await until(() => accepted.length === 1)
    // TLS 1.3 has its tickets behind the handshake; Bun looks at them when data come.
    accepted[0]!.stream.write(Uint8Array.of(1))
    await until(() => first.seen.octets === 1)
    if (canResume) await until(() => sessions.length > 0)
    else if (sessions.length === 0) return
    const second = await dial(listener.local.port, { tls: { ...CLIENT_TLS, session: sessions[sessions.length - 1] } })
    expect(second.stream.tls?.isResumed).toBe(canResume)
  })
})

describe.each(TLS_OF)('certificates, TLS of $library', ({ sockets }) => {
  beforeEach(() => useSockets(sockets))

  it('RFC 9329 App. A: an unknown CA is refused by default, and taken where IKE authenticates alone', async () => {
    const { listener } = await serve({ tls: SERVER_TLS })
    const failure = await failureOf(dial(listener.local.port, { tls: {} }))
    expect(failure.code).toBe('CERTIFICATE_INVALID')
    const { stream } = await dial(listener.local.port, { tls: { rejectUnauthorized: false } })
    expect(stream.tls?.isAuthorized).toBe(false)
  })

  it('another name is refused', async () => {
    const { listener } = await serve({ tls: SERVER_TLS })
    const failure = await failureOf(dial(listener.local.port, { tls: { ca: CERT, servername: 'other.test' } }))
    expect(failure.code).toBe('CERTIFICATE_INVALID')
  })

  it('without servername the host is checked, an address too', async () => {
    const { listener } = await serve({ tls: SERVER_TLS })
    expect((await dial(listener.local.port, { tls: { ca: CERT } })).stream.tls?.isAuthorized).toBe(true)
    const failure = await failureOf(dial(listener.local.port, { host: '127.0.0.2', tls: { ca: CERT } }))
    // The listener is on 127.0.0.1 only.
    expect(failure.code).toBe('CONNECTION_REFUSED')
  })

  it('a key that is none is BAD_OPTION', async () => {
    const listening = listen({ address: LOOPBACK, sockets, tls: { cert: CERT, key: 'no key' } }, () => new Recorder())
    expect((await failureOf(listening)).code).toBe('BAD_OPTION')
  })
})

describe.each(TLS_OF)('handshakes that fail, TLS of $library', ({ sockets }) => {
  beforeEach(() => useSockets(sockets))

  it('a peer that speaks no TLS is TLS_HANDSHAKE to the client', async () => {
    const plain = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => socket.end('HTTP/1.0 400 Bad Request\r\n\r\n'))
    })
    await new Promise<void>((resolve) => plain.listen(0, LOOPBACK, resolve))
    const address = plain.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const failure = await failureOf(
      connect({ host: LOOPBACK, port, sockets, timeout: 5000, tls: { rejectUnauthorized: false } }, new Recorder()),
    )
    expect(failure.code).toBe('TLS_HANDSHAKE')
    await new Promise((resolve) => plain.close(resolve))
  })

  it('no version in common is TLS_HANDSHAKE on both sides, and the listener goes on', async () => {
    const { listener, errors, accepted } = await serve({ tls: { ...SERVER_TLS, minVersion: 'TLSv1.3' } })
    const failure = await failureOf(dial(listener.local.port, { tls: { ...CLIENT_TLS, maxVersion: 'TLSv1.2' } }))
    expect(failure.code).toBe('TLS_HANDSHAKE')
    await until(() => errors.length > 0)
    expect(errors[0].code).toBe('TLS_HANDSHAKE')
    await dial(listener.local.port, { tls: CLIENT_TLS })
    await until(() => accepted.length === 1)
  })

  it('a connection that is reset in the handshake is TLS_HANDSHAKE, on either side', async () => {
    const { listener, errors } = await serve({ tls: SERVER_TLS })
    const socket = tcpConnect(listener.local.port, LOOPBACK, () => socket.write(Uint8Array.of(0x16, 3, 1, 1, 0, 1)))
    await until(() => socket.bytesWritten === 6)
    // It has been read.
    for (let i = 0; i < 10; i++) await turn()
    socket.resetAndDestroy()
    await until(() => errors.length > 0)
    expect(errors.map(({ code }) => code)).toEqual(['TLS_HANDSHAKE'])
    const rude = createServer((accepted) => accepted.on('error', () => {}).once('data', () => void accepted.resetAndDestroy()))
    await new Promise<void>((resolve) => rude.listen(0, LOOPBACK, resolve))
    const address = rude.address()
    const failure = await failureOf(dial(typeof address === 'object' && address !== null ? address.port : 0, { tls: CLIENT_TLS }))
    expect(failure.code).toBe('TLS_HANDSHAKE')
    await new Promise((resolve) => rude.close(resolve))
  })

  it('an attempt that is given up while it shakes hands is ABORTED, and leaves no connection', async () => {
    const accepted: Socket[] = []
    let closed = 0
    const silent = createServer((socket) => {
      accepted.push(socket.on('error', () => {}).on('close', () => closed++))
      socket.resume()
    })
    await new Promise<void>((resolve) => silent.listen(0, LOOPBACK, resolve))
    const address = silent.address()
    const attempt = new AbortController()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const failure = failureOf(dial(port, { tls: CLIENT_TLS, signal: attempt.signal }))
    await until(() => accepted.length === 1)
    attempt.abort()
    expect((await failure).code).toBe('ABORTED')
    await until(() => closed === 1)
    await new Promise((resolve) => silent.close(resolve))
  })

  it('RFC 9329 §10 (T-SEC-1): a client that says nothing is closed after handshakeTimeout', async () => {
    const { listener, errors, accepted } = await serve({ tls: { ...SERVER_TLS, handshakeTimeout: 100 } })
    const { seen } = await dial(listener.local.port)
    await until(() => seen.events.includes('close'))
    expect(accepted.length).toBe(0)
    expect(errors[0]?.code).toBe('TLS_HANDSHAKE')
  })

  it('RFC 9329 §10 (T-SEC-1): maxConnections counts handshakes', async () => {
    const { listener, accepted } = await serve({ tls: SERVER_TLS, maxConnections: 2 })
    await dial(listener.local.port)
    await dial(listener.local.port, { tls: CLIENT_TLS })
    await failureOf(dial(listener.local.port, { tls: CLIENT_TLS }))
    expect(accepted.length).toBe(1)
  })
})
