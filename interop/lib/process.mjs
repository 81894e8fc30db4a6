// Child processes of the laboratory. Each dies with it (parent-death signal), even when that is killed outright.
import { setTimeout as sleep } from 'node:timers/promises'
import { Background, spawnTracked } from '../../tools/processes.mjs'

/** Runs a command to its end; what `spawnTracked` says. */
export function run(argv, { input, timeout = 60_000, env } = {}) {
  return spawnTracked('setpriv', dyingWithUs(argv), { input, timeout, env: { ...process.env, ...env } })
}

/** Like `run`, but a non-zero exit is an error that carries the command and what it said. Returns stdout. */
export async function must(argv, options) {
  const { code, stdout, stderr } = await run(argv, options)
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${code}: ${(stderr || stdout).trim().slice(-600)}`)
  return stdout
}

/** A process kept running. */
export class LabProcess extends Background {
  constructor(label, argv, { log, env }) {
    super(label, 'setpriv', dyingWithUs(argv), { log, env: { ...process.env, ...env } })
  }

  /** The first line, from `since` on, that matches; rejects after `timeout` ms or when the process ends without it. */
  async waitForLine(pattern, timeout = 20_000, since = 0) {
    const found = await this.find((line) => (pattern.test(line) ? line : undefined), timeout, since)
    if (found !== undefined) return found
    const why = this.exitCode === undefined ? `said nothing like it in ${timeout} ms` : `ended with ${this.exitCode}`
    throw new Error(`${this.label}: waited for ${pattern}, it ${why}; last lines:\n${this.lines.slice(-12).join('\n')}`)
  }
}

/** Polls `probe` until it returns something other than undefined or false. */
export async function until(what, probe, timeout = 15_000, interval = 200) {
  const deadline = Date.now() + timeout
  for (;;) {
    const value = await probe()
    if (value !== undefined && value !== false) return value
    if (Date.now() > deadline) throw new Error(`waited ${timeout} ms for ${what}`)
    await sleep(interval)
  }
}

function dyingWithUs(argv) {
  return ['--pdeathsig', 'KILL', ...argv]
}
