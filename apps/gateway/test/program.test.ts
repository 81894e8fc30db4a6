import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { loadGatewayConfig } from '@underpass/host'

import { describe, expect, it, onTestFinished } from 'vitest'
import { configFile, type ProgramRun, runProgram } from '../../../packages/host/test/program-run.ts'
import { tcpSockets } from '../../../packages/tls-transport/src/index.ts'
import { main } from '../src/program.ts'

const EXAMPLE = fileURLToPath(new URL('../examples/gateway.toml', import.meta.url))

const PROGRAM = fileURLToPath(new URL('../dist/underpass-gateway.js', import.meta.url))

/** Of this kernel. */
function controls(which: 'allowed' | 'available'): string[] {
  const path = `/proc/sys/net/ipv4/tcp_${which}_congestion_control`
  return existsSync(path) ? readFileSync(path, 'latin1').trim().split(' ') : []
}

describe('underpass-gateway check-config', () => {
  it('says what the example would do, without its secrets; exit code 0', async () => {
    const { exitCode, out } = await gateway('check-config', '--config', EXAMPLE)
    expect(exitCode).toBe(0)
    expect(out).toContain('listen on UDP port 500, port 4500; on TCP port 4500, port 4501\n')
    expect(out).toContain('serve people/alice@example.com\n')
    expect(out).toContain('serve branch\n')
    expect(out).toContain('hand out 10.99.0.2-10.99.0.254; name servers 10.2.0.53; announce 10.2.0.0/24')
    expect(out).toContain('ip -4 route add 10.99.0.0/24 dev underpass-gw0 proto 157')
    expect(out).not.toMatch(/correct horse|tortoise|8a1f5c3e/)
  })

  it('the values that the example has commented out are the defaults', () => {
    const written = loadGatewayConfig(EXAMPLE)
    // Not those that name another file or another list, nor what is the kernel's to choose.
    const uncommented = readFileSync(EXAMPLE, 'utf8').replace(
      /^# (?!address |remote_id |ike |esp |control |congestion_control )(\w+ = .*)$/gm,
      '$1',
    )
    expect(uncommented).not.toBe(readFileSync(EXAMPLE, 'utf8'))
    const all = loadGatewayConfig(file(uncommented))
    expect({ ...all, file: '', warnings: [] }).toEqual({ ...written, file: '', warnings: [] })
  })
})

describe('underpass-gateway run', () => {
  const FILE =
    'control = "CONTROL"\ntun = "memory"\n[listen]\nudp = []\ntcp = ["127.0.0.1:0"]\n[[connection]]\nname = "people"\nlocal_id = "@gw"\npsk = "correct horse battery staple"\npool = { ranges = ["10.99.0.2"] }\n'

  it('serves until SIGTERM; status shows it; exit code 0', async () => {
    const path = file(FILE)
    const running = gateway('run', '--config', path)
    await running.io.said('/tcp, no device\n')
    expect((await gateway('status', '--config', path)).out).toMatch(/listening on 127\.0\.0\.1:\d+\/tcp\n\npeople: idle\n/)
    running.io.signal('SIGTERM')
    expect(await running).toMatchObject({ exitCode: 0, err: '' })
    expect((await gateway('status', '--config', path)).exitCode).toBe(1)
  })

  // The kernel always has it. Where there are no native sockets it is a wrong configuration.
  it.runIf(tcpSockets().kind === 'native')('status says which congestion control and what becomes of acknowledgements', async () => {
    const path = file(`tcp = { congestion_control = "reno", thin_acks = true }\n${FILE}`)
    const running = gateway('run', '--config', path)
    await running.io.said('gateway up')
    expect((await gateway('status', '--config', path)).out).toContain(
      '\ncongestion control of TCP: reno; TCP acknowledgements that wait are thinned\n',
    )
    expect(JSON.parse((await gateway('status', '--json', '--config', path)).out)).toMatchObject({
      congestionControl: 'reno',
      thinsAcks: true,
    })
    running.io.signal('SIGTERM')
    await running
  })

  it('goes down when asked to; exit code 0 on both sides', async () => {
    const path = file(FILE)
    const running = gateway('run', '--config', path, '--json')
    await running.io.said('gateway-up')
    expect(await gateway('down', '--config', path)).toMatchObject({ exitCode: 0, out: 'down\n' })
    const { exitCode, out } = await running
    expect(exitCode).toBe(0)
    expect(JSON.parse(out.trimEnd().split('\n').at(-1)!)).toMatchObject({ kind: 'summary', exitCode: 0, reason: 'down' })
  })

  it('a second one with the same control socket is refused; exit code 1', async () => {
    const path = file(FILE)
    const running = gateway('run', '--config', path)
    await running.io.said('gateway up')
    expect(await gateway('run', '--config', path)).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('there is one running already'),
    })
    running.io.signal('SIGINT')
    await running
  })

  it('a port that is taken: one line that says which; exit code 1', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as { readonly port: number }
    const { exitCode, err } = await gateway('run', '--config', file(FILE.replace('127.0.0.1:0', `127.0.0.1:${port}`)))
    expect(exitCode).toBe(1)
    expect(err).toMatch(new RegExp(`^cannot listen on TCP 127\\.0\\.0\\.1:${port}: .*\n$`))
  })

  // Where all that the kernel has is allowed to all, as with reno and cubic alone, there is nothing to refuse. The kernel allows any of them to
  // whoever may change the network. Root without that right is had by setpriv(1), which Debian always has.
  const RUN = process.versions['deno'] === undefined ? [process.execPath] : [process.execPath, 'run', '-A']
  const [forbidden] = controls('available').filter((name) => !controls('allowed').includes(name))
  const withoutRight = ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin']
  const canDrop = spawnSync(withoutRight[0]!, [...withoutRight.slice(1), 'true']).status === 0
  const isPossible = forbidden !== undefined && canDrop && existsSync(PROGRAM) && tcpSockets().kind === 'native'
  it.runIf(isPossible)('a congestion control that is not allowed: one line with file, line, key and what is; exit code 2', () => {
    const words = [...withoutRight, ...RUN, PROGRAM, 'run', '--config', file(`tcp.congestion_control = "${forbidden}"\n${FILE}`)]
    const { status, stderr } = spawnSync(words[0]!, words.slice(1), { encoding: 'utf8', timeout: 20_000 })
    expect(stderr).toMatch(
      /^\S+gateway\.toml:1: tcp\.congestion_control: "\w+" is not allowed without CAP_NET_ADMIN; allowed is: .*reno.*\n$/,
    )
    expect(status).toBe(2)
  })

  it('--dry-run does nothing; exit code 0', async () => {
    expect(await gateway('run', '--dry-run', '--config', file(FILE))).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('serve people\n'),
    })
  })
})

describe('underpass-gateway', () => {
  it('--help: its own words; exit code 0', async () => {
    const { exitCode, out } = await gateway('--help')
    expect(exitCode).toBe(0)
    expect(out).toContain('Serves IKEv2 tunnels over UDP and TCP.')
    expect(out).toContain('Exit codes: 0 fine, 1 failure, 2 wrong usage or configuration.\n')
    expect(out).not.toContain('--keep-retrying')
  })

  it('--version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { readonly version: string }
    expect(await gateway('--version')).toMatchObject({ exitCode: 0, out: `${version}\n` })
  })
})

function gateway(...argv: readonly string[]): ProgramRun {
  return runProgram(main, argv)
}

function file(text: string): string {
  return configFile('gateway.toml', text)
}
