// The demonstration's child processes: where programs are, and that its launcher hears of each.
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Background, onProcess } from '../tools/processes.mjs'

export { spawnTracked, stopAllTracked } from '../tools/processes.mjs'

/** Administrators' programs are seldom on a user's PATH; here and for every child they are at its end. */
const FOLDERS = [...new Set([...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/bin'])]
process.env.PATH = FOLDERS.join(delimiter)

// A launcher above us stops them should we be killed outright.
onProcess((kind, pid) => {
  if (process.connected) process.send({ kind, pid })
})

/** Where a program is; `undefined` where it is not, or is to be done without. */
export function findProgram(name, without = []) {
  if (without.includes(name)) return undefined
  return FOLDERS.map((folder) => join(folder, name)).find(isExecutable)
}

/** A program that keeps running and says events, each a line of JSON. In a session of its own: a Ctrl-C at the terminal is ours to pass on. */
export class EventSource extends Background {
  constructor(label, program, words, { log, onEvent, hasChannel = false }) {
    super(label, program, words, {
      log,
      stdio: ['ignore', 'pipe', 'pipe', ...(hasChannel ? ['ipc'] : [])],
      detached: true,
      onLine: (line) => {
        const event = eventOf(line)
        if (event !== undefined) onEvent?.(event)
      },
    })
  }

  /** The first event of this kind, also among those that came already. */
  async event(kind, timeout) {
    const found = await this.find((line) => (eventOf(line)?.kind === kind ? eventOf(line) : undefined), timeout)
    if (found !== undefined) return found
    if (this.exitCode === undefined) throw new Error(`the ${this.label} did not say "${kind}" within ${timeout / 1000} s`)
    const error = this.lines.map(eventOf).findLast((event) => event?.kind === 'error')?.text
    throw new Error(`the ${this.label} ended with status ${this.exitCode} before "${kind}"${error === undefined ? '' : `: ${error}`}`)
  }
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
