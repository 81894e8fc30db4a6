/** Both programs in this process, over the real runtime and loopback, with memory devices: what only the real core can show. */
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  clientUp,
  gatewayRun,
  loadClientConfig,
  loadGatewayConfig,
  type ProcessIo,
  Reporter,
  requestDown,
  requestStatus,
  systemPorts,
} from '../../src/index.ts'
import { FakeIo } from '../fake-io.ts'
import { temporaryDirectory, temporaryFile } from '../temporary.ts'

const ALICE = 'correct horse battery staple 4500'

describe('a client and a gateway', () => {
  it('come up over TCP, say so, and go down with exit code 0', async () => {
    const gateway = await startGateway()
    const client = startClient(`transports = ["tcp:${gateway.port}"]`)
    await client.io.said('tunnel up')
    expect(client.io.told.out).toMatch(
      new RegExp(`tunnel up: 10\\.99\\.0\\.\\d+, over tcp 127\\.0\\.0\\.1:${gateway.port} \\(.+\\), to 10\\.2\\.0\\.0/24\n`),
    )
    expect((await requestStatus(client.control)).session.peers).toMatchObject([{ name: 'gw', state: 'up' }])
    expect((await requestStatus(gateway.control)).session.ikeSas).toMatchObject([{ remoteId: 'alice@example.com' }])
    expect(await requestDown(client.control)).toEqual([])
    expect(await client.exit).toBe(0)
    await gateway.io.said('closed by the other end')
    expect((await requestStatus(gateway.control)).session.ikeSas).toEqual([])
    gateway.io.signal('SIGTERM')
    expect(await gateway.exit).toBe(0)
  })

  it('come up over UDP', async () => {
    const gateway = await startGateway()
    const client = startClient(`transports = ["udp:${gateway.udpPort}", "tcp:${gateway.port}"]`)
    await client.io.said('tunnel up')
    expect(client.io.told.out).toContain(`over udp 127.0.0.1:${gateway.udpPort} (`)
    client.io.signal('SIGINT')
    expect(await client.exit).toBe(0)
  })

  it('RFC 9329 §5.1 (T-FB-1): where UDP has no answer, TCP is taken, and the line says why', async () => {
    const gateway = await startGateway()
    const client = startClient(`transports = ["udp:9", "tcp:${gateway.port}"]`)
    await client.io.said('tunnel up')
    expect(client.io.told.out).toMatch(new RegExp(`over tcp 127\\.0\\.0\\.1:${gateway.port} \\(.*udp:9.*\\), to`))
    client.io.signal('SIGINT')
    expect(await client.exit).toBe(0)
  })

  it('two people of one connection get two addresses of its pool', async () => {
    const gateway = await startGateway(`\n[[secret]]\nid = "bob@example.com"\npsk = "${ALICE}"`)
    const addresses: string[] = []
    for (const id of ['alice@example.com', 'bob@example.com']) {
      const { io } = startClient(`transports = ["tcp:${gateway.port}"]`, ALICE, id)
      await io.said('tunnel up')
      addresses.push(/tunnel up: (\S+),/.exec(io.told.out)![1]!)
    }
    expect(new Set(addresses).size).toBe(2)
  })

  it('a wrong key: exit code 3 and one line on each side, without the secret', async () => {
    const gateway = await startGateway()
    const client = startClient(`transports = ["tcp:${gateway.port}"]`, 'not the right key at all')
    expect(await client.exit).toBe(3)
    for (const { io } of [client, gateway]) {
      await io.said('authentication failed')
      const told = io.told.out.split('\n').filter((line) => line.includes('authentication failed'))
      expect(told).toHaveLength(1)
      expect(told[0]).toContain('alice@example.com')
      expect(io.told.out + io.told.err).not.toMatch(/correct horse|right key/)
    }
  })

  it('nobody there: exit code 4', async () => {
    const gateway = await startGateway()
    gateway.io.signal('SIGINT')
    await gateway.exit
    const client = startClient(`transports = ["tcp:${gateway.port}"]`)
    expect(await client.exit).toBe(4)
    expect(client.io.told.err).toMatch(/^the gateway cannot be reached: tcp:\d+/)
  })

  it('no proposal fits: exit code 1 and the notify’s name', async () => {
    const gateway = await startGateway('ike = ["aes256gcm16-prfsha512-ecp384"]')
    const client = startClient(`transports = ["tcp:${gateway.port}"]\nike = ["aes128gcm16-prfsha256-x25519"]`)
    expect(await client.exit).toBe(1)
    expect(client.io.told.err).toContain('NO_PROPOSAL_CHOSEN')
  })
})

interface Program {
  readonly io: FakeIo
  readonly control: string
  readonly exit: Promise<number>
}

async function startGateway(connection = ''): Promise<Program & { readonly port: number; readonly udpPort: number }> {
  const io = new FakeIo()
  const control = join(temporaryDirectory(), 'g.sock')
  const file = temporaryFile(
    'gateway.toml',
    `control = ${JSON.stringify(control)}
tun = "memory"
provider = { crypto = "noble" }
[listen]
udp = ["127.0.0.1:0"]
tcp = ["127.0.0.1:0"]
[[connection]]
name = "people"
local_id = "@gw"
local = ["10.2.0.0/24"]
pool = { ranges = ["10.99.0.2-10.99.0.9"] }
${connection}
[[secret]]
id = "alice@example.com"
psk = "${ALICE}"
`,
  )
  const exit = gatewayRun({ config: loadGatewayConfig(file), io, ports: systemPorts, reporter: reporter(io) })
  onTestFinished(async () => {
    io.signal('SIGINT')
    await exit
  })
  await io.said('gateway up')
  const portOf = (protocol: string): number => Number(new RegExp(`:(\\d+)/${protocol}`).exec(io.told.out)![1])
  return { io, control, exit, port: portOf('tcp'), udpPort: portOf('udp') }
}

function startClient(peer: string, psk = ALICE, id = 'alice@example.com'): Program {
  const io = new FakeIo()
  const control = join(temporaryDirectory(), 'c.sock')
  const file = temporaryFile(
    'client.toml',
    `control = ${JSON.stringify(control)}
tun = "memory"
provider = { crypto = "noble" }
[peer]
name = "gw"
gateway = "127.0.0.1"
local_id = "${id}"
remote_id = "@gw"
psk = "${psk}"
${peer}
`,
  )
  const exit = clientUp({
    config: loadClientConfig(file),
    keepRetrying: false,
    io,
    ports: systemPorts,
    reporter: reporter(io),
  })
  onTestFinished(async () => {
    io.signal('SIGINT')
    await exit
  })
  return { io, control, exit }
}

function reporter(io: ProcessIo): Reporter {
  return new Reporter({ out: io.out, err: io.err, json: false, level: 'info', colour: false })
}
