import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { loadClientConfig } from '@underpass/host'
import { describe, expect, it } from 'vitest'
import { configFile, type ProgramRun, runProgram } from '../../../packages/host/test/program-run.ts'
import { main } from '../src/program.ts'

const EXAMPLE = fileURLToPath(new URL('../examples/client.toml', import.meta.url))
const PEER =
  'control = "CONTROL"\ntun = "memory"\n[peer]\ngateway = "127.0.0.1"\nlocal_id = "alice@example.com"\npsk = "correct horse battery staple"\n'

describe('underpass check-config', () => {
  it('says what the example would do, without its secret; exit code 0', async () => {
    const { exitCode, out } = await underpass('check-config', '--config', EXAMPLE)
    expect(exitCode).toBe(0)
    expect(out).toContain('connect to vpn.example.com: udp:500 (4500 where a NAT is found), else tcp:4500\n')
    expect(out).toContain('we are alice@example.com, they are @vpn.example.com (a secret of 33 octets)')
    expect(out).toContain('ip -4 route add 10.2.0.0/24 dev underpass0 proto 157')
    expect(out).not.toContain('correct horse')
  })

  it('--json: the same as data', async () => {
    const { out } = await underpass('check-config', '--config', EXAMPLE, '--json')
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      config: {
        gateway: 'vpn.example.com',
        peer: { auth: { local: { kind: 'shared-key', secret: '33 octets' } }, localId: 'alice@example.com', esn: true },
      },
    })
    expect(out).not.toContain('correct horse')
  })

  it('the values that the example has commented out are the defaults', () => {
    const written = loadClientConfig(EXAMPLE)
    // Not those that exclude what is there, nor those that name another file or another list, nor what is the kernel's to choose.
    const uncommented = readFileSync(EXAMPLE, 'utf8').replace(
      /^# (?!local |address |ike |esp |control |congestion_control )(\w+ = .*)$/gm,
      '$1',
    )
    expect(uncommented).not.toBe(readFileSync(EXAMPLE, 'utf8'))
    const all = loadClientConfig(file(uncommented))
    expect({ ...all, file: '', warnings: [] }).toEqual({ ...written, file: '', warnings: [] })
  })

  it('a mistake is one line with file, line and key; exit code 2', async () => {
    const path = file(`${PEER}transports = ["udp", "tpc:4500"]\n`)
    const { exitCode, out, err } = await underpass('check-config', '--config', path)
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
    expect(err).toBe(
      `${path}:7: peer.transports[1]: "tpc:4500" is not a transport; use "udp", "udp:PORT", "tcp:PORT", "tls:PORT" or "tls:PORT via http://proxy:3128"; did you mean "tcp:4500"?\n`,
    )
  })

  it('a file that is not there: exit code 2', async () => {
    expect(await underpass('check-config', '--config', '/nowhere/client.toml')).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('/nowhere/client.toml: cannot be read'),
    })
  })
})

describe('underpass up', () => {
  it('--dry-run prints the plan and does nothing; exit code 0', async () => {
    const path = file(PEER)
    const { exitCode, out } = await underpass('up', '--dry-run', '--config', path)
    expect(exitCode).toBe(0)
    expect(out).toMatch(/^Nothing is done now\. With \S+client\.toml, without --dry-run, "up" would:\n\nconnect to 127\.0\.0\.1: /)
    expect(out).toMatch(/\nchange nothing on this host: tun = "memory"\n$/)
    expect((await underpass('status', '--config', path)).exitCode).toBe(1)
  })

  it('--dry-run --json: the plan as data, also where the gateway may be anyone', async () => {
    const { out } = await underpass('up', '--dry-run', '--json', '--config', file(PEER))
    expect(JSON.parse(out)).toMatchObject({ ok: true, plan: expect.arrayContaining(['change nothing on this host: tun = "memory"']) })
  })

  it('nobody answers: exit code 4 (--json: a summary comes last)', async () => {
    const port = await freePort()
    const { exitCode, out } = await underpass('up', '--json', '--config', file(`${PEER}transports = ["tcp:${port}"]\n`))
    expect(exitCode).toBe(4)
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines.map(({ kind }) => kind)).toContain('transport-failed')
    expect(lines.at(-1)).toMatchObject({ kind: 'summary', exitCode: 4 })
  })

  it('Ctrl-C while it tries: exit code 130, as nothing was up; SIGTERM: 0', async () => {
    const port = await freePort()
    const running = underpass('up', '--keep-retrying', '--config', file(`${PEER}transports = ["tcp:${port}"]\n`))
    await running.io.said('trying again')
    running.io.signal('SIGINT')
    expect((await running).exitCode).toBe(130)
    const stopped = underpass('up', '--keep-retrying', '--config', file(`${PEER}transports = ["tcp:${port}"]\n`))
    await stopped.io.said('trying again')
    stopped.io.signal('SIGTERM')
    expect((await stopped).exitCode).toBe(0)
  })

  it('--log-level error prints errors and nothing else', async () => {
    const port = await freePort()
    const { out, err } = await underpass('up', '--log-level', 'error', '--config', file(`${PEER}transports = ["tcp:${port}"]\n`))
    expect(out).toBe('')
    expect(err).toMatch(/^the gateway cannot be reached: [^\n]+; --keep-retrying goes on\n$/)
  })

  it('a first attempt that fails ends with its reason, and promises no other', async () => {
    const port = await freePort()
    const { out, err } = await underpass('up', '--config', file(`${PEER}transports = ["tcp:${port}"]\n`))
    expect(out).not.toMatch(/again in|\bdown\b/)
    expect(err).toMatch(/^the gateway cannot be reached: /)
  })

  it('a wrong configuration: exit code 2', async () => {
    expect((await underpass('up', '--config', file('[peer]\n'))).exitCode).toBe(2)
  })

  it.each(['check-config', 'up --dry-run', 'up'])(
    'a congestion control that cannot be had here is a wrong configuration: %s',
    async (command) => {
      const path = file(`tcp.congestion_control = "no-such"\n${PEER}`)
      const { exitCode, out, err } = await underpass(...command.split(' '), '--config', path)
      expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
      expect(err).toMatch(new RegExp(`^${path}:1: tcp\\.congestion_control: "no-such" .*\\n$`))
    },
  )

  it.each(['check-config', 'up --dry-run', 'up'])('a CPU that cannot be had here is a wrong configuration: %s', async (command) => {
    const path = file(`cpus = [1023]\n${PEER}`)
    const { exitCode, out, err } = await underpass(...command.split(' '), '--config', path)
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
    expect(err).toMatch(new RegExp(`^${path}:1: cpus\\[0\\]: (1023 is not among the CPUs|a CPU can only be chosen) .*\\n$`))
  })
})

/** What `runCommandLine` of @underpass/host does for either program is tested here, on a real commander. */
describe('underpass', () => {
  it.each([[['fly']], [['up', '--config']], [['up', '--log-level', 'loud']], [['status', '--bogus']]])('%j: exit code 2', async (argv) => {
    const { exitCode, err } = await underpass(...argv)
    expect(exitCode).toBe(2)
    expect(err).toMatch(/^error: /)
  })

  it('a file without --config: says so; exit code 2', async () => {
    const { exitCode, err } = await underpass('up', 'client.toml')
    expect(exitCode).toBe(2)
    expect(err).toMatch(/^error: too many arguments for 'up'.*\ndid you mean --config client\.toml\?\n$/)
    expect((await underpass('up', 'now')).err).not.toContain('did you mean')
  })

  it('--help and --version: exit code 0', async () => {
    expect(await underpass('--help')).toMatchObject({ exitCode: 0, out: expect.stringContaining('4 gateway unreachable') })
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { readonly version: string }
    expect(await underpass('--version')).toMatchObject({ exitCode: 0, out: `${version}\n` })
  })

  it('status and down where nothing runs: exit code 1', async () => {
    for (const command of ['status', 'down']) {
      expect(await underpass(command, '--control', '/nowhere/c.sock')).toMatchObject({
        exitCode: 1,
        err: 'nothing is running: nobody answers on /nowhere/c.sock\n',
      })
    }
  })
})

function underpass(...argv: readonly string[]): ProgramRun {
  return runProgram(main, argv)
}

function file(text: string): string {
  return configFile('client.toml', text)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { readonly port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
