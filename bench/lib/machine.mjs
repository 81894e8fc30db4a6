// What the figures were measured on, and how busy that was.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { root } from '../../tools/runtimes.mjs'

export function machine() {
  const processors = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGiB: memory,
    kernel: `${platform()} ${release()}`,
    arch: arch(),
  }
}

/** The average of the last minute (Linux's), to two digits. */
export const load = () => Math.round(loadavg()[0] * 100) / 100

export function versions(runtimes) {
  const { version } = JSON.parse(readFileSync(join(root, 'packages/session-manager/package.json'), 'utf8'))
  const of = Object.fromEntries(runtimes.map(({ name, command }) => [name, firstNumber(command, ['--version'])]))
  return { underpass: version, commit: commit(), ...of, openssl: process.versions.openssl }
}

function firstNumber(command, args) {
  return /\d+(?:\.\d+)+/.exec(execFileSync(command, args, { encoding: 'utf8' }))?.[0] ?? 'unknown'
}

/** With a + where the sources differ from it. */
function commit() {
  const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain', '--', 'packages', 'apps') === '' ? '' : '+'}`
  } catch {
    return 'unknown'
  }
}
