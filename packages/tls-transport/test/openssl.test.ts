/** The other end is openssl(1). */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { CLIENT_TLS, closeAll, dial, LOOPBACK, pair, SERVER_TLS, serve, TLS_OF, until, useSockets } from './streams.ts'

afterEach(closeAll)

const hasOpenssl = spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0
const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/test-only-${name}.pem`, import.meta.url))
const text = (line: string): Uint8Array => new TextEncoder().encode(line)
const VERSIONS = [
  ['TLSv1.2', '-tls1_2'],
  ['TLSv1.3', '-tls1_3'],
] as const

// CI has openssl(1).
describe.runIf(hasOpenssl).each(TLS_OF)('RFC 9329 App. A: TLS with openssl(1), of $library', ({ sockets }) => {
  beforeEach(() => useSockets(sockets))

  it.each(VERSIONS)('%s: s_client checks the certificate, speaks and hears, and is closed in order', async (protocol, flag) => {
    const { listener, accepted } = await serve({ tls: SERVER_TLS })
    const { port } = listener.local
    const checks = ['-CAfile', fixture('certificate'), '-verify_return_error', '-verify_hostname', 'gateway.test']
    const client = openssl(['s_client', '-quiet', '-connect', `${LOOPBACK}:${port}`, flag, '-alpn', 'ike', ...checks])
    await until(() => accepted.length === 1)
    const { stream, seen } = accepted[0]!
    expect(stream.tls).toMatchObject({ protocol, alpn: 'ike', isAuthorized: false, isResumed: false })
    client.say('IKETCP from s_client')
    await until(() => String.fromCharCode(...seen.data) === 'IKETCP from s_client')
    stream.write(text('an answer'))
    await until(() => client.heard().includes('an answer'))
    stream.end()
    expect(await client.ended()).toBe(0)
    await until(() => seen.events.includes('close'))
    expect(seen.error).toBe(undefined)
  })

  it.each(VERSIONS)('%s: s_server is checked, hears and speaks', async (protocol, flag) => {
    const server = openssl(['s_server', '-accept', '0', '-cert', fixture('certificate'), '-key', fixture('key'), flag, '-alpn', 'ike'])
    await until(() => /ACCEPT .*:\d+/.test(server.heard()))
    const { stream, seen } = await dial(Number(/ACCEPT .*:(\d+)/.exec(server.heard())?.[1]), { tls: CLIENT_TLS })
    expect(stream.tls).toMatchObject({ protocol, alpn: 'ike', isAuthorized: true })
    stream.write(text('IKETCP to s_server'))
    await until(() => server.heard().includes('IKETCP to s_server'))
    server.say('an answer\n')
    await until(() => String.fromCharCode(...seen.data) === 'an answer\n')
    // close_notify and FIN.
    server.say('Q\n')
    await until(() => seen.events.includes('close'))
    expect([seen.events, seen.error]).toEqual([['end', 'close'], undefined])
  })

  it('RFC 8446 §4.6.3: keys that the other end changes are followed, and ours change when it asks for it', async () => {
    const server = openssl(['s_server', '-accept', '0', '-cert', fixture('certificate'), '-key', fixture('key'), '-tls1_3', '-msg'])
    await until(() => /ACCEPT .*:\d+/.test(server.heard()))
    const { stream, seen } = await dial(Number(/ACCEPT .*:(\d+)/.exec(server.heard())?.[1]), { tls: { ...CLIENT_TLS, alpn: [] } })
    await until(() => server.heard().includes('CIPHER is'))
    server.say('K\n')
    await until(() => /KeyUpdate/.test(server.heard()))
    server.say('behind it\n')
    await until(() => String.fromCharCode(...seen.data) === 'behind it\n')
    stream.write(text('behind ours'))
    await until(() => /<<< TLS 1\.3, Handshake \[length 0005\], KeyUpdate/.test(server.heard()))
    // What -msg writes, in between.
    await until(() => server.heard().includes('behind ours'))
  })
})

describe.runIf(TLS_OF.length > 1)('libssl and the TLS of the runtime', () => {
  it.each([
    ['auto', 'node'],
    ['node', 'auto'],
  ] as const)('server %s, client %s: a megabyte each way, whole', async (ofServer, ofClient) => {
    const octets = Uint8Array.from({ length: 2 ** 20 }, (_, i) => (i * 31) ^ (i >> 9))
    const { client, server } = await pair({
      server: { tls: SERVER_TLS, sockets: ofServer },
      client: { tls: CLIENT_TLS, sockets: ofClient },
    })
    client.stream.write(octets)
    server.stream.write(octets)
    await until(() => client.seen.octets === octets.length && server.seen.octets === octets.length)
    expect(Buffer.concat(client.seen.chunks).equals(octets) && Buffer.concat(server.seen.chunks).equals(octets)).toBe(true)
    client.stream.end()
    await until(() => client.seen.events.includes('close') && server.seen.events.includes('close'))
    expect([client.seen.error, server.seen.error]).toEqual([undefined, undefined])
  })
})

function openssl(args: readonly string[]): { say(line: string): void; heard(): string; ended(): Promise<number | null> } {
  const child: ChildProcess = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let out = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (bytes: Uint8Array) => {
      out += new TextDecoder().decode(bytes)
    })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  onTestFinished(() => void child.kill())
  return { say: (line) => void child.stdin?.write(line), heard: () => out, ended: () => exited }
}
