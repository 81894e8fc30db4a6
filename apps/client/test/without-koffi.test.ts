/** Both programs as they are installed where the optional dependency koffi is not to be had. Only where they are built. */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ProgramStatus } from '@underpass/host'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../../../packages/host/test/temporary.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const isBuilt = ['client/dist/underpass.js', 'gateway/dist/underpass-gateway.js'].every((file) => existsSync(join(ROOT, 'apps', file)))

// `npm test` and CI build first.
describe.skipIf(!isBuilt)('the programs without koffi', () => {
  it('RFC 9329 §5.1 (T-FB-1): fall back to TCP and bring the tunnel up all the same; one warning and `status` say what is slower, why, and what to do', async () => {
    const place = installWithoutKoffi()
    const gateway = start(place, 'gateway', 'run', GATEWAY)
    const [, port] = /:(\d+)\/tcp/.exec(await said(gateway, 'gateway up'))!
    const client = start(place, 'client', 'up', clientConfig(port!))
    const told = await said(client, 'tunnel up')

    expect(told).toContain(`over tcp 127.0.0.1:${port}`)
    const warnings = told.split('\n').filter((line) => line.includes('slower than it could be'))
    expect(warnings).toEqual([
      expect.stringMatching(/: TCP over node:net, UDP over node:dgram, ESP by [\w:]+ \(koffi cannot be loaded.*\); install the optional/),
    ])
    for (const role of ['client', 'gateway'] as const) {
      const { runsOn, session } = JSON.parse(await outputOf(run(place, role, 'status', '--json'))) as ProgramStatus
      expect(session.ikeSas).toMatchObject([{ state: 'ESTABLISHED', path: { transport: 'tcp' } }])
      expect(runsOn).toMatchObject({
        runtime: { name: RUNTIME, platform: process.platform, arch: process.arch },
        tcp: { kind: 'node', isFallback: true, reason: expect.stringContaining('koffi cannot be loaded') },
        udp: { kind: 'dgram', isFallback: true, reason: expect.stringContaining('koffi cannot be loaded') },
        esp: { isFallback: true, reason: expect.stringMatching(/openssl is not available \(koffi cannot be loaded/) },
        offload: { kind: 'no', isFallback: false },
      })
      expect(await outputOf(run(place, role, 'status'))).toMatch(
        /\nruns on \w+ [\d.]+, \w+ \w+\n {2}TCP sockets: node:net, koffi .+\n {2}UDP sockets: node:dgram, koffi .+\n {2}ESP cryptography: .+, openssl .+\n {2}TUN offloads: no, .+\n/,
      )
    }
    for (const child of [client, gateway]) {
      process.kill(child.pid!, 'SIGTERM')
      expect(await exitOf(child)).toBe(0)
    }
  }, 60_000)

  // The demonstration starts its processes as Node does.
  it.runIf(RUNTIME === 'node')(
    'carry traffic without privileges: the download of the demonstration in memory is equal byte for byte',
    async () => {
      const place = installWithoutKoffi()
      for (const folder of ['demo', 'tools']) cpSync(join(ROOT, folder), join(place, folder), { recursive: true })
      mkdirSync(join(place, 'apps'))
      for (const role of ['client', 'gateway']) symlinkSync(join(place, 'node_modules/@underpass', role), join(place, 'apps', role))
      const options = { json: true, place: 'memory', holds: false, reasons: [] }
      const { out, err } = await ended(spawned(place, [join(place, 'demo/inside.mjs'), JSON.stringify(options)]))
      const download: unknown = expect.objectContaining({ name: 'HTTP download', ok: true, bytes: 20_000_000 })
      // Not its exit code: its bursts are UDP, of which a busy machine may lose some.
      expect(JSON.parse(out), out + err).toMatchObject({ transport: 'tcp', traffic: expect.arrayContaining([download]) })
    },
    60_000,
  )
})

const RUNTIME = process.versions['bun'] !== undefined ? 'bun' : process.versions['deno'] !== undefined ? 'deno' : 'node'
const PROGRAMS = { client: 'underpass.js', gateway: 'underpass-gateway.js' } as const
const SECRET = 'correct horse battery staple 4500'

const GATEWAY = `control = "gateway.sock"
tun = "memory"
[listen]
udp = ["127.0.0.1:0"]
tcp = ["127.0.0.1:0"]
[[connection]]
name = "people"
local_id = "@gw"
psk = "${SECRET}"
local = ["10.2.0.0/24"]
pool = { ranges = ["10.99.0.2-10.99.0.9"] }
`

/** Nobody has UDP port 9 (discard) of this machine. */
function clientConfig(port: string): string {
  return `control = "client.sock"
tun = "memory"
[peer]
gateway = "127.0.0.1"
local_id = "@me"
remote_id = "@gw"
psk = "${SECRET}"
transports = ["udp:9", "tcp:${port}"]
`
}

/** A project with our packages as built and what they need from others, but for koffi. */
function installWithoutKoffi(): string {
  const place = temporaryDirectory()
  const modules = join(place, 'node_modules')
  mkdirSync(join(modules, '@underpass'), { recursive: true })
  writeFileSync(join(place, 'package.json'), '{ "type": "module", "private": true }')
  for (const folder of ['packages', 'apps']) {
    for (const name of readdirSync(join(ROOT, folder))) {
      const from = join(ROOT, folder, name)
      const { dependencies = {} } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8')) as { dependencies?: object }
      for (const part of ['package.json', 'dist']) cpSync(join(from, part), join(modules, '@underpass', name, part), { recursive: true })
      for (const other of Object.keys(dependencies)) {
        const target = join(modules, other)
        if (other.startsWith('@underpass/') || existsSync(target)) continue
        mkdirSync(join(target, '..'), { recursive: true })
        const own = join(from, 'node_modules', other)
        symlinkSync(existsSync(own) ? own : join(ROOT, 'node_modules', other), target)
      }
    }
  }
  return place
}

function start(place: string, role: keyof typeof PROGRAMS, command: string, config: string): ChildProcess {
  writeFileSync(join(place, `${role}.toml`), config, { mode: 0o600 })
  return run(place, role, command)
}

function run(place: string, role: keyof typeof PROGRAMS, ...words: readonly string[]): ChildProcess {
  return spawned(place, [join('node_modules', '@underpass', role, 'dist', PROGRAMS[role]), ...words, '--config', `${role}.toml`])
}

function spawned(place: string, words: readonly string[]): ChildProcess {
  const runtime = RUNTIME === 'deno' ? ['run', '-A'] : []
  const child = spawn(process.execPath, [...runtime, ...words], {
    cwd: place,
    // The demonstration keeps its logs where something failed.
    env: { ...process.env, TMPDIR: place },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

interface Told {
  readonly exitCode: number | null
  readonly out: string
  readonly err: string
}

async function ended(child: ChildProcess): Promise<Told> {
  const told = { out: '', err: '' }
  for (const [name, stream] of [
    ['out', child.stdout!],
    ['err', child.stderr!],
  ] as const) {
    stream.on('data', (chunk) => {
      told[name] += String(chunk)
    })
  }
  const exitCode = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { exitCode, ...told }
}

/** Everything on stdout; an end with anything but 0 is told with what else was said. */
async function outputOf(child: ChildProcess): Promise<string> {
  const { exitCode, out, err } = await ended(child)
  if (exitCode !== 0) throw new Error(`it ended with ${exitCode}: ${out}${err}`)
  return out
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve(child.exitCode)
    else child.on('exit', (code) => resolve(code))
  })
}

/** What it had said by then. */
function said(child: ChildProcess, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = ''
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (chunk) => {
        heard += String(chunk)
        if (heard.includes(text)) resolve(heard)
      })
    }
    child.on('exit', () => reject(new Error(`it ended without saying "${text}": ${heard}`)))
  })
}
