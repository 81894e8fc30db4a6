import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/*
 * Runs fixtures in network namespaces of their own: as root through unshare -n, as anybody else through unshare -Urnm. The fixtures are
 * plain JavaScript over dist, because they run on every runtime, Node 20 included.
 */

export type Kind = 'tun' | 'tun-plain' | 'packet'
export type User = 'root' | 'nobody'

const isRoot = process.getuid?.() === 0
const NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--']

/** The command words that put what follows them into a fresh namespace. */
function enter(user: User): string[] {
  if (user === 'root') return ['unshare', '-n', '--']
  return [...(isRoot ? NOBODY : []), 'unshare', '-Urnm', '--']
}

/** Why `kind` devices cannot be tested as `user` here, or undefined when they can. */
export function obstacle(kind: Kind, user: User): string | undefined {
  if (process.platform !== 'linux') return 'not Linux'
  if (user === 'root' && !isRoot) return 'not root'
  if (!succeeds(['ip', '-V'])) return 'no ip (iproute2)'
  if (!succeeds([...enter(user), 'true'])) return `${enter(user)[0] === 'setpriv' ? 'setpriv or ' : ''}unshare is not allowed here`
  if (!succeeds([...enter(user), process.execPath, '--version'])) return `${user} cannot run ${process.execPath}`
  const device = kind === 'packet' ? ['ip', 'link', 'add', 'type', 'veth'] : ['sh', '-c', 'exec 3<>/dev/net/tun']
  if (!succeeds([...enter(user), ...device])) return kind === 'packet' ? 'no veth here' : `${user} cannot open /dev/net/tun`
  return undefined
}

function succeeds([command, ...args]: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

let isBuilt = false

export interface Outcome {
  readonly status: number | null
  /** The JSON that the fixture printed. */
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what its fixture prints
  readonly result: any
  /** Milliseconds that the process lived on after it had printed. */
  readonly lingered: number
}

/** `input` is what the fixture reads from its standard input; `variables` stand in its environment beside ours. */
export function runFixture(
  name: string,
  user: User,
  args: readonly string[],
  input = '',
  variables: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  if (!isBuilt) {
    const tsc = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url))
    execFileSync(tsc, ['-b', fileURLToPath(new URL('..', import.meta.url))])
    isBuilt = true
  }
  const script = fileURLToPath(new URL(`./fixtures/${name}.mjs`, import.meta.url))
  const runtime = process.versions['deno'] === undefined ? [process.execPath, script] : [process.execPath, 'run', '-A', script]
  const [command, ...words] = [...enter(user), ...runtime, ...args]
  const environment = {
    ...process.env,
    DENO_NO_UPDATE_CHECK: '1',
    ...variables,
    ...(user === 'nobody' ? { HOME: tmpdir(), DENO_DIR: join(tmpdir(), 'deno-of-nobody') } : {}),
  }
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { stdio: ['pipe', 'pipe', 'pipe'], env: environment, timeout: 60_000 })
    // A fixture that does not read it may have ended before it is written.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    let stdout = ''
    let stderr = ''
    let printedAt = performance.now()
    child.stdout.on('data', (chunk) => {
      stdout += chunk
      printedAt = performance.now()
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.on('error', reject)
    child.on('close', (status) => {
      if (stdout === '') reject(new Error(`the fixture printed nothing, status ${status}: ${stderr}`))
      else resolve({ status, result: JSON.parse(stdout), lingered: performance.now() - printedAt })
    })
  })
}
