import { readFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CLOSED, loadLibssl, TICKET_KEYS, type TlsContextOptions, type TlsSession, type TlsSessionOptions } from '../src/index.ts'

/** TEST ONLY: their keys are public. */
const fixture = (name: string): string =>
  readFileSync(new URL(`../../tls-transport/test/fixtures/test-only-${name}.pem`, import.meta.url), 'utf8')
const CERT = fixture('certificate')
const CIPHERS = 'TLS_AES_256_GCM_SHA384:ECDHE-ECDSA-AES128-GCM-SHA256'
const SERVER: TlsContextOptions = { role: 'server', minVersion: 'TLSv1.2', ciphers: CIPHERS, cert: CERT, key: fixture('key') }
const CLIENT: TlsContextOptions = { role: 'client', minVersion: 'TLSv1.2', ciphers: CIPHERS, roots: [CERT], isVerifying: true }

// Where there is no libIPSec_MB both are libssl's.
describe.each([true, false])('RFC 8446, RFC 5246: TLS from octets to octets, all records by libssl: %s', (isPlain) => {
  const connected = (differing: Differing = {}): ReturnType<typeof connectedBy> => connectedBy(isPlain, differing)

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: a handshake, octets both ways whatever pieces they come in, close_notify', (version) => {
    const { client, server } = connected({ client: { maxVersion: version }, of: { host: 'gateway.test', servername: 'gateway.test' } })
    expect(client.describe()).toMatchObject({ protocol: version, alpn: undefined, isResumed: false })
    expect([client.problem(), server.describe().protocol]).toEqual([undefined, version])
    const octets = Uint8Array.from({ length: 40_000 }, (_, i) => i * 7)
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      const wire = seal(from, octets, 100, 39_000)
      const read: number[] = []
      for (let at = 0; at < wire.length; at += 1_111) read.push(...readBy(to, wire.subarray(at, at + 1_111)).octets)
      expect(Uint8Array.from(read)).toEqual(octets.subarray(100, 39_100))
    }
    client.end()
    expect(readBy(server, taken(client))).toEqual({ octets: [], isClosed: true })
  })

  it('RFC 8446 §5.2: an octet that was changed ends it with bad_record_mac', () => {
    const { client, server } = connected()
    const wire = seal(client, Uint8Array.of(1, 2, 3))
    wire[wire.length - 1] ^= 1
    expect(() => readBy(server, wire)).toThrow(
      expect.objectContaining({ code: 'CRYPTO', message: expect.stringMatching(/bad record mac/) }),
    )
    // An alert, sealed.
    expect(taken(server).length).toBeGreaterThan(0)
  })

  it('RFC 8446 §5.5: keys are changed after so many records, both ways, and nothing is lost', () => {
    const { client, server } = connected({ of: { recordsOfKey: 3 } })
    const read: number[] = []
    let updates = 0
    for (let i = 0; i < 20; i++) {
      read.push(...readBy(server, seal(client, Uint8Array.of(i))).octets)
      // What it has to say by itself is its own KeyUpdate.
      const answer = taken(server)
      if (answer.length > 0) updates++
      readBy(client, answer)
    }
    expect(read).toEqual(Array.from({ length: 20 }, (_, i) => i))
    expect(updates).toBeGreaterThan(3)
    expect(readBy(client, seal(server, Uint8Array.of(9))).octets).toEqual([9])
  })

  it('one end’s records by libssl, the other’s not: octets both ways, and tickets', () => {
    const { client, server } = connected({ client: { isPlain: !isPlain } })
    const octets = Uint8Array.from({ length: 50_000 }, (_, i) => i * 11)
    expect(Uint8Array.from(readBy(server, seal(client, octets)).octets)).toEqual(octets)
    expect(Uint8Array.from(readBy(client, seal(server, octets)).octets)).toEqual(octets)
    expect(client.takeTicket()).toBeDefined()
    client.end()
    expect(readBy(server, taken(client)).isClosed).toBe(true)
  })

  it('RFC 8446 §4.6.1: a ticket resumes the session at whoever has the keys, and nowhere else', () => {
    const ticketKeys = Uint8Array.from({ length: TICKET_KEYS }, (_, i) => i)
    const first = connected({ server: { ticketKeys } })
    const ticket = first.client.takeTicket()
    expect(ticket).toBeDefined()
    expect(first.client.takeTicket()).toBe(undefined)
    expect(connected({ server: { ticketKeys }, of: { resume: ticket } }).client.describe().isResumed).toBe(true)
    expect(connected({ of: { resume: ticket } }).client.describe().isResumed).toBe(false)
    expect(connected({ of: { resume: ticket!.subarray(9) } }).client.describe().isResumed).toBe(false)
  })

  it('RFC 7301 §3.2: the server’s first that the client has; none in common is no connection', () => {
    const { client, server } = connected({ server: { alpn: ['ike', 'h2'] }, client: { alpn: ['h2', 'ike'] } })
    expect([client.describe().alpn, server.describe().alpn]).toEqual(['ike', 'ike'])
    expect(() => connected({ server: { alpn: ['ike'] }, client: { alpn: ['h2'] } })).toThrow(expect.objectContaining({ code: 'CRYPTO' }))
  })

  it('a name or an address that is not in the certificate is refused, and said', () => {
    for (const of of [{ host: 'other.test' }, { host: '192.0.2.1', isAddress: true }])
      expect(() => connected({ of })).toThrow(expect.objectContaining({ message: 'certificate verify failed' }))
    const { client } = connected({ client: { isVerifying: false }, of: { host: 'other.test' } })
    expect(client.problem()).toBe('hostname mismatch')
    expect(client.peerCertificate()).toEqual(Uint8Array.from(Buffer.from(CERT.split('-----')[2]!, 'base64')))
  })

  it('what is no certificate, no key or no cipher is CRYPTO', () => {
    for (const wrong of [{ cert: 'none' }, { key: 'none' }, { key: fixture('rsa-key') }, { ciphers: 'NONE' }])
      expect(() => loadLibssl().createContext({ ...SERVER, ...wrong })).toThrow(expect.objectContaining({ code: 'CRYPTO' }))
  })

  it('a session that was freed is used no more', () => {
    const { client } = connected()
    client.free()
    client.free()
    expect(() => seal(client, Uint8Array.of(1))).toThrow(expect.objectContaining({ message: 'the session was freed' }))
    expect([client.problem(), client.take(new Uint8Array(9), 0)]).toEqual([undefined, 0])
  })
})

interface Differing {
  readonly client?: Partial<TlsContextOptions>
  readonly server?: Partial<TlsContextOptions>
  readonly of?: TlsSessionOptions
}

/** Both ends of a connection, the server's tickets read. */
function connectedBy(isPlain: boolean, differing: Differing): { client: TlsSession; server: TlsSession } {
  const contexts = [
    loadLibssl().createContext({ ...CLIENT, isPlain, ...differing.client }),
    loadLibssl().createContext({ ...SERVER, ...differing.server, isPlain }),
  ] as const
  const client = contexts[0].createSession(differing.of)
  const server = contexts[1].createSession()
  for (const context of contexts) context.free()
  onTestFinished(() => {
    client.free()
    server.free()
  })
  let [isClientDone, isServerDone] = [client.handshake(), false]
  for (let i = 0; !(isClientDone && isServerDone); i++) {
    if (i > 10) throw new Error('no end of it')
    server.feed(taken(client))
    isServerDone = server.handshake()
    client.feed(taken(server))
    isClientDone = client.handshake()
  }
  readBy(client, taken(server))
  return { client, server }
}

function seal(session: TlsSession, octets: Uint8Array, offset = 0, length: number = octets.length): Uint8Array {
  const into = new Uint8Array(new ArrayBuffer(100_000))
  return into.slice(0, session.seal(octets, offset, length, into, 0))
}

function taken(session: TlsSession): Uint8Array {
  const into = new Uint8Array(new ArrayBuffer(100_000))
  let length = 0
  for (let some = session.take(into, 0); some > 0; some = session.take(into, length)) length += some
  return into.slice(0, length)
}

function readBy(session: TlsSession, wire: Uint8Array): { octets: number[]; isClosed: boolean } {
  if (wire.length > 0) session.feed(wire)
  const into = new Uint8Array(17_000)
  const octets: number[] = []
  for (;;) {
    const length = session.read(into, 0, into.length)
    if (length <= 0) return { octets, isClosed: length === CLOSED }
    octets.push(...into.subarray(0, length))
  }
}
