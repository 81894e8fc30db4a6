/** Every change is written down before it is made, so that a killed process leaves a list of what to take back. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, readlinkSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { HostError, reasonOf } from '../host-error.ts'
import type { Action, Lifetime } from './step.ts'

export interface JournalEntry {
  readonly key: string
  readonly what: string
  readonly undo: Action | 'nothing'
  readonly lives: Lifetime
}

/** Which process, boot and network namespace the changes belong to. Text, compared for equality only. */
export interface JournalOwner {
  readonly pid: number
  /** When that process started; a pid alone is used again. */
  readonly started: string
  readonly boot: string
  readonly namespace: string
}

export interface WrittenJournal {
  readonly owner: JournalOwner
  /** Not yet taken back, oldest first. */
  readonly pending: readonly JournalEntry[]
}

export class Journal {
  readonly path: string
  readonly #descriptor: number

  /** Starts a new file. Throws `HostError` JOURNAL_FAILED. */
  constructor(path: string, owner: JournalOwner) {
    this.path = path
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      this.#descriptor = openSync(path, 'w', 0o600)
    } catch (error) {
      throw failed(path, error)
    }
    this.#append({ owner })
  }

  /** To be called, and to have returned, before the change is made. */
  begin(entry: JournalEntry): void {
    this.#append({ begin: entry })
  }

  /** The change was taken back, or never came about. */
  end(key: string): void {
    this.#append({ end: key })
  }

  /** Everything is taken back: nothing remains to be known. */
  discard(): void {
    closeSync(this.#descriptor)
    rmSync(this.path, { force: true })
  }

  /** Leaves the file to the next start. */
  keep(): void {
    closeSync(this.#descriptor)
  }

  #append(line: unknown): void {
    try {
      writeSync(this.#descriptor, `${JSON.stringify(line)}\n`)
      fsyncSync(this.#descriptor)
    } catch (error) {
      throw failed(this.path, error)
    }
  }
}

/** What a former process left; `undefined` where there is no file. A line that was cut short counts as not written. */
export function readJournal(path: string): WrittenJournal | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw failed(path, error)
  }
  const lines = text.split('\n').flatMap(parseLine)
  const owner = lines.find((line) => line.owner)?.owner
  // Killed before the first line was whole: then no change was made either.
  if (!owner) return { owner: NOBODY, pending: [] }
  const pending = new Map<string, JournalEntry>()
  for (const line of lines) {
    if (line.begin) pending.set(line.begin.key, line.begin)
    if (line.end !== undefined) pending.delete(line.end)
  }
  return { owner, pending: [...pending.values()] }
}

/** Who this process is. */
export function journalOwner(): JournalOwner {
  return { pid: process.pid, started: startOf(process.pid) ?? '', boot: bootId(), namespace: networkNamespace() }
}

export function isAlive(owner: JournalOwner): boolean {
  if (owner.pid <= 0 || owner.boot !== bootId()) return false
  return startOf(owner.pid) === owner.started
}

const NOBODY: JournalOwner = { pid: 0, started: '', boot: '', namespace: '' }

interface JournalLine {
  readonly owner?: JournalOwner
  readonly begin?: JournalEntry
  readonly end?: string
}

function parseLine(line: string): JournalLine[] {
  try {
    return [JSON.parse(line) as JournalLine]
  } catch {
    return []
  }
}

/**
 * proc(5): field 3 of stat is the state, field 22 the start time; the second field may hold spaces and parentheses. `undefined` for a
 * zombie, too: it only waits to be asked how it ended.
 */
function startOf(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields && !GONE_STATES.includes(fields[0]!) ? fields[19] : undefined
}

/** Zombie, dead. */
const GONE_STATES: readonly string[] = ['Z', 'X', 'x']

function bootId(): string {
  return readText('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
}

function networkNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/net')
  } catch {
    return ''
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function failed(path: string, error: unknown): HostError<'JOURNAL_FAILED'> {
  const reason = reasonOf(error)
  return new HostError('JOURNAL_FAILED', `the journal ${path} cannot be used: ${reason}`, { path, reason })
}
