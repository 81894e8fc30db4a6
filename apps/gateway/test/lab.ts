/** A gateway and clients as programs, each in a network namespace, with a wire from each client to the gateway. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ProgramStatus, requestStatus } from '@underpass/host'
import { temporaryDirectory, temporaryFile } from '../../../packages/host/test/temporary.ts'

const GATEWAY = fileURLToPath(new URL('../dist/underpass-gateway.js', import.meta.url))
const CLIENT = fileURLToPath(new URL('../../client/dist/underpass.js', import.meta.url))
const RUNTIME = process.versions['deno'] === undefined ? [process.execPath] : [process.execPath, 'run', '-A']
const SECRET = 'correct horse battery staple 4500'
const PEOPLE = 20

/** Why there can be no lab here. */
export function obstacle(): string | undefined {
  if (process.platform !== 'linux') return 'not Linux'
  if (process.getuid?.() !== 0) return 'not root'
  if (!existsSync(GATEWAY) || !existsSync(CLIENT)) return 'not built'
  for (const [program, ...args] of [
    ['ping', '-V'],
    ['ss', '-V'],
    ['nsenter', '--version'],
    ['unshare', '-n', 'sh', '-c', 'exec 3<>/dev/net/tun'],
  ] as const)
    if (spawnSync(program, args, { stdio: 'ignore' }).status !== 0) return `${[program, ...args].join(' ')} fails`
  return undefined
}

export class Lab {
  readonly clients: Client[] = []
  readonly #holder = namespaceHolder()
  readonly #control = join(temporaryDirectory(), 'g.sock')
  #gateway: Program | undefined

  async startGateway(top: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.#holder.ready
    this.gatewayRunsSync('ip', 'link', 'set', 'lo', 'up')
    const people = Array.from({ length: PEOPLE }, (_, i) => `[[secret]]\nid = "c${i}@example.com"\npsk = "${SECRET}"\n`).join('')
    const file = temporaryFile(
      'gateway.toml',
      `${top}control = ${JSON.stringify(this.#control)}
[[connection]]
name = "people"
local_id = "@gw"
local = ["10.99.0.1/32"]
pool = { ranges = ["10.99.0.2-10.99.0.254"] }
${people}[tun]
name = "gww0"
address = ["10.99.0.1/24"]
`,
    )
    this.#gateway = new Program(this.#holder, [...RUNTIME, GATEWAY, 'run', '--config', file], env)
    await this.#gateway.said('gateway up')
  }

  async addClient(transport: 'tcp' | 'udp'): Promise<Client> {
    const client = new Client(this.clients.length, transport, this.#holder)
    this.clients.push(client)
    await client.start()
    return client
  }

  status(): Promise<ProgramStatus> {
    return requestStatus(this.#control)
  }

  /** By the initiators' SPIs. */
  async workersOfIkeSas(): Promise<Readonly<Record<string, number>>> {
    const { session } = await this.status()
    return Object.fromEntries(session.ikeSas.map((sa) => [sa.id, sa.worker!]))
  }

  /** RST to both ends of each. */
  async cutConnections(): Promise<void> {
    this.gatewayRunsSync('ss', '-K', 'state', 'established', 'sport', '=', ':4500')
  }

  gatewayPings(address: string): Promise<boolean> {
    return this.gatewayRuns('ping', ...PING, address)
  }

  gatewayRuns(...words: readonly string[]): Promise<boolean> {
    return runs(this.#holder, words)
  }

  gatewayRunsSync(...words: readonly string[]): void {
    execFileSync('nsenter', [...this.#holder.enter, ...words], { stdio: 'ignore' })
  }

  told(): string {
    return this.#gateway?.told ?? ''
  }

  async gatewayEnded(): Promise<number | null> {
    return (await this.#gateway?.ended) ?? null
  }

  async stopGateway(): Promise<number | null> {
    return (await this.#gateway?.stop('SIGINT')) ?? null
  }

  async close(): Promise<void> {
    await Promise.all([...this.clients.map((client) => client.close()), this.#gateway?.stop('SIGKILL')])
    this.#holder.child.kill('SIGKILL')
  }
}

export class Client {
  readonly transport: 'tcp' | 'udp'
  /** Whose it came to be, for those who asked. */
  worker: number | undefined
  readonly #number: number
  readonly #gateway: Holder
  readonly #holder = namespaceHolder()
  readonly #control = join(temporaryDirectory(), 'c.sock')
  #program: Program | undefined

  constructor(number: number, transport: 'tcp' | 'udp', gateway: Holder) {
    this.#number = number
    this.transport = transport
    this.#gateway = gateway
  }

  async start(): Promise<void> {
    await this.#holder.ready
    const net = `198.51.${this.#number}`
    const near = ['nsenter', ...this.#holder.enter, 'ip']
    const far = ['nsenter', ...this.#gateway.enter, 'ip']
    const lines = [
      [...near, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', `to${this.#number}`, 'netns', String(this.#gateway.child.pid)],
      [...near, 'address', 'add', `${net}.2/24`, 'dev', 'eth0'],
      [...near, 'link', 'set', 'eth0', 'up'],
      [...near, 'link', 'set', 'lo', 'up'],
      [...far, 'address', 'add', `${net}.1/24`, 'dev', `to${this.#number}`],
      [...far, 'link', 'set', `to${this.#number}`, 'up'],
    ]
    for (const [program, ...args] of lines) execFileSync(program!, args, { stdio: 'ignore' })
    await this.#run()
  }

  async #run(): Promise<void> {
    const file = temporaryFile(
      'client.toml',
      `control = ${JSON.stringify(this.#control)}
[peer]
gateway = "198.51.${this.#number}.1"
transports = ["${this.transport === 'udp' ? 'udp' : 'tcp:4500'}"]
local_id = "c${this.#number}@example.com"
remote_id = "@gw"
psk = "${SECRET}"
remote = ["10.99.0.1/32"]
`,
    )
    this.#program = new Program(this.#holder, [...RUNTIME, CLIENT, 'up', '--keep-retrying', '--config', file])
    await this.#program.said('tunnel up')
  }

  /** It sends no Delete. */
  async killAndRestart(): Promise<void> {
    await this.#program?.stop('SIGKILL')
    await this.#run()
  }

  async innerAddress(): Promise<string> {
    const { session } = await requestStatus(this.#control)
    return session.ikeSas[0]!.addresses[0]!.address
  }

  pings(address: string): Promise<boolean> {
    return runs(this.#holder, ['ping', ...PING, address])
  }

  async said(text: string): Promise<void> {
    await this.#program?.said(text)
  }

  async close(): Promise<void> {
    await this.#program?.stop('SIGKILL')
    this.#holder.child.kill('SIGKILL')
  }
}

/** Asks again until it is so; a test that waits in vain ends by its time limit. */
export async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50))
}

const PING = ['-c', '1', '-W', '3']

interface Holder {
  readonly child: ChildProcess
  readonly ready: Promise<void>
  readonly enter: readonly string[]
}

/** A process that keeps a network namespace. It ends by itself if nobody ends it. */
function namespaceHolder(): Holder {
  const child = spawn('unshare', ['-n', 'sleep', '120'], { stdio: 'ignore' })
  const ours = readlinkSync('/proc/self/ns/net')
  const isReady = (): boolean => {
    try {
      return readlinkSync(`/proc/${child.pid}/ns/net`) !== ours
    } catch {
      return false
    }
  }
  return { child, ready: eventually(async () => isReady()), enter: ['-t', String(child.pid), '-n'] }
}

class Program {
  told = ''
  readonly #child: ChildProcess
  readonly ended: Promise<number | null>

  constructor(holder: Holder, [command, ...words]: readonly string[], env: Readonly<Record<string, string>> = {}) {
    // nsenter becomes the program: a signal to it is one to the program.
    this.#child = spawn('nsenter', [...holder.enter, command!, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DENO_NO_UPDATE_CHECK: '1', ...env },
    })
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) stream.on('data', (chunk) => (this.told += String(chunk)))
    this.ended = new Promise((resolve) => this.#child.on('exit', (code) => resolve(code)))
  }

  async said(text: string): Promise<void> {
    let hasEnded = false
    void this.ended.then(() => {
      hasEnded = true
    })
    await eventually(async () => this.told.includes(text) || hasEnded)
    if (!this.told.includes(text)) throw new Error(`it ended before it said ${JSON.stringify(text)}: ${this.told}`)
  }

  stop(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) process.kill(this.#child.pid!, signal)
    return this.ended
  }
}

function runs(holder: Holder, words: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn('nsenter', [...holder.enter, ...words], { stdio: 'ignore' })
    child.on('exit', (code) => resolve(code === 0))
  })
}
