// Child processes: run to their end, or kept in the background with their lines in a log. Every one is known by its pid until it has
// ended, and stopped by it. Needs nothing but Node: it serves before anything is installed.
import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Runs a program to its end.
 * @returns {Promise<{code: number | string, stdout: string, stderr: string, output: string}>} never rejects; `code` is the status or
 * the signal's name, 127 where there is no such program; `output` has both streams in order
 */
export function spawnTracked(program, words, { input, timeout = 0, ...options } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'], ...options })
    track(child)
    const said = { stdout: '', stderr: '', output: '' }
    const timer = timeout === 0 ? undefined : setTimeout(() => child.kill('SIGKILL'), timeout)
    for (const stream of ['stdout', 'stderr']) {
      child[stream].setEncoding('utf8').on('data', (text) => {
        said[stream] += text
        said.output += text
      })
    }
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    const end = (code) => {
      clearTimeout(timer)
      untrack(child)
      resolve({ code, ...said })
    }
    child.on('error', (error) => {
      said.stderr += error.message
      said.output += error.message
      end(127)
    })
    child.on('close', (code, signal) => end(code ?? signal))
  })
}

/** A program that keeps running. */
export class Background {
  lines = []
  /** Undefined while it runs; then its status, or the signal's name. */
  exitCode
  /** Resolves with `exitCode`. */
  exited
  #child
  #waiters = new Set()

  /** `log`: the file that what it says is added to. `onLine` hears each line. The other options are those of `spawn`. */
  constructor(label, program, words, { log, onLine, ...options }) {
    this.label = label
    this.log = log
    this.#child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    track(this.#child)
    const file = createWriteStream(log, { flags: 'a' })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      let partial = ''
      stream.setEncoding('utf8').on('data', (text) => {
        file.write(text)
        const parts = (partial + text).split('\n')
        partial = parts.pop()
        for (const line of parts) {
          this.lines.push(line)
          onLine?.(line)
        }
        this.#wake()
      })
    }
    this.exited = new Promise((resolve) => {
      const end = (code, signal) => {
        this.exitCode ??= code ?? signal ?? 1
        untrack(this.#child)
        file.end()
        this.#wake()
        resolve(this.exitCode)
      }
      this.#child.on('close', end)
      this.#child.on('error', (error) => {
        this.lines.push(error.message)
        end(127)
      })
    })
  }

  get pid() {
    return this.#child.pid
  }

  /** With 'ipc' among its stdio: a program of ours is asked, and answers with `{ id, … }`. */
  ask(question, timeout) {
    return new Promise((resolve, reject) => {
      const id = Math.random()
      const done = (answer) => {
        if (answer?.id !== id) return
        clearTimeout(timer)
        this.#child.off('message', done)
        answer.error === undefined ? resolve(answer) : reject(new Error(answer.error))
      }
      const timer = setTimeout(() => done({ id, error: `${this.label} did not answer in ${timeout} ms` }), timeout)
      this.#child.on('message', done)
      this.#child.send({ id, ...question })
    })
  }

  /** What `read` makes of the first line, from `since` on, of which it makes something; undefined when `timeout` ms or the program end before. */
  async find(read, timeout, since = 0) {
    const deadline = Date.now() + timeout
    for (let next = since; ; ) {
      for (; next < this.lines.length; next++) {
        const found = read(this.lines[next])
        if (found !== undefined) return found
      }
      const left = deadline - Date.now()
      if (this.exitCode !== undefined || left <= 0) return undefined
      await this.#change(left)
    }
  }

  /** In order with SIGTERM; with SIGKILL what has not ended after `grace` ms. */
  async stop(grace = 5_000) {
    if (this.exitCode !== undefined) return
    this.#child.kill('SIGTERM')
    await Promise.race([this.exited, sleep(grace, undefined, { ref: false })])
    if (this.exitCode === undefined) this.#child.kill('SIGKILL')
    await this.exited
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

/** What is left when something went wrong. */
export async function stopAllTracked() {
  for (const child of tracked) child.kill('SIGTERM')
  for (let waited = 0; tracked.size > 0 && waited < 3_000; waited += 50) await sleep(50)
  for (const child of tracked) child.kill('SIGKILL')
}

/** `listener('started' or 'ended', pid)` from now on. */
export function onProcess(listener) {
  listeners.add(listener)
}

const tracked = new Set()
const listeners = new Set()

function track(child) {
  if (child.pid === undefined) return
  tracked.add(child)
  for (const listener of listeners) listener('started', child.pid)
}

function untrack(child) {
  if (!tracked.delete(child)) return
  for (const listener of listeners) listener('ended', child.pid)
}
