/** `status` and `down`: what is asked of a program that runs already. */
import { requestDown, requestStatus } from '../control/control-client.ts'
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

/** Where the program was killed, undoes what it left behind. */
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
    const undone = await recover(journalPath(controlPath), run, journalOwner())
    if (undone.length === 0) return told(reason, json, out, err)
    out.write(
      json
        ? `${JSON.stringify({ kind: 'recovered', undone })}\n`
        : `it was killed; undone now:\n${undone.map((what) => `  ${what}\n`).join('')}`,
    )
    return EXIT.OK
  } catch (error) {
    return told(error, json, out, err)
  }
}

function told(error: unknown, json: boolean, out: Output, err: Output): ExitCode {
  if (json) out.write(`${JSON.stringify({ kind: 'error', text: reasonOf(error) })}\n`)
  err.write(`${reasonOf(error)}\n`)
  return exitCodeOf(error)
}
