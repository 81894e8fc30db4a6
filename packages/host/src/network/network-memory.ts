/**
 * What did not get through on which network, from one process to the next (RFC 9329 §5.1, T-FB-4): one small file. Nothing in it is worth an
 * error: where it cannot be read or written, it is known for less long.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import * as z from 'zod'
import { readSmallFile } from '../config/pem-file.ts'
import { reasonOf } from '../host-error.ts'
import { statePath } from '../state-path.ts'

/** A transport that did not get through, and how long that is to be believed yet. */
export interface Remembered {
  readonly peer: string
  readonly network: string
  readonly transport: string
  readonly blockedForMilliseconds: number
  /** It lets IKE begin, and no further. */
  readonly isHalfWay?: boolean
}

export function networkMemoryPath(env: Readonly<Record<string, string | undefined>>, isRoot?: boolean): string {
  return statePath(env, 'networks.json', isRoot)
}

export class NetworkMemory {
  readonly path: string
  readonly #onProblem: (text: string) => void
  /** Milliseconds since 1970: a file outlives clocks that start with the machine. */
  readonly #now: () => number
  #isTold = false

  constructor(path: string, onProblem: (text: string) => void, now: () => number = Date.now) {
    this.path = path
    this.#onProblem = onProblem
    this.#now = now
  }

  /** All that holds still of one peer. */
  of(peer: string): Remembered[] {
    const now = this.#now()
    return this.#read()
      .filter((entry) => entry.peer === peer)
      .map(({ network, transport, until, isHalfWay }) => ({
        peer,
        network,
        transport,
        blockedForMilliseconds: until - now,
        ...(isHalfWay === true ? { isHalfWay } : {}),
      }))
  }

  /** 0 milliseconds: it gets through. Another process may have written since: the file is read again. */
  remember({ peer, network, transport, blockedForMilliseconds, isHalfWay }: Remembered): void {
    const others = this.#read().filter((entry) => entry.peer !== peer || entry.network !== network || entry.transport !== transport)
    const until = this.#now() + blockedForMilliseconds
    const entry = { peer, network, transport, until, ...(isHalfWay === true ? { isHalfWay } : {}) }
    this.#write(blockedForMilliseconds > 0 ? [...others, entry].slice(-MOST_ENTRIES) : others)
  }

  #read(): Entry[] {
    let text: string
    try {
      text = readSmallFile(this.path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#tell(`cannot be read: ${reasonOf(error)}`)
      return []
    }
    const now = this.#now()
    try {
      const { entries } = MEMORY_FILE.parse(JSON.parse(text))
      // What lies further off than anything is remembered for is of a clock that was wrong.
      return entries.filter(({ until }) => until > now && until <= now + LONGEST).slice(-MOST_ENTRIES)
    } catch {
      this.#setAside()
      return []
    }
  }

  /** So that the next process does not tell it again, and whoever wants to can look. */
  #setAside(): void {
    const aside = `${this.path}.broken`
    try {
      renameSync(this.path, aside)
      this.#tell(`is not what was written there; it is begun anew, and what was there is ${aside}`)
    } catch (error) {
      this.#tell(`is not what was written there, and cannot be set aside: ${reasonOf(error)}`)
    }
  }

  /** Whoever reads it meanwhile has the file before or the one after. */
  #write(entries: readonly Entry[]): void {
    const draft = `${this.path}.${randomBytes(8).toString('hex')}`
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 })
      writeFileSync(draft, `${JSON.stringify({ version: 1, entries })}\n`, { mode: 0o600, flag: 'wx' })
      renameSync(draft, this.path)
    } catch (error) {
      this.#tell(`cannot be written: ${reasonOf(error)}`)
    }
  }

  #tell(what: string): void {
    if (!this.#isTold) this.#onProblem(`${this.path}, which keeps what is learnt of networks, ${what}`)
    this.#isTold = true
  }
}

/** Of all networks and peers; the oldest go first. */
const MOST_ENTRIES = 256

/** `timers.blocked` has no end; who sets it to more than a month does not mean a file. */
const LONGEST = 31 * 24 * 3_600_000

const MEMORY_FILE = z.object({
  version: z.literal(1),
  entries: z.array(
    z.object({
      peer: z.string(),
      network: z.string(),
      transport: z.string(),
      until: z.number(),
      isHalfWay: z.boolean().optional(),
    }),
  ),
})

type Entry = z.output<typeof MEMORY_FILE>['entries'][number]
