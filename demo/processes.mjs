// Child processes: every one is known by its pid until it has ended, and stopped by it.
import { spawn } from 'node:child_process'
import { accessSync, constants, createWriteStream, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Administrators' programs are seldom on a user's PATH; here and for every child they are at its end. */
const FOLDERS = [...new Set([...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/bin'])]
process.env.PATH = FOLDERS.join(delimiter)

/** Where a program is; `undefined` where it is not, or is to be done without. */
export function findProgram(name, without = []) {
  if (without.includes(name)) return undefined
  return FOLDERS.map((folder) => join(folder, name)).find(isExecutable)
}

const tracked = new Set()

/** Runs a program to its end, never rejects; `output` has what it said on both of its streams, in order. */
export function spawnTracked(program, words, { input, timeout = 0, ...options } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'], ...options })
    track(child)
    const said = { stdout: '', output: '' }
    const timer = timeout === 0 ? undefined : setTimeout(() => child.kill('SIGKILL'), timeout)
    child.stdout.setEncoding('utf8').on('data', (text) => {
      said.stdout += text
      said.output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said.output += text
    })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    const end = (code) => {
      clearTimeout(timer)
      untrack(child)
      resolve({ code, ...said })
    }
    child.on('error', (error) => {
      said.output += error.message
      end(127)
    })
    child.on('close', (code, signal) => end(code ?? signal))
  })
}

/** A program that keeps running, in a session of its own so that a Ctrl-C at the terminal is ours to pass on. Its lines go to a log. */
export class Background {
  lines = []
  /** Undefined while it runs; then its status, or the signal's name. */
  ended
  #waiters = new Set()
  #child
  #exit

  constructor(label, program, words, { log, onEvent, env, hasChannel = false }) {
    this.label = label
    this.log = log
    const stdio = ['ignore', 'pipe', 'pipe', ...(hasChannel ? ['ipc'] : [])]
    this.#child = spawn(program, words, { stdio, detached: true, env: { ...process.env, ...env } })
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
          const event = eventOf(line)
          if (event !== undefined) onEvent?.(event)
        }
        this.#wake()
      })
    }
    this.#exit = new Promise((resolve) => {
      const end = (code, signal) => {
        this.ended ??= code ?? signal ?? 1
        untrack(this.#child)
        file.end()
        this.#wake()
        resolve(this.ended)
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

  /** The channel to a program of ours; it answers with `{ id, … }`. */
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

  /** The first event (a line of JSON) for which `matches` holds, also among those that came already. */
  async event(what, matches, timeout) {
    const deadline = Date.now() + timeout
    for (;;) {
      const found = this.lines.map(eventOf).find((event) => event !== undefined && matches(event))
      if (found !== undefined) return found
      const left = deadline - Date.now()
      if (this.ended !== undefined) {
        const error = this.lines.map(eventOf).findLast((event) => event?.kind === 'error')?.text
        throw new Error(`the ${this.label} ended with status ${this.ended} before "${what}"${error === undefined ? '' : `: ${error}`}`)
      }
      if (left <= 0) throw new Error(`the ${this.label} did not say "${what}" within ${timeout / 1000} s`)
      await this.#change(left)
    }
  }

  /** In order with SIGTERM; with SIGKILL what has not ended after `grace` ms. */
  async stop(grace = 5_000) {
    if (this.ended !== undefined) return
    this.#child.kill('SIGTERM')
    await Promise.race([this.#exit, sleep(grace, undefined, { ref: false })])
    if (this.ended === undefined) this.#child.kill('SIGKILL')
    await this.#exit
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

// A launcher above us hears of each pid, to stop them should we be killed outright.
function track(child) {
  if (child.pid === undefined) return
  tracked.add(child)
  if (process.connected) process.send({ kind: 'started', pid: child.pid })
}

function untrack(child) {
  if (tracked.delete(child) && process.connected) process.send({ kind: 'ended', pid: child.pid })
}

function eventOf(line) {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
