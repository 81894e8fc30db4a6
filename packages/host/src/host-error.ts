/** The one error class of this package: what went wrong with the machine, the configuration or the other process, never with the protocol. */
import type { ConfigIssue } from './config/issues.ts'

export interface HostErrorContext {
  readonly CONFIG_UNREADABLE: { readonly file: string; readonly reason: string }
  readonly CONFIG_INVALID: { readonly file: string; readonly issues: readonly ConfigIssue[] }
  /** A variable of the environment is wrong that the configuration asks for. */
  readonly BAD_ENVIRONMENT: { readonly reason: string }
  /** The gateway's name has no address. */
  readonly NAME_NOT_FOUND: { readonly name: string; readonly reason: string }
  readonly NOT_SUPPORTED: { readonly what: string }
  readonly NOT_PERMITTED: { readonly what: string }
  /** A program such as `ip` answered with an error. */
  readonly CRASH_SECRET_UNUSABLE: { readonly file: string; readonly reason: string }
  readonly COMMAND_FAILED: { readonly command: string; readonly exitCode: number; readonly stderr: string }
  /** Another process of ours holds the control socket or the journal. */
  readonly ALREADY_RUNNING: { readonly path: string; readonly pid: number | undefined }
  /** The journal at `path` is to be worked off in another network namespace ('net:[4026531840]'). */
  readonly OTHER_NAMESPACE: { readonly path: string; readonly namespace: string }
  /** Nobody listens on the control socket. */
  readonly NOT_RUNNING: { readonly path: string }
  readonly CONTROL_FAILED: { readonly path: string; readonly reason: string }
  readonly JOURNAL_FAILED: { readonly path: string; readonly reason: string }
}

export type HostErrorCode = keyof HostErrorContext

export class HostError<C extends HostErrorCode = HostErrorCode> extends Error {
  readonly code: C
  readonly context: HostErrorContext[C]

  constructor(code: C, message: string, context: HostErrorContext[C]) {
    super(message)
    this.name = 'HostError'
    this.code = code
    this.context = context
  }
}

export function isHostError<C extends HostErrorCode>(error: unknown, code: C): error is HostError<C> {
  return error instanceof HostError && error.code === code
}

/** The text of anything thrown, on one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.trim().split('\n')[0]!
}
