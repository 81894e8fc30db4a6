import { join } from 'node:path'
import type { ProcessIo } from '../src/index.ts'
import { FakeIo } from './fake-io.ts'
import { temporaryDirectory, temporaryFile } from './temporary.ts'

export interface ProgramRun extends Promise<{ readonly exitCode: number; readonly out: string; readonly err: string }> {
  readonly io: FakeIo
}

/** One command line of a program, in this process: its end, and what it said by then. */
export function runProgram(main: (argv: readonly string[], io: ProcessIo) => Promise<number>, argv: readonly string[]): ProgramRun {
  const io = new FakeIo()
  return Object.assign(
    main(argv, io).then((exitCode) => ({ exitCode, ...io.told })),
    { io },
  )
}

/** A configuration file of the running test's own. CONTROL in its text becomes the path of a control socket beside it. */
export function configFile(name: string, text: string): string {
  return temporaryFile(name, text.replace('CONTROL', join(temporaryDirectory(), 'c.sock')))
}
