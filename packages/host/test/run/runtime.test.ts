import { spawnSync } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import type { Output } from '@underpass/session-manager'
import { tcpSockets } from '@underpass/tls-transport'
import { afterEach, describe, expect, it } from 'vitest'
import { type Runtime, startRuntimeWith } from '../../src/run/index.ts'
import { RecordingCore } from './recording-core.ts'

const LOOPBACK = '127.0.0.1'
const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'))

const running: Runtime[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((runtime) => runtime.close()))
})

async function start(listeners: Partial<Parameters<typeof startRuntimeWith>[1]['listeners']> = {}, congestionControl?: string) {
  const core = new RecordingCore()
  const runtime = await startRuntimeWith(core, { listeners: { tcp: [], udp: [], ...listeners }, tcpTuning: { congestionControl } })
  running.push(runtime)
  return { core, runtime, driver: runtime.driver, ...runtime.listening }
}

const tcpOn = (address: string | undefined, port = 0) => ({ address, port, framing: 'rfc9329' as const })
const write = (connection: number, ...octets: number[]): Output => ({
  kind: 'write-connection',
  connection,
  bytes: Uint8Array.from(octets),
})

/** As short as a message can be (RFC 7296 §3.1). */
const ikeMessage = (octet: number): Uint8Array => new Uint8Array(28).fill(octet)

/** Has a client's core dial. */
function dial(client: Awaited<ReturnType<typeof start>>, address: string, port: number): void {
  client.core.answer = (input) =>
    input.kind === 'command' ? [{ kind: 'open-connection', connection: 2, remote: { address, port }, framing: 'rfc9329' }] : undefined
  client.driver.command({ kind: 'initiate', peer: 'gateway' })
}

describe('TCP', () => {
  it('carries octets both ways between two cores, and tells each of the end once', async () => {
    const gateway = await start({ tcp: [tcpOn(LOOPBACK)] })
    const client = await start()
    dial(client, LOOPBACK, gateway.tcp[0]!.port)
    await client.core.heard(/^opened 2 originator 127\.0\.0\.1 127\.0\.0\.1 rfc9329/)
    await gateway.core.heard(/^opened 1 responder 127\.0\.0\.1 127\.0\.0\.1 rfc9329/)
    client.core.answer = (input) => (input.kind === 'command' ? [write(2, 1, 2, 3)] : undefined)
    gateway.core.answer = (input) =>
      input.kind === 'connection-bytes' ? [write(1, 4), { kind: 'close-connection', connection: 1, how: 'end' }] : undefined
    client.driver.command({ kind: 'check-liveness' })
    await gateway.core.heard(/^bytes 1: 1 2 3/)
    await client.core.heard(/^bytes 2: 4/)
    await client.core.heard(/^closed 2 end/)
    await client.runtime.close()
    await gateway.runtime.close()
    expect(client.core.log.filter((line) => line.startsWith('closed'))).toEqual(['closed 2 end'])
    expect(gateway.core.log.filter((line) => line.startsWith('closed'))).toEqual([])
  })

  // ss(8) says what the sockets have; CI installs it. The runtime's own sockets have no such option.
  const hasSs = spawnSync('ss', ['-V']).status === 0
  it.runIf(hasSs && tcpSockets().kind === 'native')('both ends have the congestion control that was asked for', async () => {
    // The kernel always has it, and may be used to another.
    const gateway = await start({ tcp: [tcpOn(LOOPBACK)] }, 'reno')
    const { port } = gateway.tcp[0]!
    const client = await start({}, 'reno')
    dial(client, LOOPBACK, port)
    await gateway.core.heard(/^opened 1 responder/)
    await client.core.heard(/^opened 2 originator/)
    const { stdout } = spawnSync('ss', ['-Htinp', `( sport = :${port} or dport = :${port} )`], { encoding: 'utf8' })
    expect(stdout.match(/^\s+(\w+)/gm)?.map((word) => word.trim())).toEqual(['reno', 'reno'])
  })

  it('one that the kernel lacks is an error at start that says what it has', async () => {
    const failure = await start({}, 'no-such').catch((error) => error)
    const isNative = tcpSockets().kind === 'native'
    expect(failure).toMatchObject({ name: 'HostError', code: 'NOT_SUPPORTED' })
    expect(failure.message).toMatch(
      isNative ? /^\[tcp\] congestion_control = "no-such" is not loaded .*it has: .*reno/ : /needs native sockets/,
    )
  })

  it('says failed where nobody listens', async () => {
    const gone = await start({ tcp: [tcpOn(LOOPBACK)] })
    await gone.runtime.close()
    const client = await start()
    dial(client, LOOPBACK, gone.tcp[0]!.port)
    expect(await client.core.heard(/^closed/)).toBe('closed 2 failed')
  })

  it('without an address listens on both families, and IPv4 peers have IPv4 addresses', async () => {
    const gateway = await start({ tcp: [tcpOn(undefined)] })
    const client = await start()
    dial(client, LOOPBACK, gateway.tcp[0]!.port)
    expect(await gateway.core.heard(/^opened 1/)).toBe('opened 1 responder 127.0.0.1 127.0.0.1 rfc9329')
    if (!hasIpv6) return
    const second = await start()
    dial(second, '::1', gateway.tcp[0]!.port)
    expect(await gateway.core.heard(/^opened 3/)).toBe('opened 3 responder ::1 ::1 rfc9329')
  })

  it('RFC 9329 §5 (T-APP-1): listens on every port that is configured, each with its framing', async () => {
    const gateway = await start({ tcp: [tcpOn(LOOPBACK), { ...tcpOn(LOOPBACK), framing: 'pauly-03' }, tcpOn(LOOPBACK)] })
    expect(new Set(gateway.tcp.map(({ port }) => port)).size).toBe(3)
    for (const [index, framing] of ['rfc9329', 'pauly-03', 'rfc9329'].entries()) {
      dial(await start(), LOOPBACK, gateway.tcp[index]!.port)
      const opened = `opened ${2 * index + 1} responder`
      expect(await gateway.core.heard(new RegExp(`^${opened}`))).toBe(`${opened} 127.0.0.1 127.0.0.1 ${framing}`)
    }
  })

  it.runIf(hasIpv6)("takes '::' and '0.0.0.0' side by side on one port", async () => {
    const probe = await start({ tcp: [tcpOn(LOOPBACK)] })
    const { port } = probe.tcp[0]!
    await probe.runtime.close()
    const gateway = await start({ tcp: [tcpOn('0.0.0.0', port), tcpOn('::', port)] })
    const client = await start()
    dial(client, LOOPBACK, port)
    expect(await gateway.core.heard(/^opened 1/)).toBe('opened 1 responder 127.0.0.1 127.0.0.1 rfc9329')
  })

  it('names the address, the port and what to do where the port is taken', async () => {
    const { port } = (await start({ tcp: [tcpOn(LOOPBACK)] })).tcp[0]!
    await expect(start({ tcp: [tcpOn(LOOPBACK, port)] })).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: expect.stringMatching(new RegExp(`cannot listen on TCP 127\\.0\\.0\\.1:${port}: another program has that port\\. Stop it`)),
    })
  })

  it('names an address that is not of this machine', async () => {
    await expect(start({ tcp: [tcpOn('192.0.2.1')] })).rejects.toMatchObject({
      message: expect.stringMatching(/^cannot listen on TCP 192\.0\.2\.1:0: .+ Configure one that "ip address" lists/),
    })
  })
})

describe('UDP', () => {
  const ask = (port: number, address = LOOPBACK): Output => ({
    kind: 'send-datagram',
    local: { address: '', port: 0 },
    remote: { address, port },
    message: 'ike',
    bytes: ikeMessage(1),
  })

  async function exchange(listenOn: string | undefined, address: string, port?: (listening: readonly { port: number }[]) => number) {
    const gateway = await start({ udp: [{ address: listenOn, port: 0 }] })
    gateway.core.answer = (input) =>
      input.kind === 'datagram'
        ? [{ kind: 'send-datagram', local: input.local, remote: input.remote, message: 'ike', bytes: ikeMessage(3) }]
        : undefined
    const client = await start({ udp: [{ address: address.includes(':') ? '::1' : LOOPBACK, port: 0 }] })
    const to = port?.(gateway.udp) ?? gateway.udp[0]!.port
    client.core.answer = (input) => (input.kind === 'command' ? [ask(to, address)] : undefined)
    client.driver.command({ kind: 'initiate', peer: 'gateway' })
    return {
      asked: await gateway.core.heard(/^datagram/),
      answered: await client.core.heard(/^datagram/),
      port: to,
      clientPort: client.udp[0]!.port,
    }
  }

  it('RFC 3948 §2: carries IKE both ways, the marker off', async () => {
    const { asked, answered, port, clientPort } = await exchange(LOOPBACK, LOOPBACK)
    expect(asked).toBe(`datagram ike 127.0.0.1:${port} < 127.0.0.1: 28 × 1`)
    expect(answered).toBe(`datagram ike 127.0.0.1:${clientPort} < 127.0.0.1: 28 × 3`)
  })

  it('a wildcard socket says which of our addresses was reached', async () => {
    const { asked, port } = await exchange('0.0.0.0', LOOPBACK)
    expect(asked).toBe(`datagram ike 127.0.0.1:${port} < 127.0.0.1: 28 × 1`)
  })

  it('without an address there is one port on both families', async () => {
    expect((await exchange(undefined, LOOPBACK)).asked).toMatch(/^datagram ike 127\.0\.0\.1:\d+ < 127\.0\.0\.1: 28 × 1$/)
    if (hasIpv6) expect((await exchange(undefined, '::1')).asked).toMatch(/^datagram ike ::1:\d+ < ::1: 28 × 1$/)
  })

  it('names the address, the port and what to do where the port is taken', async () => {
    const { port } = (await start({ udp: [{ address: LOOPBACK, port: 0 }] })).udp[0]!
    await expect(start({ udp: [{ address: LOOPBACK, port }] })).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: expect.stringContaining(`cannot listen on UDP 127.0.0.1:${port}: another program has that port.`),
    })
  })

  it('RFC 3948 §2: nothing but what goes to port 500 leaves from port 500', async () => {
    const client = await start()
    client.core.answer = (input) => (input.kind === 'command' ? [ask(4500)] : undefined)
    const failures: unknown[] = []
    client.driver.onFailure(({ code }) => failures.push(code))
    client.driver.command({ kind: 'initiate', peer: 'gateway' })
    expect(failures).toEqual(['DATAGRAM_FAILED'])
  })
})
