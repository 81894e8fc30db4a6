/** Other programs, run without a shell: what is in an argument stays in that argument. */
import { execFile } from 'node:child_process'

export interface CommandResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** Never rejects: a program that cannot be started answers 127. */
export type CommandRunner = (program: string, args: readonly string[]) => Promise<CommandResult>

export const runCommand: CommandRunner = (program, args) =>
  new Promise((resolve) => {
    const options = { timeout: COMMAND_TIMEOUT, env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`, LC_ALL: 'C' } }
    execFile(program, [...args], options, (error, stdout, stderr) => {
      if (!error) resolve({ exitCode: 0, stdout, stderr })
      else if (typeof error.code === 'number') resolve({ exitCode: error.code, stdout, stderr })
      else resolve({ exitCode: 127, stdout, stderr: stderr === '' ? error.message : stderr })
    })
  })

/** For people: quoted only where a shell would need it. */
export function formatCommand(program: string, args: readonly string[]): string {
  return [program, ...args].map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ')
}

const COMMAND_TIMEOUT = 10_000
