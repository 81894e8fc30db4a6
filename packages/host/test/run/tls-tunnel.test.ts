/** A gateway and a client in one process, TLS between them: real cores, real sockets, memory TUNs. */
import { readFileSync } from 'node:fs'
import { connect as dialTcp } from 'node:net'
import { nobleProvider } from '@underpass/esp-crypto'
import {
  DEFAULT_LIMITS,
  DEFAULT_TIMERS,
  type PeerConfig,
  parseEspSuite,
  parseIdentity,
  parseIkeSuite,
  type SessionEvent,
  type TransportOption,
} from '@underpass/session-manager'
import { type TlsClientOptions, type TransportError, tlsLibrary } from '@underpass/tls-transport'
import { afterEach, describe, expect, it } from 'vitest'
import { type Tap, tap } from '../../../tls-transport/test/tap.ts'
import { type Runtime, type RuntimeOptions, startRuntime } from '../../src/run/index.ts'

const FIXTURES = new URL('../../../tls-transport/test/fixtures/', import.meta.url)
const fixture = (name: string): string => readFileSync(new URL(`test-only-${name}.pem`, FIXTURES), 'utf8')
const PAIR = { cert: fixture('certificate'), key: fixture('key') }
const OTHER_PAIR = { cert: fixture('rsa-certificate'), key: fixture('rsa-key') }
const TRUSTED: TlsClientOptions = { ca: PAIR.cert, servername: 'gateway.test' }
const ANY: TlsClientOptions = { rejectUnauthorized: false }

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

describe('RFC 9329 App. A (T-TLS-6): IKE relies on no TLS', () => {
  it.each<[string, TlsClientOptions]>([
    ['a certificate that is good', TRUSTED],
    ['one that nobody looked at', ANY],
  ])('%s: the tunnel is up with the right secret, and refused with another', async (_, tls) => {
    const gateway = await gatewaySide()
    const good = await clientSide(gateway, tls)
    await Promise.all([good.event('child-sa-installed'), gateway.event('child-sa-installed')])
    const bad = await clientSide(gateway, tls, { psk: 1 })
    await Promise.all([bad.event('authentication-failed'), gateway.event('authentication-failed')])
    expect(bad.runtime.driver.inspect().ikeSas.filter(({ state }) => state === 'established')).toEqual([])
    expect(bad.seen.some(({ kind }) => kind === 'child-sa-installed')).toBe(false)
    expect(gateway.runtime.driver.inspect().ikeSas.length).toBe(1)
  })

  it('a certificate of nobody’s, with a CA to check it by: IKE does not begin', async () => {
    const gateway = await gatewaySide()
    const client = await clientSide(gateway, { servername: 'gateway.test' })
    const { reason } = await client.event('transport-failed')
    expect(reason).toMatch(/certificate/i)
    expect(gateway.seen.map(({ kind }) => kind)).not.toContain('connection-opened')
  })
})

describe('connections inside TLS', () => {
  it('RFC 9329 App. B.2 (T-TLS-8): DELETE, close_notify, then FIN', async () => {
    const gateway = await gatewaySide()
    const wire = await tapped(gateway)
    const client = await clientSide(gateway, { ...TRUSTED, maxVersion: 'TLSv1.2' }, { port: wire.port })
    await Promise.all([client.event('child-sa-installed'), gateway.event('child-sa-installed')])
    const before = wire.records.length
    client.runtime.driver.command({ kind: 'terminate', peer: 'gateway' })
    await gateway.event('ike-sa-closed')
    await until(() => wire.records.some((record, i) => i >= before && record.endsWith('FIN')))
    const after = wire.records.slice(before)
    const ofClient = after.filter((record) => record.startsWith('client'))
    expect(ofClient[0]).toBe('client application data')
    for (const side of ['client', 'server']) {
      const records = after.filter((record) => record.startsWith(side))
      const fin = records.indexOf(`${side} FIN`)
      if (fin >= 0) expect(records.slice(fin - 1)).toEqual([`${side} alert`, `${side} FIN`])
    }
    expect(after.indexOf('client application data')).toBeLessThan(after.findIndex((record) => record.endsWith('alert')))
  })

  it('RFC 9329 App. B.3 (T-TLS-3, T-TLS-9): the next connection resumes the session of the one before, where the runtime can', async () => {
    const gateway = await gatewaySide()
    const wire = await tapped(gateway)
    const client = await clientSide(gateway, { ...TRUSTED, maxVersion: 'TLSv1.2' }, { port: wire.port })
    await Promise.all([client.event('child-sa-installed'), gateway.event('child-sa-installed')])
    // RFC 5246 §7.4: 11 is the certificate, which an abbreviated handshake has not (RFC 5077 §3.1).
    const certificates = (): number => wire.serverMessages().filter((type) => type === 11).length
    expect(certificates()).toBe(1)
    client.seen.length = 0
    wire.cut()
    await client.event('connection-opened')
    await client.event('liveness')
    expect(wire.connections()).toBe(2)
    // Deno's own TLS does not.
    expect(certificates()).toBe(tlsLibrary().kind !== 'libssl' && 'Deno' in globalThis ? 2 : 1)
    expect(client.runtime.driver.inspect().ikeSas.length).toBe(1)
  })

  it('RFC 9329 App. A (T-TLS-1): a port of both, a client of each', async () => {
    const gateway = await gatewaySide({ alsoPlain: true })
    const secure = await clientSide(gateway, TRUSTED)
    await Promise.all([secure.event('child-sa-installed'), gateway.event('child-sa-installed')])
    const plain = await clientSide(gateway, false, { name: 'plain' })
    await Promise.all([plain.event('child-sa-installed'), gateway.event('child-sa-installed')])
    const { ikeSas, connections } = gateway.runtime.driver.inspect()
    expect(ikeSas.length).toBe(2)
    expect(gateway.runtime.listening.tcp.length).toBe(1)
    // Each is named as what it is.
    const carrier = expect.stringMatching(/^tls:\d+$/)
    expect(connections.map((connection) => connection.carrier)).toEqual([carrier, undefined])
    expect(ikeSas.map(({ path }) => path?.transport === 'tcp' && path.carrier)).toEqual([carrier, undefined])
  })

  it('a certificate that is replaced is that of new connections, and the tunnel that is up stays', async () => {
    const gateway = await gatewaySide()
    const before = await clientSide(gateway, TRUSTED)
    await Promise.all([before.event('child-sa-installed'), gateway.event('child-sa-installed')])
    gateway.runtime.replaceCertificate(OTHER_PAIR)
    const after = await clientSide(gateway, { ca: OTHER_PAIR.cert, servername: 'gateway.test' }, { name: 'plain' })
    await Promise.all([after.event('child-sa-installed'), gateway.event('child-sa-installed')])
    const wrong = await clientSide(gateway, TRUSTED)
    expect((await wrong.event('transport-failed')).reason).toMatch(/certificate/i)
    expect(before.seen.map(({ kind }) => kind)).not.toContain('connection-closed')
    expect(gateway.runtime.driver.inspect().ikeSas.length).toBe(2)
  })
})

describe('who comes to a TLS port and gets no further', () => {
  it('RFC 9329 §10: is told of once, with address and reason, and is no failure of ours', async () => {
    const gateway = await gatewaySide()
    const socket = dialTcp(gateway.runtime.listening.tcp[0]!.port, '127.0.0.1')
    let from: number | undefined
    socket.on('error', () => {})
    socket.once('connect', () => {
      from = socket.localPort
      socket.write('GET / HTTP/1.1\r\n\r\n')
    })
    socket.resume()
    await until(() => gateway.strangers.length > 0)
    expect(gateway.strangers.length).toBe(1)
    expect(gateway.strangers[0]?.message).toMatch(new RegExp(`^no TLS with 127\\.0\\.0\\.1:${from}: .`))
    expect(gateway.runtime.driver.inspect().counters['driver.acceptFailed'] ?? 0).toBe(0)
    socket.destroy()
  })

  it('without the PROXY header that its address owes is told of, too; with it, the connection is from whom that says', async () => {
    const gateway = await gatewaySide({ proxies: ['127.0.0.0/8'], alsoPlain: true })
    const { port } = gateway.runtime.listening.tcp[0]!
    const silent = dialTcp(port, '127.0.0.1')
    silent.on('error', () => {})
    silent.write('IKETCP')
    await until(() => gateway.strangers.length > 0)
    expect(gateway.strangers[0]?.message).toContain('no PROXY header from 127.0.0.1')
    const through = dialTcp(port, '127.0.0.1')
    through.on('error', () => {})
    through.write('PROXY TCP4 192.0.2.7 198.51.100.2 5000 443\r\nIKETCP')
    const { remote, local } = await gateway.event('connection-opened')
    expect([remote, local]).toEqual([
      { address: '192.0.2.7', port: 5000 },
      { address: '198.51.100.2', port: 443 },
    ])
    silent.destroy()
    through.destroy()
  })
})

interface Side {
  readonly runtime: Runtime
  readonly seen: SessionEvent[]
  readonly strangers: TransportError[]
  /** The next event of a kind, or one that came and was not asked for yet. */
  event<K extends SessionEvent['kind']>(kind: K): Promise<Extract<SessionEvent, { kind: K }>>
}

function gatewaySide(more: { readonly alsoPlain?: boolean; readonly proxies?: readonly string[] } = {}): Promise<Side> {
  const tcp = [{ address: '127.0.0.1', port: 0, framing: 'rfc9329', tls: PAIR, web: {}, ...more } as const]
  const peers = [peer('gateway', 'client', undefined, 0, '10.2.0.0/24'), peer('gateway', 'plain', undefined, 0, '10.3.0.0/24')]
  return side({ peers, acceptsPeers: true }, { listeners: { tcp, udp: [] } })
}

async function clientSide(
  gateway: Side,
  tls: TlsClientOptions | false,
  { psk = 0, port = gateway.runtime.listening.tcp[0]!.port, name = 'client' } = {},
): Promise<Side> {
  const option: TransportOption = { transport: 'tcp', port, framing: 'rfc9329', carrier: 'dialled' }
  const subnet = name === 'client' ? '10.2.0.0/24' : '10.3.0.0/24'
  const client = await side(
    { peers: [peer(name, 'gateway', option, psk, '10.1.0.0/24', subnet)], acceptsPeers: false },
    { listeners: { tcp: [], udp: [] }, carriers: { dialled: { host: '127.0.0.1', tls, via: undefined } } },
  )
  client.runtime.driver.command({ kind: 'initiate', peer: 'gateway' })
  return client
}

function peer(
  local: string,
  remote: string,
  option: TransportOption | undefined,
  psk: number,
  theirs: string,
  ours = '10.1.0.0/24',
): PeerConfig {
  const secret = { kind: 'shared-key', secret: Uint8Array.from({ length: 32 }, (_, i) => i + psk) } as const
  return {
    name: remote,
    localId: parseIdentity(`@${local}.example`)!,
    remoteId: parseIdentity(`@${remote}.example`),
    auth: { local: secret, remote: secret },
    ikeProposals: [parseIkeSuite('aes256gcm16-prfsha256-x25519')],
    espProposals: [parseEspSuite('aes256gcm16')],
    dial: option && { address: '127.0.0.1', transports: [option] },
    localSubnets: [ours],
    remoteSubnets: [theirs],
    requestAddresses: [],
    pool: undefined,
    replayWindow: 1024,
    esn: true,
  }
}

async function side(
  config: { readonly peers: readonly PeerConfig[]; readonly acceptsPeers: boolean },
  options: Pick<RuntimeOptions, 'listeners' | 'carriers'>,
): Promise<Side> {
  const strangers: TransportError[] = []
  const runtime = await startRuntime({
    sessionConfig: { ...config, limits: DEFAULT_LIMITS, timers: { ...DEFAULT_TIMERS, redial: 20 }, aeadProvider: nobleProvider },
    ...options,
    onStranger: (error) => strangers.push(error),
  })
  closing.push(() => runtime.close({ graceMilliseconds: 200 }))
  const seen: SessionEvent[] = []
  const waiting: { kind: string; resolve: (event: never) => void }[] = []
  runtime.driver.onEvent((event) => {
    const at = waiting.findIndex(({ kind }) => kind === event.kind)
    if (at < 0) seen.push(event)
    else waiting.splice(at, 1)[0]!.resolve(event as never)
  })
  const event = (kind: string): Promise<never> =>
    new Promise((resolve) => {
      const at = seen.findIndex((one) => one.kind === kind)
      if (at < 0) waiting.push({ kind, resolve })
      else resolve(seen.splice(at, 1)[0] as never)
    })
  return { runtime, seen, strangers, event }
}

async function tapped(gateway: Side): Promise<Tap> {
  const wire = await tap(gateway.runtime.listening.tcp[0]!.port)
  closing.push(() => wire.close())
  return wire
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 1_000) throw new Error('it did not happen')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
