/** What comes before what when a program starts. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { gatewayRun, loadGatewayConfig, Reporter } from '../../src/index.ts'
import { lookupProblem } from '../../src/names/addresses.ts'
import { type FakeWorld, fakeWorld } from '../fake-session.ts'
import { temporaryDirectory, temporaryFile } from '../temporary.ts'

describe('the gateway’s start', () => {
  it('a port that is taken: the host is not changed, no device is opened', async () => {
    const { world, exit } = gateway({
      start: async () => {
        throw new Error('cannot listen on UDP 0.0.0.0:500: another program has that port')
      },
      openDevice: () => {
        throw new Error('opened all the same')
      },
    })
    expect(await exit).toBe(1)
    expect(world.ip.commands).toEqual([])
    expect(world.io.told.err).toBe('cannot listen on UDP 0.0.0.0:500: another program has that port\n')
  })

  it('a peer that comes while the host is being changed is in the log, and gets the device once it is there', async () => {
    const { world, exit } = gateway({})
    world.session.onAttach = () => expect(world.ip.commands).toContain('ip link set dev underpass-gw0 mtu 1400 up')
    const { run } = world.ports
    let hasCome = false
    Object.assign(world.ports, {
      run: async (program: string, args: readonly string[]) => {
        if (!hasCome) world.session.emit({ kind: 'liveness', ikeSa: '1', peer: 'early', result: 'dead' })
        hasCome = true
        return await run(program, args)
      },
    })
    await world.io.said('gateway up')
    expect(world.io.told.out).toContain('early: the other end does not answer any more')
    expect(world.session.tun).toMatchObject({ name: 'underpass-gw0' })
    world.io.signal('SIGINT')
    expect(await exit).toBe(0)
  })
})

describe('a name that has no address', () => {
  it.each([
    ['EAI_AGAIN', 'getaddrinfo EAI_AGAIN vpn.example.com', 'no name server answered'],
    ['ENOTFOUND', 'getaddrinfo ENOTFOUND vpn.example.com', 'no such name'],
    ['DNS_ENOTFOUND', 'getaddrinfo DNS_ENOTFOUND', 'no such name'],
    ['', 'failed to lookup address information: Temporary failure in name resolution', 'no name server answered'],
    ['', 'failed to lookup address information: Name or service not known', 'no such name'],
    ['EMFILE', 'too many open files', 'too many open files'],
  ])('%s %s: %s', (code, message, words) => {
    expect(lookupProblem(Object.assign(new Error(message), { code }))).toBe(words)
  })
})

function gateway(ports: Partial<FakeWorld['ports']>): { world: FakeWorld; exit: Promise<number> } {
  const world = fakeWorld()
  Object.assign(world.ports, ports)
  const file = temporaryFile(
    'gateway.toml',
    `control = ${JSON.stringify(join(temporaryDirectory(), 'g.sock'))}
[[connection]]
name = "people"
local_id = "@gw"
psk = "0123456789abcdef"
pool = { ranges = ["10.99.0.2-10.99.0.9"] }
`,
  )
  const reporter = new Reporter({ out: world.io.out, err: world.io.err, json: false, level: 'info', colour: false })
  return { world, exit: gatewayRun({ config: loadGatewayConfig(file), io: world.io, ports: world.ports, reporter }) }
}
