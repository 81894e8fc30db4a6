/** A program that runs until somebody or something ends it: the first signal ends it in order, a later one at once. */
import type { SharedConfig } from '../config/shared-schema.ts'
import { reasonOf } from '../host-error.ts'
import { EXIT, type ExitCode, exitCodeOf } from '../report/exit-codes.ts'
import type { Reporter } from '../report/reporter.ts'
import type { ProcessIo } from './process-io.ts'

export interface ForegroundOptions {
  readonly config: Pick<SharedConfig, 'warnings'>
  readonly io: ProcessIo
  readonly reporter: Reporter
  /** Milliseconds of a clock that is never set. */
  readonly now?: () => number
}

/** What has been started. Its end answers what could not be undone. */
export interface Started {
  close(): Promise<readonly string[]>
}

/** From the warnings to the summary; answers the exit code. `start` answers `undefined` where the program is to end before there is anything. */
export async function inForeground(
  { config, io, reporter, now = () => performance.now() }: ForegroundOptions,
  start: (foreground: Foreground) => Promise<Started | undefined>,
): Promise<ExitCode> {
  for (const warning of config.warnings) reporter.notice(warning, 'warn')
  const foreground = new Foreground(io, reporter, now)
  let ending: Ending
  let problems: readonly string[] = []
  try {
    const started = await start(foreground)
    ending = await foreground.ended
    if (started) {
      problems = await started.close()
      if (ending.lastWords === undefined) reporter.notice('down')
    }
  } catch (error) {
    ending = { exitCode: exitCodeOf(error), reason: reasonOf(error), lastWords: reasonOf(error) }
  }
  for (const problem of problems) reporter.error(`not undone: ${problem}`)
  if (ending.lastWords !== undefined) reporter.error(ending.lastWords)
  foreground.release()
  reporter.summary({ exitCode: ending.exitCode, reason: ending.reason, problems })
  return ending.exitCode
}

export interface Ending {
  readonly exitCode: ExitCode
  /** For the summary: 'SIGINT', 'down', or what failed. */
  readonly reason: string
  /** An error told when all else is: the line above the prompt says why. */
  readonly lastWords?: string
}

export class Foreground {
  /** Resolves with the first reason to stop. */
  readonly ended: Promise<Ending>
  /** What Ctrl-C ends with now. */
  exitCodeOfInterrupt: ExitCode = EXIT.OK
  readonly #resolve: (ending: Ending) => void
  readonly #detach: readonly (() => void)[]
  #ending: Ending | undefined
  #firstSignalAt: number | undefined

  constructor(io: ProcessIo, reporter: Reporter, now: () => number) {
    const { promise, resolve } = withResolvers<Ending>()
    this.ended = promise
    this.#resolve = resolve
    this.#detach = [
      io.onSignal((signal) => {
        if (this.#firstSignalAt !== undefined) {
          if (now() - this.#firstSignalAt < ONE_WISH) return
          reporter.error('stopped at once; the next start undoes what is left of the host changes')
          io.exitNow(EXIT.FAILURE)
          return
        }
        this.#firstSignalAt = now()
        reporter.notice(`${signal}: going down; once more to stop at once`)
        this.end({ exitCode: signal === 'SIGINT' ? this.exitCodeOfInterrupt : EXIT.OK, reason: signal })
      }),
      io.onCrash((error) => {
        reporter.error(`this is a defect: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
        this.end({ exitCode: EXIT.FAILURE, reason: reasonOf(error) })
      }),
    ]
  }

  get isEnding(): boolean {
    return this.#ending !== undefined
  }

  /** The first call counts. */
  end(ending: Ending): void {
    this.#ending ??= ending
    this.#resolve(this.#ending)
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
    for (const detach of this.#detach) detach()
  }
}

/** Milliseconds in which signals are one wish: timeout(1) sends its own to the program and to the program's group. */
const ONE_WISH = 500

/** `Promise.withResolvers` is not in Node 20. */
function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
