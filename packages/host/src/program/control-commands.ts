/** `status`, `rekey` and `down`: what is asked of a program that runs already. */
import { existsSync, lstatSync, rmSync } from 'node:fs'
import { isAnswering, requestDown, requestRekey, requestStatus } from '../control/control-client.ts'
import type { RekeyedSa } from '../control/protocol.ts'
import { journalPath } from '../control/socket-path.ts'
import { isHostError, reasonOf } from '../host-error.ts'
import type { CommandRunner } from '../network/commands.ts'
import { recover } from '../network/host-network.ts'
import { journalOwner } from '../network/journal.ts'
import { EXIT, type ExitCode, exitCodeOf } from '../report/exit-codes.ts'
import type { Output } from '../report/reporter.ts'
import { describeStatus } from '../report/status-words.ts'

export interface ControlCommandOptions {
  readonly controlPath: string
  readonly json: boolean
  readonly out: Output
  readonly err: Output
}

export async function statusCommand({ controlPath, json, out, err }: ControlCommandOptions): Promise<ExitCode> {
  try {
    const status = await requestStatus(controlPath)
    out.write(json ? `${JSON.stringify(status)}\n` : describeStatus(status, Date.now()))
    return EXIT.OK
  } catch (error) {
    return told(error, json, out, err)
  }
}

/** New keys for all tunnels now; the log and the events of `status` say what comes of it. */
export async function rekeyCommand({
  controlPath,
  json,
  out,
  err,
  what,
}: ControlCommandOptions & { readonly what: RekeyedSa }): Promise<ExitCode> {
  try {
    await requestRekey(controlPath, what)
    out.write(
      json ? `${JSON.stringify({ kind: 'rekeying', what })}\n` : `rekeying ${what === 'ike-sa' ? 'the IKE SAs' : 'the Child SAs'}\n`,
    )
    return EXIT.OK
  } catch (error) {
    return told(error, json, out, err)
  }
}

/** Where the program was killed, undoes what it left behind, if anything, and removes its control socket. */
export async function downCommand({
  controlPath,
  json,
  out,
  err,
  run,
}: ControlCommandOptions & { readonly run: CommandRunner }): Promise<ExitCode> {
  try {
    const problems = await requestDown(controlPath)
    for (const problem of problems) err.write(`not undone: ${problem}\n`)
    out.write(json ? `${JSON.stringify({ kind: 'closed', problems })}\n` : 'down\n')
    return problems.length === 0 ? EXIT.OK : EXIT.FAILURE
  } catch (error) {
    if (!isHostError(error, 'NOT_RUNNING')) return told(error, json, out, err)
    return await cleanUp(controlPath, run, { json, out, err, reason: error })
  }
}

async function cleanUp(
  controlPath: string,
  run: CommandRunner,
  { json, out, err, reason }: Pick<ControlCommandOptions, 'json' | 'out' | 'err'> & { readonly reason: unknown },
): Promise<ExitCode> {
  try {
    const journal = journalPath(controlPath)
    const wasKilled = existsSync(journal) || isSocket(controlPath)
    if (!wasKilled) return told(reason, json, out, err)
    const undone = await recover(journal, run, journalOwner())
    // One may have started since it was asked.
    if (isSocket(controlPath) && !(await isAnswering(controlPath))) rmSync(controlPath, { force: true })
    out.write(json ? `${JSON.stringify({ kind: 'recovered', undone })}\n` : recoveredWords(undone))
    return EXIT.OK
  } catch (error) {
    return told(error, json, out, err)
  }
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true
}

function recoveredWords(undone: readonly string[]): string {
  if (undone.length === 0) return 'it was killed; nothing was left to undo\n'
  return `it was killed; undone now:\n${undone.map((what) => `  ${what}\n`).join('')}`
}

function told(error: unknown, json: boolean, out: Output, err: Output): ExitCode {
  if (json) out.write(`${JSON.stringify({ kind: 'error', text: reasonOf(error) })}\n`)
  err.write(`${reasonOf(error)}\n`)
  return exitCodeOf(error)
}
