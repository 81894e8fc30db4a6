import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hasNullCipher, type TlsClientOptions, type TlsServerOptions, ticketSecret } from '../src/index.ts'
import { answerTo, clientHello, offerOf } from './client-hello.ts'
import { CLIENT_TLS, closeAll, dial, failureOf, LOOPBACK, RSA, SERVER_TLS, serve, TLS_OF, turn, until, useSockets } from './streams.ts'
import { type Tap, tap } from './tap.ts'

const taps: Tap[] = []
afterEach(async () => {
  for (const each of taps.splice(0)) await each.close()
  await closeAll()
})

/** Of their own TLS Bun takes a part of the names of ciphers, Deno none; what their clients offer is theirs. */
const choosesCiphers = (library: (typeof TLS_OF)[number]['library']): boolean =>
  library === 'libssl' || (!('Bun' in globalThis) && !('Deno' in globalThis))
const RSA_SERVER = { ...RSA, alpn: ['ike'] } as const
const TRUSTING = { alpn: ['ike'], rejectUnauthorized: false } as const

describe.each(TLS_OF)('RFC 9325 (T-TLS-5): what a server takes, TLS of $library', ({ sockets }) => {
  beforeEach(() => useSockets(sockets))

  it.each([
    ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 0xc02b, SERVER_TLS],
    ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 0xc02c, SERVER_TLS],
    ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 0xcca9, SERVER_TLS],
    ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 0xc02f, RSA_SERVER],
    ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 0xc030, RSA_SERVER],
    ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 0xcca8, RSA_SERVER],
  ])('RFC 9325 §4.2: %s is taken', async (_, suite, tls) => {
    expect(await answer(tls, [suite])).toEqual({ suite })
  })

  it.each([
    ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256', 0xc023, SERVER_TLS],
    ['TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA', 0xc00a, SERVER_TLS],
    ['TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384', 0xc028, RSA_SERVER],
    ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 0xc013, RSA_SERVER],
    ['TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA', 0xc012, RSA_SERVER],
    ['TLS_ECDHE_RSA_WITH_RC4_128_SHA', 0xc011, RSA_SERVER],
    ['TLS_RSA_WITH_AES_128_GCM_SHA256', 0x009c, RSA_SERVER],
    ['TLS_RSA_WITH_AES_256_CBC_SHA256', 0x003d, RSA_SERVER],
    ['TLS_RSA_WITH_NULL_SHA256', 0x003b, RSA_SERVER],
    ['TLS_DHE_RSA_WITH_AES_128_GCM_SHA256', 0x009e, RSA_SERVER],
    ['TLS_ECDHE_RSA_WITH_NULL_SHA', 0xc010, RSA_SERVER],
    ['TLS_ECDH_anon_WITH_AES_128_CBC_SHA', 0xc018, RSA_SERVER],
  ])('RFC 9325 §4.1: %s is refused', async (_, suite, tls) => {
    // handshake_failure.
    expect(await answer(tls, [suite])).toEqual({ alert: 40 })
  })

  it('RFC 9325 §3.1.1: TLS 1.1 is refused', async () => {
    const hello = clientHello([0xc02f, 0xc013])
    hello[10] = 2
    expect(await answerOf(RSA_SERVER, hello)).toHaveProperty('alert')
  })
})

describe.each(TLS_OF)('RFC 9325 (T-TLS-5): what a client offers, TLS of $library', ({ sockets }) => {
  beforeEach(() => useSockets(sockets))

  it('RFC 9325 §4.1, §4.2, §4.4: suites with ephemeral keys and AEADs, groups of 224 bits or more, no version below 1.2', async () => {
    let hello: Uint8Array | undefined
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', (bytes: Uint8Array) => {
        hello = Uint8Array.from(bytes)
        socket.destroy()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve))
    const address = server.address()
    await failureOf(dial(typeof address === 'object' && address !== null ? address.port : 0, { tls: TRUSTING }))
    const { suites, groups, versions } = offerOf(hello!)
    // TLS 1.3's three, those above, and TLS_EMPTY_RENEGOTIATION_INFO_SCSV.
    const good = [0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xcca9, 0xc02f, 0xc030, 0xcca8, 0x00ff]
    expect(suites.filter((suite) => !good.includes(suite))).toEqual([])
    expect(suites.length).toBeGreaterThan(5)
    // secp256r1, secp384r1, secp521r1, x25519, x448, ffdhe2048 to ffdhe8192, X25519MLKEM768.
    expect(groups.filter((group) => ![0x17, 0x18, 0x19, 0x1d, 0x1e, 0x100, 0x101, 0x102, 0x103, 0x104, 0x11ec].includes(group))).toEqual([])
    expect([...versions].sort()).toEqual([0x0303, 0x0304])
    await new Promise((resolve) => server.close(resolve))
  })
})

describe.each(TLS_OF)('RFC 9329 App. A (T-TLS-4): the NULL cipher, TLS of $library', ({ sockets, library }) => {
  beforeEach(() => useSockets(sockets))

  // OpenSSL has it, and CI runs these with it; Bun's own TLS refuses it and Deno's ignores it.
  it.skipIf(!choosesCiphers(library))('both ends by name: TLS 1.2, TLS_RSA_WITH_NULL_SHA256, and the octets in the clear', async () => {
    const { listener, accepted } = await serve({ tls: { ...RSA_SERVER, nullCipher: true } })
    const { stream } = await dial(listener.local.port, { tls: { ...TRUSTING, nullCipher: true } })
    expect(stream.tls).toMatchObject({ protocol: 'TLSv1.2', cipher: 'NULL-SHA256' })
    stream.write(new Uint8Array(100_000).fill(7))
    await until(() => accepted[0]?.seen.octets === 100_000)
    // Whoever does not ask for it gets what he would get elsewhere.
    const usual = await dial(listener.local.port, { tls: TRUSTING })
    expect(usual.stream.tls?.protocol).toBe('TLSv1.3')
    const older = await dial(listener.local.port, { tls: { ...TRUSTING, maxVersion: 'TLSv1.2' } })
    expect(older.stream.tls?.cipher).toContain('GCM')
  })

  it.skipIf(!choosesCiphers(library))('it is off by default, on either end', async () => {
    const { listener } = await serve({ tls: RSA_SERVER })
    expect((await failureOf(dial(listener.local.port, { tls: { ...TRUSTING, nullCipher: true } }))).code).toBe('TLS_HANDSHAKE')
  })

  it('who has it: OpenSSL, and neither BoringSSL nor rustls', () => {
    expect(hasNullCipher()).toBe(TLS_OF.some((each) => choosesCiphers(each.library)))
  })
})

describe.each(TLS_OF)('handshakes, TLS of $library', ({ sockets, library }) => {
  beforeEach(() => useSockets(sockets))

  it('RFC 9329 App. B.1 (T-TLS-7): the server asks for no certificate', async () => {
    const { listener } = await serve({ tls: SERVER_TLS })
    const seen = await tap(listener.local.port)
    taps.push(seen)
    await dial(seen.port, { tls: { ...CLIENT_TLS, maxVersion: 'TLSv1.2' } })
    // RFC 5246 §7.4: server_hello, certificate, server_key_exchange, server_hello_done, and maybe new_session_ticket; certificate_request is 13.
    const types = seen.serverMessages()
    expect(types.slice(0, 4)).toEqual([2, 11, 12, 14])
    expect(types).not.toContain(13)
  })

  it('RFC 9329 App. B.2 (T-TLS-8): what was written, close_notify, then FIN', async () => {
    const { listener, accepted } = await serve({ tls: SERVER_TLS })
    const seen = await tap(listener.local.port)
    taps.push(seen)
    const { stream } = await dial(seen.port, { tls: { ...CLIENT_TLS, maxVersion: 'TLSv1.2' } })
    await until(() => accepted.length === 1)
    stream.write(new Uint8Array(1_000))
    stream.end()
    await until(() => seen.records.includes('client FIN'))
    expect(seen.records.filter((record) => record.startsWith('client')).slice(-3)).toEqual([
      'client application data',
      'client alert',
      'client FIN',
    ])
  })

  it('RFC 6066 §3: the name that is dialled is the SNI, an address is none, and another is sent where it is asked for', async () => {
    const hellos: string[] = []
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', (bytes: Uint8Array) => {
        hellos.push(String.fromCharCode(...bytes))
        socket.destroy()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const helloOf = async (host: string, tls: TlsClientOptions): Promise<string> => {
      await failureOf(dial(port, { host, tls: { ...TRUSTING, ...tls } }))
      return hellos.at(-1)!
    }
    expect(await helloOf('localhost', {})).toContain('localhost')
    expect(await helloOf(LOOPBACK, {})).not.toContain(LOOPBACK)
    expect(await helloOf(LOOPBACK, { servername: 'gateway.test' })).toContain('gateway.test')
    const hidden = await helloOf('localhost', { servername: 'gateway.test' })
    expect([hidden.includes('gateway.test'), hidden.includes('localhost')]).toEqual([true, false])
    expect(hellos.length).toBe(4)
    await new Promise((resolve) => server.close(resolve))
  })

  it('RFC 7301 §3.2: no protocol in common is no connection', async () => {
    const { listener, errors } = await serve({ tls: SERVER_TLS })
    expect((await failureOf(dial(listener.local.port, { tls: { ...CLIENT_TLS, alpn: ['h2'] } }))).code).toBe('TLS_HANDSHAKE')
    await until(() => errors.length > 0)
    expect((await dial(listener.local.port, { tls: { ...CLIENT_TLS, alpn: ['h2', 'ike'] } })).stream.tls?.alpn).toBe('ike')
  })

  it('RFC 9329 App. B.3 (T-TLS-3): a session of one listener is resumed by another that has the same secret, where the runtime can', async () => {
    const tickets = ticketSecret()
    const first = await serve({ tls: { ...SERVER_TLS, tickets } })
    const second = await serve({ tls: { ...SERVER_TLS, tickets: structuredClone(tickets) } })
    const stranger = await serve({ tls: SERVER_TLS })
    const sessions: Uint8Array[] = []
    const before = await dial(first.listener.local.port, { tls: { ...CLIENT_TLS, onSession: (session) => sessions.push(session) } })
    await until(() => first.accepted.length === 1)
    first.accepted[0]!.stream.write(Uint8Array.of(1))
    await until(() => before.seen.octets === 1)
    await turn()
    const session = sessions.at(-1)
    // Deno has none.
    if (session === undefined) return
    const there = await dial(second.listener.local.port, { tls: { ...CLIENT_TLS, session } })
    expect(there.stream.tls?.isResumed).toBe(choosesCiphers(library))
    const elsewhere = await dial(stranger.listener.local.port, { tls: { ...CLIENT_TLS, session } })
    expect(elsewhere.stream.tls?.isResumed).toBe(false)
  })

  // Bun's and Deno's own TLS take no ticket keys; CI runs it with OpenSSL's.
  it.skipIf(!choosesCiphers(library))(
    'RFC 9325 §3.4: what tickets are sealed with is another the next day, on all listeners alike',
    async () => {
      const yesterday = { ...ticketSecret(), since: Date.now() - 86_400_000 }
      const again = structuredClone(yesterday)
      const unchanged = await serve({ tls: { ...SERVER_TLS, tickets: { ...structuredClone(yesterday), since: Date.now() } } })
      const listeners = [
        await serve({ tls: { ...SERVER_TLS, tickets: yesterday } }),
        await serve({ tls: { ...SERVER_TLS, tickets: again } }),
      ]
      // Whoever made it need not keep it: of these octets all later ones could be had.
      yesterday.octets.fill(0)
      const sessions: Uint8Array[] = []
      const first = await dial(listeners[0]!.listener.local.port, {
        tls: { ...CLIENT_TLS, onSession: (session) => sessions.push(session) },
      })
      await until(() => sessions.length > 0)
      first.stream.end()
      const session = sessions.at(-1)!
      expect((await dial(listeners[1]!.listener.local.port, { tls: { ...CLIENT_TLS, session } })).stream.tls?.isResumed).toBe(true)
      expect((await dial(unchanged.listener.local.port, { tls: { ...CLIENT_TLS, session } })).stream.tls?.isResumed).toBe(false)
    },
  )
})

function answer(tls: TlsServerOptions, suites: readonly number[]): ReturnType<typeof answerOf> {
  return answerOf(tls, clientHello(suites))
}

async function answerOf(tls: TlsServerOptions, hello: Uint8Array): Promise<ReturnType<typeof answerTo>> {
  const { listener } = await serve({ tls })
  const { stream, seen } = await dial(listener.local.port)
  stream.write(hello)
  await until(() => seen.octets > 6)
  return answerTo(Uint8Array.from(seen.data))
}
