/** Both programs, their files, real sockets: the framings that are not RFC 9329's, and what passes on the wire. */
import { createServer, type Socket, connect as tcpConnect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  clientUp,
  gatewayRun,
  loadClientConfig,
  loadGatewayConfig,
  Reporter,
  requestDown,
  requestStatus,
  systemPorts,
} from '../../src/index.ts'
import { FakeIo } from '../fake-io.ts'
import { temporaryDirectory, temporaryFile } from '../temporary.ts'

/** TEST ONLY: see the README beside them. */
const FIXTURES = fileURLToPath(new URL('../../../tls-transport/test/fixtures/', import.meta.url))
const CERTIFICATE = join(FIXTURES, 'test-only-certificate.pem')
const SECRET = 'correct horse battery staple 4500'

describe('the framing 3gpp-ftt: TS 24.302 annex F', () => {
  it('F.2.2.2.2 (F-1, F-2): TCP, TLS with the name of the gateway in SNI, IKEv2 and a Child SA through it; F.2.1 (F-5): kept open', async () => {
    const gateway = await startGateway('[listen]\nudp = []\ntcp = []\ntls = [{ port = 0, address = "127.0.0.1", framing = "3gpp-ftt" }]')
    const wire = await tap(gateway.port)
    const client = startClient(`transports = [{ transport = "tls", port = ${wire.port}, framing = "3gpp-ftt" }]`)
    await client.io.said('tunnel up')
    expect(client.io.told.out).toContain(`over tls 127.0.0.1:${wire.port} (3gpp-ftt framing)`)
    expect(serverName(wire.heard[0]!)).toBe('gateway.test')
    expect((await requestStatus(gateway.control)).session.connections).toMatchObject([{ framing: '3gpp-ftt' }])
    await client.counted('ftt-keepalives-out', 2)
    expect((await requestStatus(gateway.control)).session.counters['ftt-keepalives-out']).toBeUndefined()
    expect(await requestDown(client.control)).toEqual([])
    expect(await client.exit).toBe(0)
    await gateway.io.said('closed by the other end')
  })

  it('F.2.2.2.3 (F-1, F-3): HTTP CONNECT with the name of the gateway and the port, and TLS once the proxy has said 200', async () => {
    const gateway = await startGateway('[listen]\nudp = []\ntcp = []\ntls = ["127.0.0.1:0"]\nframing = "3gpp-ftt"')
    const proxy = await startProxy('200 Connection established')
    const client = startClient(
      `transports = [{ transport = "tls", port = ${gateway.port}, via = "http://127.0.0.1:${proxy.port}" }]\nframing = "3gpp-ftt"`,
    )
    await client.io.said('tunnel up')
    expect(proxy.asked).toEqual([`CONNECT gateway.test:${gateway.port} HTTP/1.1`])
    // A TLS record of type handshake is what follows.
    expect(proxy.passed[0]![0]).toBe(0x16)
    expect((await requestStatus(gateway.control)).session.connections).toMatchObject([{ framing: '3gpp-ftt' }])
  })

  it('F.2.2.2.3 (F-3): a proxy that answers anything but 2xx gets no TLS, and the client says so', async () => {
    const proxy = await startProxy('403 Forbidden')
    const client = startClient(
      `transports = [{ transport = "tls", port = 443, via = "http://127.0.0.1:${proxy.port}" }]\nframing = "3gpp-ftt"`,
    )
    expect(await client.exit).toBe(4)
    expect(client.io.told.err).toContain('403')
    expect(proxy.asked[0]).toBe('CONNECT gateway.test:443 HTTP/1.1')
    expect(proxy.passed).toEqual([])
  })
})

describe('the framing pauly-03: draft-pauly-ipsecme-tcp-encaps-03', () => {
  it('no prefix, a Length of 32 bits; the client closes TCP when its IKE SA is gone', async () => {
    const gateway = await startGateway('[listen]\nudp = []\ntcp = ["127.0.0.1:0"]\nframing = "pauly-03"')
    const wire = await tap(gateway.port)
    const client = startClient(`transports = [{ transport = "tcp", port = ${wire.port}, framing = "pauly-03" }]`)
    await client.io.said('tunnel up')
    const first = wire.heard[0]!
    expect(first.readUInt32BE(0)).toBe(first.length)
    expect([...first.subarray(4, 8)]).toEqual([0, 0, 0, 0])
    expect((await requestStatus(gateway.control)).session.connections).toMatchObject([{ framing: 'pauly-03' }])
    expect(await requestDown(client.control)).toEqual([])
    expect(await client.exit).toBe(0)
    await wire.ended
    expect((await requestStatus(gateway.control)).session.ikeSas).toEqual([])
  })

  it('RFC 9329 §4 (T-PFX-7): an end of another framing is not understood, and is told nothing', async () => {
    const gateway = await startGateway('[listen]\nudp = []\ntcp = ["127.0.0.1:0"]\nframing = "pauly-03"')
    const client = startClient(`transports = ["tcp:${gateway.port}"]`)
    expect(await client.exit).toBe(4)
    expect((await requestStatus(gateway.control)).session).toMatchObject({ ikeSas: [], halfOpen: 0 })
  })
})

async function startGateway(listen: string) {
  const io = new FakeIo()
  const control = join(temporaryDirectory(), 'g.sock')
  const file = temporaryFile(
    'gateway.toml',
    `control = ${JSON.stringify(control)}
tun = "memory"
provider = { crypto = "noble" }
timers = { ftt_keepalive = "1s" }
${listen}
${listen.includes('tls') ? `[tls]\ncert_file = ${JSON.stringify(CERTIFICATE)}\nkey_file = ${JSON.stringify(join(FIXTURES, 'test-only-key.pem'))}` : ''}
[[connection]]
name = "people"
local_id = "@gw"
remote_id = "alice@example.com"
psk = "${SECRET}"
local = ["10.2.0.0/24"]
pool = { ranges = ["10.99.0.2-10.99.0.9"] }
`,
  )
  const exit = gatewayRun({ config: loadGatewayConfig(file), io, ports: systemPorts, reporter: reporter(io) })
  ended(io, exit)
  await io.said('gateway up')
  return { io, control, port: Number(/:(\d+)\/tcp/.exec(io.told.out)![1]) }
}

function startClient(peer: string) {
  const io = new FakeIo()
  const control = join(temporaryDirectory(), 'c.sock')
  const isProxied = peer.includes('via')
  const file = temporaryFile(
    'client.toml',
    `control = ${JSON.stringify(control)}
tun = "memory"
provider = { crypto = "noble" }
timers = { handshake = "3s" }
[peer]
name = "gw"
gateway = "${isProxied ? 'gateway.test' : '127.0.0.1'}"
local_id = "alice@example.com"
remote_id = "@gw"
psk = "${SECRET}"
${peer}
${peer.includes('tls') ? `tls = { ca_file = ${JSON.stringify(CERTIFICATE)}, servername = "gateway.test" }` : ''}
`,
  )
  const exit = clientUp({ config: loadClientConfig(file), keepRetrying: false, io, ports: systemPorts, reporter: reporter(io) })
  ended(io, exit)
  const counted = async (counter: string, least: number): Promise<void> => {
    while (((await requestStatus(control)).session.counters[counter] ?? 0) < least) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { io, control, exit, counted }
}

function ended(io: FakeIo, exit: Promise<number>): void {
  onTestFinished(async () => {
    io.signal('SIGINT')
    await exit
  })
}

function reporter(io: FakeIo): Reporter {
  return new Reporter({ out: io.out, err: io.err, json: false, level: 'info', colour: false })
}

/** Between a client and its gateway: what the client sent, and when it has ended. */
async function tap(port: number) {
  const heard: Buffer[] = []
  let onEnd = (): void => {}
  const hasEnded = new Promise<void>((resolve) => {
    onEnd = resolve
  })
  const near = await listening((socket) => {
    socket.on('data', (bytes) => heard.push(bytes)).on('end', onEnd)
    joined(socket, port)
  })
  return { port: near, heard, ended: hasEnded }
}

/** An HTTP proxy that gives everybody the same answer, and goes on where that is a good one; it knows gateway.test. */
async function startProxy(answer: string) {
  const asked: string[] = []
  const passed: Buffer[] = []
  const port = await listening((socket) => {
    let head = ''
    const onData = (bytes: Buffer): void => {
      head += bytes.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      socket.off('data', onData)
      asked.push(head.split('\r\n')[0]!)
      socket.on('data', (more) => passed.push(more))
      socket.write(`HTTP/1.1 ${answer}\r\n\r\n`)
      const target = /^CONNECT gateway\.test:(\d+) /.exec(head)?.[1]
      if (answer.startsWith('2') && target !== undefined) joined(socket, Number(target))
      else socket.end()
    }
    socket.on('data', onData)
  })
  return { port, asked, passed }
}

async function listening(onConnection: (socket: Socket) => void): Promise<number> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {}).on('close', () => open.delete(socket))
    onConnection(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    for (const socket of open) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as { port: number }).port
}

function joined(near: Socket, port: number): void {
  const far = tcpConnect(port, '127.0.0.1')
  far.on('error', () => near.destroy()).on('close', () => near.destroy())
  near.on('close', () => far.destroy())
  near.pipe(far).pipe(near)
}

/** Of a ClientHello (RFC 8446 §4.1.2, RFC 6066 §3): all that is before the extensions has a length of its own. */
function serverName(record: Buffer): string | undefined {
  let at = 5 + 4 + 2 + 32
  at += 1 + record[at]!
  at += 2 + record.readUInt16BE(at)
  at += 1 + record[at]!
  const end = at + 2 + record.readUInt16BE(at)
  for (at += 2; at < end; at += 4 + record.readUInt16BE(at + 2)) {
    if (record.readUInt16BE(at) !== 0) continue
    return record.subarray(at + 9, at + 9 + record.readUInt16BE(at + 7)).toString('latin1')
  }
  return undefined
}
