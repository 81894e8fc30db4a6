import type { CommandResult, CommandRunner } from '../../src/index.ts'

/** Stands in for `ip` and its like: remembers what was run, and answers what the test says. */
export class FakeIp {
  readonly commands: string[] = []
  readonly answers = new Map<string, Partial<CommandResult>>()

  /** `start` is how the command line begins. */
  answer(start: string, result: Partial<CommandResult>): this {
    this.answers.set(start, result)
    return this
  }

  readonly run: CommandRunner = async (program, args) => {
    const command = [program, ...args].join(' ')
    const answer = [...this.answers].find(([start]) => command.startsWith(start))?.[1]
    // Questions change nothing, so they are not among the changes.
    if (!/ (route|link) (get|show)/.test(command)) this.commands.push(command)
    return { exitCode: 0, stdout: '', stderr: '', ...answer }
  }
}
