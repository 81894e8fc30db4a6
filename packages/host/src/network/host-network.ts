/** Makes changes to the host one by one and takes back exactly those, newest first. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { HostError, reasonOf } from '../host-error.ts'
import type { CommandRunner } from './commands.ts'
import { isAlive, type Journal, type JournalEntry, type JournalOwner, readJournal } from './journal.ts'
import { type Action, formatAction, type Step } from './step.ts'

export interface HostNetworkOptions {
  readonly run: CommandRunner
  readonly journal: Journal
  /** Things worth a line that are no errors. */
  readonly onNotice: (text: string) => void
}

/** Calls must not overlap; `ClientNetwork` and `GatewayNetwork` see to it. */
export class HostNetwork {
  readonly #options: HostNetworkOptions
  readonly #applied = new Map<string, { readonly step: Step; readonly undo: Action | 'nothing' }>()
  /** Keys by the group that wants them. */
  readonly #groups = new Map<string, readonly string[]>()
  /** Steps in whose place something is, and it was told. */
  readonly #told = new Set<string>()

  constructor(options: HostNetworkOptions) {
    this.#options = options
  }

  /** What has been changed, oldest first, in words. */
  get changes(): string[] {
    return [...this.#applied.values()].map(({ step }) => step.what)
  }

  /**
   * Makes the group consist of these steps: those that it no longer names are taken back first. Answers those in whose place there is
   * something of somebody else's (`mayExist`), which stays. Throws `HostError` COMMAND_FAILED.
   */
  async replace(group: string, steps: readonly Step[]): Promise<readonly Step[]> {
    const wanted = new Set(steps.map(({ key }) => key))
    for (const key of [...(this.#groups.get(group) ?? [])].reverse()) if (!wanted.has(key)) await this.#remove(key)
    this.#groups.set(group, [...wanted])
    const inTheWay: Step[] = []
    for (const step of steps) if (!this.#applied.has(step.key) && !(await this.#apply(step))) inTheWay.push(step)
    return inTheWay
  }

  /** Takes everything back, newest first. What cannot be is told in the answer and stays in the journal. */
  async removeAll(): Promise<string[]> {
    const failures: string[] = []
    for (const key of [...this.#applied.keys()].reverse()) {
      try {
        await this.#remove(key)
      } catch (error) {
        failures.push(reasonOf(error))
        this.#applied.delete(key)
      }
    }
    this.#groups.clear()
    if (failures.length === 0) this.#options.journal.discard()
    else this.#options.journal.keep()
    return failures
  }

  /** False: something else is in its place. */
  async #apply(step: Step): Promise<boolean> {
    const { journal, run, onNotice } = this.#options
    const undo = undoOf(step)
    if (undo === 'already') return true
    journal.begin({ key: step.key, what: step.what, undo, lives: step.lives })
    const failure = await perform(step.action, run)
    if (failure === undefined) {
      this.#applied.set(step.key, { step, undo })
      this.#told.delete(step.key)
      return true
    }
    journal.end(step.key)
    if (!step.mayExist || !/File exists/i.test(failure.stderr)) throw commandFailed(step.action, failure)
    if (!this.#told.has(step.key)) onNotice(await existingWords(step, run))
    this.#told.add(step.key)
    return false
  }

  async #remove(key: string): Promise<void> {
    const done = this.#applied.get(key)
    if (!done) return
    const failure = done.undo === 'nothing' ? undefined : await perform(done.undo, this.#options.run)
    if (failure && !isGone(failure)) throw commandFailed(done.undo as Action, failure)
    this.#applied.delete(key)
    this.#options.journal.end(key)
  }
}

/**
 * Takes back what a killed process left, and removes its journal. Answers what was taken back, in words. Throws `HostError`
 * ALREADY_RUNNING where the journal's process lives, OTHER_NAMESPACE where its changes are to be taken back in another network
 * namespace of this boot (names of files may mean others there, too), COMMAND_FAILED where something cannot be taken back. Where it
 * throws, the journal stays.
 */
export async function recover(path: string, run: CommandRunner, self: JournalOwner): Promise<string[]> {
  const left = readJournal(path)
  if (!left) return []
  if (isAlive(left.owner))
    throw new HostError('ALREADY_RUNNING', `process ${left.owner.pid} is using ${path}`, { path, pid: left.owner.pid })
  if (left.owner.boot === self.boot && left.owner.namespace !== self.namespace && left.pending.some(needsUndoing))
    throw otherNamespace(path, left.owner.namespace)
  const recovered: string[] = []
  for (const entry of [...left.pending].reverse()) {
    if (entry.undo === 'nothing' || !outlived(entry, left.owner, self)) continue
    const failure = await perform(entry.undo, run)
    if (failure && !isGone(failure)) throw commandFailed(entry.undo, failure)
    if (!failure) recovered.push(entry.what)
  }
  rmSync(path, { force: true })
  return recovered
}

interface Failure {
  readonly exitCode: number
  readonly stderr: string
}

async function perform(action: Action, run: CommandRunner): Promise<Failure | undefined> {
  if (action.kind === 'open') return undefined
  if (action.kind === 'run') {
    const { exitCode, stderr } = await run(action.program, action.args)
    return exitCode === 0 ? undefined : { exitCode, stderr: stderr.trim() }
  }
  try {
    if (action.onlyOver !== undefined && readFileSync(action.path, 'utf8').trimEnd() !== action.onlyOver.trimEnd()) return undefined
    writeFileSync(action.path, action.content)
    return undefined
  } catch (error) {
    return { exitCode: 1, stderr: reasonOf(error) }
  }
}

async function existingWords({ what, existing }: Step, run: CommandRunner): Promise<string> {
  if (!existing) return `${what}: there is one already; it is left as it is`
  const { stdout } = await run(existing.question.program, existing.question.args)
  const found = stdout.trim().split('\n')[0]!.trim().replace(/ +/g, ' ')
  return `${existing.instead}: ${found === '' ? 'there is one already' : found}; it is left as it is`
}

/** 'already': the file holds what would be written, so there is nothing to do and nothing to undo. */
function undoOf({ action, undo }: Step): Action | 'nothing' | 'already' {
  if (undo !== 'restore' || action.kind !== 'write') return undo === 'restore' ? 'nothing' : undo
  let before: string
  try {
    before = readFileSync(action.path, 'utf8')
  } catch (error) {
    throw new HostError('COMMAND_FAILED', `${action.path} cannot be read: ${reasonOf(error)}`, {
      command: formatAction(action),
      exitCode: 1,
      stderr: reasonOf(error),
    })
  }
  if (before.trimEnd() === action.content.trimEnd()) return 'already'
  return { kind: 'write', path: action.path, content: before, onlyOver: action.content }
}

/** Its process being dead, its device is gone. */
function needsUndoing({ undo, lives }: JournalEntry): boolean {
  return undo !== 'nothing' && lives !== 'device'
}

function otherNamespace(path: string, namespace: string): HostError<'OTHER_NAMESPACE'> {
  const message = `${path} was left by a process in another network namespace (${namespace}); run this there, or remove the file if that namespace is gone`
  return new HostError('OTHER_NAMESPACE', message, { path, namespace })
}

function outlived(entry: JournalEntry, owner: JournalOwner, self: JournalOwner): boolean {
  if (entry.lives === 'disk') return true
  return entry.lives === 'namespace' && owner.boot === self.boot && owner.namespace === self.namespace
}

/** What `ip` says of things that are no longer there. 127: there is no `ip`, which says nothing about them. */
function isGone({ exitCode, stderr }: Failure): boolean {
  return exitCode !== 127 && /No such process|Cannot find device|Cannot assign requested address|No such device|ENOENT/i.test(stderr)
}

function commandFailed(action: Action, { exitCode, stderr }: Failure): HostError<'COMMAND_FAILED'> {
  const command = formatAction(action)
  return new HostError('COMMAND_FAILED', `${command}: ${stderr === '' ? `exit code ${exitCode}` : stderr.split('\n')[0]}`, {
    command,
    exitCode,
    stderr,
  })
}
