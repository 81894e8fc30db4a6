import { linkSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { requestRekey } from '../../src/control/control-client.ts'
import { cannotBeMade } from '../../src/control/control-server.ts'
import {
  type ControlServer,
  controlPathIn,
  defaultControlPath,
  openControlSocket,
  type ProgramStatus,
  requestDown,
  requestStatus,
} from '../../src/index.ts'
import { temporaryDirectory, temporaryFile } from '../temporary.ts'

const STATUS: ProgramStatus = {
  program: 'underpass',
  pid: 1,
  startedAt: '2026-01-01T00:00:00.000Z',
  configFile: 'client.toml',
  runsOn: {
    runtime: { name: 'node', version: '20.20.2', platform: 'linux', arch: 'x64' },
    tcp: { kind: 'native', isFallback: false },
    udp: undefined,
    esp: undefined,
    offload: undefined,
  },
  host: { device: undefined, listening: [], changes: ['route 10.2.0.0/24 through underpass0'] },
  session: { peers: [], ikeSas: [], connections: [], halfOpen: 0, counters: {} },
  events: [],
}

describe('the control socket', () => {
  it('answers status', async () => {
    const { path } = await open()
    expect(await requestStatus(path)).toEqual(JSON.parse(JSON.stringify(STATUS)))
  })

  it('is its owner’s alone, and so is a directory made for it', async () => {
    const { path } = await open()
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700)
    expect(readdirSync(dirname(path))).toEqual(['client.sock'])
  })

  it('down is answered once everything is undone, with what could not be', async () => {
    let asked = 0
    const control = await open({
      down: () => {
        asked++
        void control.close(['ip del x: no'])
      },
    })
    expect(await requestDown(control.path)).toEqual(['ip del x: no'])
    expect(asked).toBe(1)
    await expect(requestStatus(control.path)).rejects.toMatchObject({ code: 'NOT_RUNNING' })
    expect(readdirSync(dirname(control.path))).toEqual([])
  })

  it('refuses a second one on the same path', async () => {
    const { path } = await open()
    await expect(openControlSocket(path, handlers())).rejects.toMatchObject({
      code: 'ALREADY_RUNNING',
      message: `there is one running already: it answers on ${path}; a second one needs a "control" and a tun.name of its own`,
    })
    expect(await requestStatus(path)).toBeDefined()
    expect(readdirSync(dirname(path))).toEqual(['client.sock'])
  })

  it('replaces a socket that a killed process left', async () => {
    const path = await staleSocket()
    await expect(requestStatus(path)).rejects.toMatchObject({ code: 'NOT_RUNNING' })
    const control = await openControlSocket(path, handlers())
    onTestFinished(() => control.close([]))
    expect((await requestStatus(path)).program).toBe('underpass')
  })

  it('leaves a file alone that is no socket', async () => {
    const path = temporaryFile('client.sock', 'precious')
    await expect(openControlSocket(path, handlers())).rejects.toMatchObject({ code: 'CONTROL_FAILED' })
    expect(readFileSync(path, 'utf8')).toBe('precious')
  })

  it('says in words why it cannot be made', async () => {
    const path = join(temporaryFile('file', ''), 'client.sock')
    await expect(openControlSocket(path, handlers())).rejects.toMatchObject({
      code: 'CONTROL_FAILED',
      message: expect.stringMatching(/client\.sock cannot be used: E[A-Z]+: [a-z ]+; name another one as "control"$/),
    })
  })

  it.each([
    ['EACCES', "EACCES: permission denied, mkdtemp '/run/underpass/client.sock-XXXXXX'"],
    ['EACCES', "EACCES: permission denied, mkdir '/run/underpass'"],
  ])('%s: says who may make it', (code, text) => {
    expect(cannotBeMade(Object.assign(new Error(text), { code }))).toBe(
      'EACCES: permission denied; run as root, or name another one as "control"',
    )
  })

  it('refuses a path longer than a socket’s may be', async () => {
    await expect(openControlSocket(`/tmp/${'x'.repeat(110)}`, handlers())).rejects.toMatchObject({ code: 'CONTROL_FAILED' })
  })

  it('answers what it does not understand, and cuts off a line without end', async () => {
    const { path } = await open()
    expect(await exchange(path, 'nonsense\n{"command":"fly"}\n{}\n[]\nnull\n')).toMatch(/^({"kind":"refused".*\n){5}$/)
    expect(await exchange(path, 'x'.repeat(10_000))).toBe('')
    expect(await requestStatus(path)).toBeDefined()
  })

  it('takes a request in pieces', async () => {
    const { path } = await open()
    expect(await exchange(path, '{"comm', 'and":"sta', 'tus"}\n')).toContain('"kind":"status"')
  })

  it('nobody there', async () => {
    await expect(requestStatus(join(temporaryDirectory(), 'none.sock'))).rejects.toMatchObject({ code: 'NOT_RUNNING' })
  })
})

describe('rekey', () => {
  it('is handed on, for the IKE SA or for its Child SAs', async () => {
    const asked: string[] = []
    const control = await open({ rekey: (what) => asked.push(what) })
    await requestRekey(control.path, 'ike-sa')
    await requestRekey(control.path, 'child-sa')
    expect(asked).toEqual(['ike-sa', 'child-sa'])
  })

  it('of anything else is refused', async () => {
    const asked: string[] = []
    const control = await open({ rekey: (what) => asked.push(what) })
    await expect(requestRekey(control.path, 'ah-sa' as 'ike-sa')).rejects.toThrow('unknown request')
    expect(asked).toEqual([])
  })
})

describe('the path of the control socket', () => {
  it('is under $XDG_RUNTIME_DIR, or /run', () => {
    expect(defaultControlPath('client', { XDG_RUNTIME_DIR: '/run/user/1000' })).toBe('/run/user/1000/underpass/client.sock')
    expect(defaultControlPath('gateway', {})).toBe('/run/underpass/gateway.sock')
  })

  it('is read from a configuration that may be wrong otherwise', () => {
    expect(controlPathIn(temporaryFile('c.toml', 'control = "/run/a.sock"\nbogus = 1\n'))).toBe('/run/a.sock')
    expect(controlPathIn(temporaryFile('c.toml', 'control = 1\n'))).toBeUndefined()
    expect(controlPathIn('/nowhere/c.toml')).toBeUndefined()
  })
})

function handlers(down = (): void => {}, rekey: (what: string) => void = () => {}): Parameters<typeof openControlSocket>[1] {
  return { status: () => STATUS, rekey, down }
}

async function open(options: { readonly down?: () => void; readonly rekey?: (what: string) => void } = {}): Promise<ControlServer> {
  const control = await openControlSocket(join(temporaryDirectory(), 'run', 'client.sock'), handlers(options.down, options.rekey))
  onTestFinished(() => control.close([]))
  return control
}

/** What is left when nobody unlinks: a socket file that refuses connections. */
async function staleSocket(): Promise<string> {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'made'))
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(join(directory, 'made', 's'), resolve))
  linkSync(join(directory, 'made', 's'), join(directory, 'client.sock'))
  await new Promise((resolve) => server.close(resolve))
  return join(directory, 'client.sock')
}

/** Everything that comes back on one connection. */
function exchange(path: string, ...pieces: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    let received = ''
    const socket = createConnection(path, async () => {
      for (const piece of pieces) {
        socket.write(piece)
        await new Promise((done) => setTimeout(done, 5))
      }
      socket.end()
    })
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      received += String(chunk)
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(received))
  })
}
