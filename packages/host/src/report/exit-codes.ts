/** What the programs answer their caller. */
import { HostError } from '../host-error.ts'

export const EXIT = {
  OK: 0,
  FAILURE: 1,
  /** Of the command line or of the configuration. */
  USAGE: 2,
  AUTHENTICATION_FAILED: 3,
  /** No transport reached the gateway, or its name has no address. */
  UNREACHABLE: 4,
  /** Ctrl-C before there was a tunnel: 128 and SIGINT's number, as shells have it. */
  INTERRUPTED: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof HostError)) return EXIT.FAILURE
  if (error.code === 'CONFIG_INVALID' || error.code === 'CONFIG_UNREADABLE' || error.code === 'BAD_ENVIRONMENT') return EXIT.USAGE
  return error.code === 'NAME_NOT_FOUND' ? EXIT.UNREACHABLE : EXIT.FAILURE
}
