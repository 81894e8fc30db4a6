/** The one test with the kernel's own routing: in a network namespace of its own, so only where this process is root on Linux. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ClientNetwork, type CommandRunner, HostNetwork, Journal, journalOwner, recover, runCommand } from '../../src/index.ts'
import { temporaryDirectory } from '../temporary.ts'
import { comesUp, pathTo } from './session-events.ts'

describe.skipIf(!canUnshare())('in a network namespace', () => {
  it('a default route goes through the tunnel, the gateway stays outside, and undoing leaves what was there before', async () => {
    const { run, snapshot, wayTo } = await namespace()
    const before = await snapshot()
    const host = new HostNetwork({ run, journal: new Journal(join(temporaryDirectory(), 'journal'), journalOwner()), onNotice: () => {} })
    const network = client(host, run)
    await network.configure('underpass0')
    for (const event of comesUp({ remoteTs: ['0.0.0.0/0'] })) await network.follow(event)
    expect(await wayTo('8.8.8.8')).toMatchObject({ dev: 'underpass0', prefsrc: '10.99.0.2' })
    expect(await wayTo('192.0.2.9')).toMatchObject({ dev: 'eth0', gateway: '198.51.100.1', prefsrc: '198.51.100.7' })
    await network.follow({ kind: 'path-moved', ikeSa: '1', peer: 'p', from: pathTo('192.0.2.9'), to: pathTo('203.0.113.5') })
    expect(await wayTo('203.0.113.5')).toMatchObject({ dev: 'eth0', gateway: '198.51.100.1' })
    expect(await wayTo('192.0.2.9')).toMatchObject({ dev: 'underpass0' })
    expect(await host.removeAll()).toEqual([])
    expect(await snapshot()).toBe(before)
  })

  it('after a kill, the next start finds the journal and undoes what the kernel has not', async () => {
    const { run, snapshot } = await namespace()
    const before = await snapshot()
    const journal = join(temporaryDirectory(), 'journal')
    const killed = { ...journalOwner(), pid: 4_194_305 }
    const host = new HostNetwork({ run, journal: new Journal(journal, killed), onNotice: () => {} })
    const network = client(host, run)
    await network.configure('underpass0')
    for (const event of comesUp({ remoteTs: ['0.0.0.0/0'] })) await network.follow(event)
    // What the kernel does when the process that holds a TUN dies; and then it is made anew, as it was before.
    await run('ip', ['link', 'del', 'underpass0'])
    await run('ip', ['tuntap', 'add', 'dev', 'underpass0', 'mode', 'tun'])
    expect(await snapshot()).not.toBe(before)
    expect(await recover(journal, run, journalOwner())).toEqual([
      expect.stringMatching(/^route 192\.0\.2\.9\/32 via 198\.51\.100\.1 on eth0/),
    ])
    expect(await snapshot()).toBe(before)
  })

  it('a route to the gateway that the host had already is neither replaced nor taken away', async () => {
    const { run, snapshot } = await namespace()
    await run('ip', ['route', 'add', '192.0.2.9/32', 'via', '198.51.100.2', 'dev', 'eth0'])
    const before = await snapshot()
    const notices: string[] = []
    const host = new HostNetwork({
      run,
      journal: new Journal(join(temporaryDirectory(), 'journal'), journalOwner()),
      onNotice: (text) => notices.push(text),
    })
    const network = client(host, run)
    await network.configure('underpass0')
    for (const event of comesUp({ remoteTs: ['0.0.0.0/0'] })) await network.follow(event)
    expect(notices.join()).toContain('there is one already; it is left as it is')
    await host.removeAll()
    expect(await snapshot()).toBe(before)
  })
})

function canUnshare(): boolean {
  try {
    execFileSync('unshare', ['-n', 'ip', 'tuntap', 'add', 'dev', 'probe0', 'mode', 'tun'], { stdio: 'ignore', timeout: 5_000 })
    execFileSync('nsenter', ['--version'], { stdio: 'ignore' })
    return process.getuid?.() === 0
  } catch {
    return false
  }
}

interface Namespace {
  readonly run: CommandRunner
  /** All addresses and routes of both families. */
  snapshot(): Promise<string>
  /** What the kernel says of an address. */
  wayTo(address: string): Promise<unknown>
}

/** With an eth0 that has an address and a default route, and a TUN as `openTun` would have made it. */
async function namespace(): Promise<Namespace> {
  const holder = spawn('unshare', ['-n', 'sleep', '60'], { stdio: 'ignore' })
  onTestFinished(() => void holder.kill('SIGKILL'))
  await inItsOwn(holder)
  const run: CommandRunner = (program, args) => runCommand('nsenter', ['-t', String(holder.pid), '-n', program, ...args])
  for (const line of [
    'link set lo up',
    'link add eth0 type veth peer name far0',
    'link set far0 up',
    'address add 198.51.100.7/24 dev eth0',
    'link set eth0 up',
    'route add default via 198.51.100.1 dev eth0',
    'tuntap add dev underpass0 mode tun',
  ]) {
    expect(await run('ip', line.split(' '))).toMatchObject({ exitCode: 0, stderr: '' })
  }
  const show = async (...words: readonly string[]): Promise<string> =>
    (await run('ip', words)).stdout.replace(/^\d+: /gm, '').replace(/ (qdisc|qlen|link\/\S+).*$/gm, '')
  return {
    run,
    snapshot: async () =>
      [
        await show('-4', 'route', 'show', 'table', 'all'),
        await show('-6', 'route', 'show', 'dev', 'eth0', 'scope', 'global'),
        await show('-4', 'address', 'show'),
      ].join('\n'),
    wayTo: async (address) => (JSON.parse((await run('ip', ['-j', 'route', 'get', address])).stdout) as unknown[])[0],
  }
}

async function inItsOwn(holder: ChildProcess): Promise<void> {
  const ours = readlinkSync('/proc/self/ns/net')
  for (let tries = 0; tries < 500; tries++) {
    try {
      if (readlinkSync(`/proc/${holder.pid}/ns/net`) !== ours) return
    } catch {
      // Not there yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  throw new Error('unshare did not come up')
}

function client(host: HostNetwork, run: CommandRunner): ClientNetwork {
  return new ClientNetwork({
    config: { tun: { device: 'tun', name: 'underpass0', mtu: 1400, addresses: [] }, routes: 'negotiated', dns: 'report' },
    host,
    run,
    onNotice: () => {},
  })
}
