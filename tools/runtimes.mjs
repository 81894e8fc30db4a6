// Where the three runtimes are: Node is the one that runs this; Bun and Deno come with `npm ci`, as their platform's binary package.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { arch, execPath, platform } from 'node:process'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
const modules = join(root, 'node_modules')

/** Nothing that runs here may reach out to the network. */
export const quietEnvironment = {
  ...process.env,
  TURBO_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
  DENO_NO_UPDATE_CHECK: '1',
  NO_UPDATE_NOTIFIER: '1',
  npm_config_update_notifier: 'false',
}

/** [name, command in front of a script's path] for each runtime that is here. */
export function runtimes() {
  const bun = [`@oven/bun-${platform}-${arch === 'arm64' ? 'aarch64' : arch}/bin/bun`]
  const deno = [`@deno/${platform}-${arch}-glibc/deno`, `@deno/${platform}-${arch}/deno`]
  const found = (candidates) => candidates.map((candidate) => join(modules, candidate)).find(existsSync)
  return [
    { name: 'node', command: execPath, prefix: [] },
    { name: 'bun', command: found(bun), prefix: ['--bun'] },
    { name: 'deno', command: found(deno), prefix: ['run', '-A'] },
  ]
}
