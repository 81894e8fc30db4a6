import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadGatewayConfig, type ProcessIo } from '@underpass/host'
import { describe, expect, it, onTestFinished } from 'vitest'
import { main } from '../src/program.ts'

const EXAMPLE = fileURLToPath(new URL('../examples/gateway.toml', import.meta.url))

describe('underpass-gateway check-config', () => {
  it('says what the example would do, without its secrets; exit code 0', async () => {
    const { exitCode, out } = await gateway('check-config', '--config', EXAMPLE)
    expect(exitCode).toBe(0)
    expect(out).toContain('listen on UDP port 500, port 4500; on TCP port 4500, port 4501\n')
    expect(out).toContain('serve people/alice@example.com\n')
    expect(out).toContain('serve branch\n')
    expect(out).toContain('hands out 10.99.0.2-10.99.0.254; name servers 10.2.0.53; announces 10.2.0.0/24')
    expect(out).toContain('ip -4 route add 10.99.0.0/24 dev underpass-gw0 proto 157')
    expect(out).not.toMatch(/correct horse|tortoise|8a1f5c3e/)
  })

  it('the values that the example has commented out are the defaults', () => {
    const written = loadGatewayConfig(EXAMPLE)
    // Not those that name another file or another list.
    const uncommented = readFileSync(EXAMPLE, 'utf8').replace(/^# (?!address |remote_id |ike |esp |control )(\w+ = .*)$/gm, '$1')
    expect(uncommented).not.toBe(readFileSync(EXAMPLE, 'utf8'))
    const all = loadGatewayConfig(file(uncommented))
    expect({ ...all, file: '', warnings: [] }).toEqual({ ...written, file: '', warnings: [] })
  })

  it('a mistake is one line with file, line and key; exit code 2', async () => {
    const path = file('[[connection]]\nname = "x"\nlocal_id = "@gw"\npool = { rnages = ["10.0.0.0/24"] }\n')
    const { exitCode, err } = await gateway('check-config', '--config', path)
    expect(exitCode).toBe(2)
    expect(err).toContain(`${path}:4: connection[0].pool.rnages: is not a key here; did you mean "ranges"?\n`)
  })
})

describe('underpass-gateway run', () => {
  it('a file without --config: says so; exit code 2', async () => {
    const { exitCode, err } = await gateway('run', 'gateway.toml')
    expect(exitCode).toBe(2)
    expect(err).toMatch(/^error: too many arguments for 'run'.*\ndid you mean --config gateway\.toml\?\n$/)
    expect((await gateway('run', 'now')).err).not.toContain('did you mean')
  })

  const FILE =
    'control = "CONTROL"\ntun = "memory"\n[listen]\nudp = []\ntcp = ["127.0.0.1:0"]\n[[connection]]\nname = "people"\nlocal_id = "@gw"\npsk = "correct horse battery staple"\npool = { ranges = ["10.99.0.2"] }\n'

  it('serves until SIGTERM; status shows it; exit code 0', async () => {
    const path = file(FILE)
    const running = gateway('run', '--config', path)
    await running.said('gateway up: listening on 127.0.0.1:')
    expect((await gateway('status', '--config', path)).out).toMatch(/listening on 127\.0\.0\.1:\d+\/tcp\n\npeople: idle\n/)
    running.signal('SIGTERM')
    expect(await running).toMatchObject({ exitCode: 0, err: '' })
    expect((await gateway('status', '--config', path)).exitCode).toBe(1)
  })

  it('goes down when asked to; exit code 0 on both sides', async () => {
    const path = file(FILE)
    const running = gateway('run', '--config', path, '--json')
    await running.said('gateway-up')
    expect(await gateway('down', '--config', path)).toMatchObject({ exitCode: 0, out: 'down\n' })
    const { exitCode, out } = await running
    expect(exitCode).toBe(0)
    expect(JSON.parse(out.trimEnd().split('\n').at(-1)!)).toMatchObject({ kind: 'summary', exitCode: 0, reason: 'down' })
  })

  it('a second one with the same control socket is refused; exit code 1', async () => {
    const path = file(FILE)
    const running = gateway('run', '--config', path)
    await running.said('gateway up')
    expect(await gateway('run', '--config', path)).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('there is one running already'),
    })
    running.signal('SIGINT')
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

  it('--dry-run does nothing; exit code 0', async () => {
    expect(await gateway('run', '--dry-run', '--config', file(FILE))).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('serve people\n'),
    })
  })
})

describe('underpass-gateway', () => {
  it.each([[['fly']], [['run', '--config']], [['run', '--log-level', 'loud']]])('%j: exit code 2', async (argv) => {
    expect((await gateway(...argv)).exitCode).toBe(2)
  })

  it('--version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { readonly version: string }
    expect(await gateway('--version')).toMatchObject({ exitCode: 0, out: `${version}\n` })
  })
})

interface Running extends Promise<{ readonly exitCode: number; readonly out: string; readonly err: string }> {
  said(text: string): Promise<void>
  signal(name: string): void
}

function gateway(...argv: readonly string[]): Running {
  const signals: ((name: string) => void)[] = []
  let [out, err] = ['', '']
  const io: ProcessIo = {
    out: {
      write: (text) => {
        out += text
      },
    },
    err: {
      write: (text) => {
        err += text
      },
    },
    env: {},
    onSignal: (listener) => {
      signals.push(listener)
      return () => {}
    },
    onCrash: () => () => {},
    exitNow: () => {},
  }
  const done = main(argv, io).then((exitCode) => ({ exitCode, out, err }))
  return Object.assign(done, {
    async said(text: string) {
      for (const deadline = Date.now() + 5_000; !out.includes(text); ) {
        if (Date.now() > deadline) throw new Error(`"${text}" was not said; only: ${out}${err}`)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
    signal(name: string) {
      for (const listener of signals) listener(name)
    },
  })
}

function file(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'underpass-test-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'gateway.toml')
  writeFileSync(path, text.replace('CONTROL', join(directory, 'g.sock')), { mode: 0o600 })
  return path
}
