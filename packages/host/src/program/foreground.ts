/** A program that runs until somebody or something ends it: the first signal ends it in order, the second at once. */
import { reasonOf } from '../host-error.ts'
import { EXIT, type ExitCode } from '../report/exit-codes.ts'
import type { Reporter } from '../report/reporter.ts'
import type { ProcessIo } from './process-io.ts'

export interface Ending {
  readonly exitCode: ExitCode
  /** For the summary: 'SIGINT', 'down', or what failed. */
  readonly reason: string
}

export class Foreground {
  /** Resolves with the first reason to stop. */
  readonly ended: Promise<Ending>
  private readonly resolve: (ending: Ending) => void
  private readonly detach: readonly (() => void)[]
  private ending: Ending | undefined
  private signals = 0

  constructor(io: ProcessIo, reporter: Reporter) {
    const { promise, resolve } = withResolvers<Ending>()
    this.ended = promise
    this.resolve = resolve
    this.detach = [
      io.onSignal((signal) => {
        this.signals++
        if (this.signals > 1) {
          reporter.error('stopped at once; the next start undoes what is left of the host changes')
          io.exitNow(EXIT.FAILURE)
          return
        }
        reporter.notice(`${signal}: going down; once more to stop at once`)
        this.end({ exitCode: EXIT.OK, reason: signal })
      }),
      io.onCrash((error) => {
        reporter.error(`this is a defect: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
        this.end({ exitCode: EXIT.FAILURE, reason: reasonOf(error) })
      }),
    ]
  }

  get isEnding(): boolean {
    return this.ending !== undefined
  }

  /** The first call counts. */
  end(ending: Ending): void {
    this.ending ??= ending
    this.resolve(this.ending)
  }

  /** Waits, or resolves earlier with true when the program is to end. */
  async pause(milliseconds: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const elapsed = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds)
    })
    await Promise.race([elapsed, this.ended])
    clearTimeout(timer)
    return this.isEnding
  }

  /** Signals do what they did before. */
  release(): void {
    for (const detach of this.detach) detach()
  }
}

/** `Promise.withResolvers` is not in Node 20. */
function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
