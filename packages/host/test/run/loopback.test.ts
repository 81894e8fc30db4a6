/** A gateway and a client in one process: real cores, real loopback sockets, memory TUNs. */
import { createServer, connect as dial, type Socket } from 'node:net'
import { nobleProvider } from '@underpass/esp-crypto'
import {
  DEFAULT_LIMITS,
  DEFAULT_TIMERS,
  type PeerConfig,
  parseEspSuite,
  parseIdentity,
  parseIkeSuite,
  type SessionConfig,
  type SessionEvent,
  type TransportOption,
} from '@underpass/session-manager'
import { batchOf, type MemoryTun, memoryTunPair, packetsOf } from '@underpass/tun-device'
import { afterEach, describe, expect, it } from 'vitest'
import { type Runtime, startRuntime } from '../../src/run/index.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

describe('a gateway and a client over loopback sockets', () => {
  it('RFC 9329 §3: 100 packets each way over TCP', async () => {
    const { client, gateway } = await tunnel('tcp')
    expect(client.runtime.driver.inspect().ikeSas[0]!.path?.transport).toBe('tcp')
    await expectPacketsBothWays(client, gateway)
  })

  it('RFC 9329 §2 (T-CFG-3): one gateway listens on several ports, and a client dials any of them', async () => {
    const gateway = await side({ peers: [peer('gateway', 'client', undefined)], acceptsPeers: true }, 3)
    const ports = gateway.runtime.listening.tcp.map(({ port }) => port)
    expect(new Set(ports).size).toBe(3)
    for (const port of ports) {
      const client = await side(
        { peers: [peer('client', 'gateway', { transport: 'tcp', port, framing: 'rfc9329' })], acceptsPeers: false },
        0,
      )
      client.runtime.driver.command({ kind: 'initiate', peer: 'gateway' })
      await client.event('child-sa-installed')
      expect(client.runtime.driver.inspect().connections[0]!.remote).toContain(`port ${port}`)
      await client.runtime.close()
    }
  })

  it('RFC 9329 §10 (T-SEC-1): a connection above the limit of its address is closed, and those below it, and the next, are served', async () => {
    const limits = { ...DEFAULT_LIMITS, maxConnectionsPerAddress: 3 }
    const gateway = await side({ peers: [peer('gateway', 'client', undefined)], acceptsPeers: true }, 1, limits)
    const { port } = gateway.runtime.listening.tcp[0]!
    const idle = await Promise.all([1, 2, 3].map(() => connected(port)))
    for (let i = 0; i < 3; i++) {
      const refused = await connected(port)
      if (!refused.closed) await new Promise((resolve) => refused.once('close', resolve))
    }
    expect(idle.every((socket) => !socket.destroyed)).toBe(true)
    for (const socket of idle) socket.destroy()
    await gateway.event('connection-closed')
    const client = await side(
      { peers: [peer('client', 'gateway', { transport: 'tcp', port, framing: 'rfc9329' })], acceptsPeers: false },
      0,
    )
    client.runtime.driver.command({ kind: 'initiate', peer: 'gateway' })
    await client.event('child-sa-installed')
  })

  it('RFC 3948: 100 packets each way over UDP', async () => {
    const { client, gateway } = await tunnel('udp')
    expect(client.runtime.driver.inspect().ikeSas[0]!.path?.transport).toBe('udp')
    await expectPacketsBothWays(client, gateway)
  })

  it('RFC 9329 §6.1 (T-LIFE-4, T-LIFE-5): the SAs outlive a reset of the connection', async () => {
    const { client, gateway, relay } = await tunnel('tcp')
    const before = childSpis(client)
    relay.cut()
    await client.event('connection-closed')
    // The originator's first message after the redial (T-LIFE-12) tells the gateway where the SA now is.
    await client.event('liveness')
    await expectPacketsBothWays(client, gateway)
    expect(childSpis(client)).toEqual(before)
    expect(relay.connections()).toBe(2)
  })

  it('RFC 7296 §1.4.1 (T-LIFE-1): closing one side takes the SAs down on the other', async () => {
    const { client, gateway } = await tunnel('tcp')
    const isClosed = gateway.event('ike-sa-closed')
    await client.runtime.close()
    expect(await isClosed).toMatchObject({ byPeer: true })
    expect(gateway.runtime.driver.inspect().ikeSas).toEqual([])
  })
})

interface Side {
  readonly runtime: Runtime
  /** The host's end of the TUN. */
  readonly host: MemoryTun
  readonly seen: SessionEvent[]
  /** The next event of a kind, or one that came and was not asked for yet. */
  event<K extends SessionEvent['kind']>(kind: K): Promise<Extract<SessionEvent, { kind: K }>>
}

async function tunnel(transport: 'tcp' | 'udp') {
  const gateway = await side({ peers: [peer('gateway', 'client', undefined)], acceptsPeers: true }, 1)
  const relay = await relayTo(gateway.runtime.listening.tcp[0]!.port)
  const { port } = gateway.runtime.listening.udp[0]!
  const option: TransportOption =
    transport === 'tcp' ? { transport, port: relay.port, framing: 'rfc9329' } : { transport, port, natPort: port }
  const client = await side({ peers: [peer('client', 'gateway', option)], acceptsPeers: false }, 0)
  client.runtime.driver.command({ kind: 'initiate', peer: 'gateway' })
  await Promise.all([client.event('child-sa-installed'), gateway.event('child-sa-installed')])
  client.seen.length = 0
  gateway.seen.length = 0
  return { client, gateway, relay }
}

const SUBNETS: Readonly<Record<string, string>> = { client: '10.2.0.0/24', gateway: '10.1.0.0/24' }

const SECRET = { kind: 'shared-key', secret: Uint8Array.from({ length: 32 }, (_, i) => i) } as const

function peer(local: string, remote: string, option: TransportOption | undefined): PeerConfig {
  return {
    name: remote,
    localId: parseIdentity(`@${local}.example`)!,
    remoteId: parseIdentity(`@${remote}.example`),
    auth: { local: SECRET, remote: SECRET },
    ikeProposals: [parseIkeSuite('aes256gcm16-prfsha256-x25519')],
    espProposals: [parseEspSuite('aes256gcm16')],
    dial: option && { address: '127.0.0.1', transports: [option] },
    localSubnets: [SUBNETS[local]!],
    remoteSubnets: [SUBNETS[remote]!],
    requestAddresses: [],
    pool: undefined,
    replayWindow: 1024,
    esn: true,
  }
}

/** A bare TCP connection; what the other end does to it is nobody's error. */
function connected(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = dial(port, '127.0.0.1')
    // Closed at once, it may never be seen to be open.
    for (const event of ['connect', 'close']) socket.once(event, () => resolve(socket))
    socket.on('error', () => {})
    // Without a reader its end is never seen.
    socket.resume()
  })
}

/** `listeners`: TCP ports that it listens on; with any, its UDP port is on loopback. */
async function side(config: Pick<SessionConfig, 'peers' | 'acceptsPeers'>, listeners: number, limits = DEFAULT_LIMITS): Promise<Side> {
  const [host, tun] = memoryTunPair()
  const failures: unknown[] = []
  const runtime = await startRuntime({
    sessionConfig: { ...config, limits, timers: { ...DEFAULT_TIMERS, redial: 20 }, aeadProvider: nobleProvider },
    listeners: {
      tcp: Array.from({ length: listeners }, () => ({ address: '127.0.0.1', port: 0, framing: 'rfc9329' })),
      udp: [{ address: listeners > 0 ? '127.0.0.1' : undefined, port: 0 }],
    },
    tun,
    onFailure: (failure) => failures.push(failure),
  })
  closing.push(async () => {
    await runtime.close({ graceMilliseconds: 200 })
    tun.close()
    host.close()
    expect(failures).toEqual([])
  })
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
  return { runtime, host, seen, event }
}

async function expectPacketsBothWays(client: Side, gateway: Side): Promise<void> {
  const out = packets('10.2.0.1', '10.1.0.1')
  const back = packets('10.1.0.1', '10.2.0.1')
  const atGateway = received(gateway.host, out.length)
  const atClient = received(client.host, back.length)
  client.host.write(batchOf(out))
  gateway.host.write(batchOf(back))
  expect(await atGateway).toEqual(out)
  expect(await atClient).toEqual(back)
}

function received(host: MemoryTun, count: number): Promise<Uint8Array[]> {
  const all: Uint8Array[] = []
  return new Promise((resolve) => {
    host.start((batch) => {
      all.push(...packetsOf(batch))
      if (all.length >= count) resolve(all)
    })
  })
}

/** IPv4 (RFC 791 §3.1) of growing length, with a checksum that nobody here looks at. */
function packets(source: string, destination: string): Uint8Array[] {
  return Array.from({ length: 100 }, (_, i) => {
    const packet = new Uint8Array(20 + 13 * i)
    packet.set([0x45, 0, packet.length >> 8, packet.length & 0xff, 0, i, 0, 0, 64, 253])
    packet.set(source.split('.').map(Number), 12)
    packet.set(destination.split('.').map(Number), 16)
    packet.fill(i, 20)
    return packet
  })
}

function childSpis(side: Side): string[] {
  return side.runtime.driver.inspect().ikeSas.flatMap((sa) => sa.children.map((child) => `${child.inboundSpi} ${child.outboundSpi}`))
}

/** A TCP relay that can cut what passes through it with RST. */
async function relayTo(port: number) {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((near) => {
    connections++
    const far = dial(port, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.setNoDelay(true)
      one.on('error', () => other.destroy())
      one.on('close', () => sockets.delete(one))
      one.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  closing.push(async () => {
    cut()
    await new Promise((resolve) => server.close(resolve))
  })
  return { port: (server.address() as { port: number }).port, cut, connections: () => connections }
}
