import { X509Certificate } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { pinOf } from '../src/certificate.ts'
import { certificateProblem, tlsLibrary } from '../src/index.ts'
import { CERT, CLIENT_TLS, closeAll, dial, failureOf, KEY, RSA, SERVER_TLS, SOCKETS, serve, until, useSockets } from './streams.ts'

afterEach(async () => {
  useSockets('auto')
  await closeAll()
})

const PIN = pinOf(new X509Certificate(CERT))
const OTHER_PIN = pinOf(new X509Certificate(RSA.cert))

describe('a certificate and its key', () => {
  it('fit, or what is wrong, and no octet of the key', () => {
    expect(certificateProblem({ cert: CERT, key: KEY })).toBe(undefined)
    expect(certificateProblem(RSA)).toBe(undefined)
    expect(certificateProblem({ cert: CERT, key: RSA.key })).toEqual({
      of: 'key',
      reason: 'the private key is not that of the certificate',
    })
    for (let cut = 0; cut < CERT.length - 40; cut += 40)
      expect(certificateProblem({ cert: CERT.slice(0, cut), key: KEY })).toMatchObject({
        of: 'certificate',
        reason: expect.stringMatching(/^the certificate cannot be read/),
      })
    for (let cut = 0; cut < KEY.length - 40; cut += 40)
      expect(certificateProblem({ cert: CERT, key: KEY.slice(0, cut) })).toMatchObject({
        of: 'key',
        reason: expect.stringMatching(/^the private key cannot be read/),
      })
    expect(certificateProblem({ cert: CERT + RSA.cert.slice(0, RSA.cert.length / 2), key: KEY })).toMatchObject({ of: 'certificate' })
  })

  it.each([undefined, 'shared'])('a listener takes another for new handshakes, and streams that are open stay (%s)', async (kind) => {
    const served = await serve({ tls: SERVER_TLS, ...(kind === undefined ? {} : { alsoPlain: true }) })
    const { port } = served.listener.local
    const before = await dial(port, { tls: { ...CLIENT_TLS, pins: [PIN] } })
    expect(() => served.listener.replaceCertificate?.({ cert: CERT, key: RSA.key })).toThrow(
      expect.objectContaining({ code: 'BAD_OPTION', message: 'the private key is not that of the certificate' }),
    )
    await dial(port, { tls: { ...CLIENT_TLS, pins: [PIN] } })
    served.listener.replaceCertificate?.(RSA)
    const after = await dial(port, { tls: { alpn: ['ike'], pins: [OTHER_PIN] } })
    expect((await failureOf(dial(port, { tls: { alpn: ['ike'], pins: [PIN] } }))).message).toContain(OTHER_PIN)
    await until(() => served.accepted.length >= 3)
    before.stream.write(Uint8Array.of(1, 2, 3))
    await until(() => served.accepted[0]?.seen.octets === 3)
    served.accepted[0]?.stream.write(Uint8Array.of(4))
    await until(() => before.seen.octets === 1)
    expect([before.seen.events, after.seen.events]).toEqual([[], []])
  })
})

describe.each(SOCKETS)('RFC 9329 App. A (T-TLS-6): pins, %s sockets', (sockets) => {
  it('a certificate that nobody signed is taken by its pin, one of several', async () => {
    useSockets(sockets)
    const { listener } = await serve({ tls: SERVER_TLS })
    const { stream } = await dial(listener.local.port, { tls: { pins: [OTHER_PIN, PIN] } })
    expect(stream.tls?.protocol).toBe('TLSv1.3')
  })

  it('another is refused, and the error says what its pin is', async () => {
    useSockets(sockets)
    const { listener } = await serve({ tls: SERVER_TLS })
    const failure = await failureOf(dial(listener.local.port, { tls: { pins: [OTHER_PIN] } }))
    expect(failure.code).toBe('CERTIFICATE_INVALID')
    expect(failure.message).toContain(`the pin of its certificate is ${PIN}`)
  })

  it('beside a CA both must hold', async () => {
    useSockets(sockets)
    const { listener } = await serve({ tls: SERVER_TLS })
    const { port } = listener.local
    await dial(port, { tls: { ...CLIENT_TLS, pins: [PIN], rejectUnauthorized: true } })
    expect((await failureOf(dial(port, { tls: { pins: [PIN], rejectUnauthorized: true } }))).code).toBe('CERTIFICATE_INVALID')
    expect((await failureOf(dial(port, { tls: { ...CLIENT_TLS, pins: [OTHER_PIN], rejectUnauthorized: true } }))).code).toBe(
      'CERTIFICATE_INVALID',
    )
  })

  it('RFC 9329 App. B.3 (T-TLS-9): a session of a connection whose pin was refused is given to nobody; of a good one it is resumed', async () => {
    useSockets(sockets)
    const { listener, accepted } = await serve({ tls: { ...SERVER_TLS, maxVersion: 'TLSv1.2' } })
    const sessions: Uint8Array[] = []
    const onSession = (session: Uint8Array): void => void sessions.push(session)
    await failureOf(dial(listener.local.port, { tls: { pins: [OTHER_PIN], onSession } }))
    expect(sessions).toEqual([])
    const first = await dial(listener.local.port, { tls: { pins: [PIN], onSession } })
    await until(() => accepted.length >= 1)
    accepted.at(-1)?.stream.write(Uint8Array.of(1))
    await until(() => first.seen.octets === 1)
    const session = sessions.at(-1)
    // Deno's own TLS resumes what it likes, and no session that it is given.
    if (session === undefined || ('Deno' in globalThis && (sockets === 'node' || tlsLibrary().kind === 'node'))) return
    const second = await dial(listener.local.port, { tls: { pins: [PIN], session } })
    expect(second.stream.tls?.isResumed).toBe(true)
  })
})
