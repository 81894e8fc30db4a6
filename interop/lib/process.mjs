// Child processes of the laboratory: run to the end, or kept in the background with their lines in a log file.
import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Runs a command to its end.
 * @returns {Promise<{code: number | null, stdout: string, stderr: string}>} never rejects on a non-zero code
 */
export function run(argv, { input, timeout = 60_000, env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], { env: { ...process.env, ...env } })
    const out = { stdout: '', stderr: '' }
    const timer = setTimeout(() => child.kill('SIGKILL'), timeout)
    child.stdout.on('data', (chunk) => {
      out.stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      out.stderr += chunk
    })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, ...out })
    })
  })
}

/** Like `run`, but a non-zero exit is an error that carries the command and what it said. Returns stdout. */
export async function must(argv, options) {
  const { code, stdout, stderr } = await run(argv, options)
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${code}: ${(stderr || stdout).trim().slice(-600)}`)
  return stdout
}

/** A process kept running. It dies with the laboratory (parent-death signal), even when that is killed outright. */
export class Background {
  lines = []
  exitCode = undefined
  #waiters = new Set()

  constructor(label, argv, { log, env } = {}) {
    this.label = label
    this.log = log
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    const file = log === undefined ? undefined : createWriteStream(log, { flags: 'a' })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      let partial = ''
      stream.setEncoding('utf8')
      stream.on('data', (chunk) => {
        file?.write(chunk)
        const parts = (partial + chunk).split('\n')
        partial = parts.pop() ?? ''
        this.lines.push(...parts)
        this.#wake()
      })
    }
    this.exited = new Promise((resolve) => {
      const end = (code) => {
        this.exitCode = code ?? -1
        file?.end()
        this.#wake()
        resolve(this.exitCode)
      }
      this.child.on('close', end)
      this.child.on('error', (error) => {
        this.lines.push(String(error))
        end(-1)
      })
    })
  }

  get pid() {
    return this.child.pid
  }

  /** The first line, from `since` on, that matches; rejects after `timeout` ms or when the process ends without it. */
  async waitForLine(pattern, timeout = 20_000, since = 0) {
    const deadline = Date.now() + timeout
    for (let from = since; ; ) {
      for (; from < this.lines.length; from++) if (pattern.test(this.lines[from])) return this.lines[from]
      const left = deadline - Date.now()
      if (this.exitCode !== undefined || left <= 0) {
        const why = this.exitCode !== undefined ? `ended with ${this.exitCode}` : `said nothing like it in ${timeout} ms`
        throw new Error(`${this.label}: waited for ${pattern}, it ${why}; last lines:\n${this.lines.slice(-12).join('\n')}`)
      }
      await this.#change(left)
    }
  }

  /** SIGTERM, and SIGKILL when that is not enough after `grace` ms. */
  async stop(signal = 'SIGTERM', grace = 4_000) {
    if (this.exitCode !== undefined) return this.exitCode
    this.child.kill(signal)
    const ended = await Promise.race([this.exited, sleep(grace, 'late')])
    if (ended === 'late') this.child.kill('SIGKILL')
    return await this.exited
  }

  #change(timeout) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#waiters.delete(done)
        resolve()
      }
      const timer = setTimeout(done, timeout)
      this.#waiters.add(done)
    })
  }

  #wake() {
    for (const done of [...this.#waiters]) done()
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
