/** The process around a program: its streams, its signals, its end. */
import type { Output } from '../report/reporter.ts'

export interface ProcessIo {
  readonly out: Output
  readonly err: Output
  readonly env: Readonly<Record<string, string | undefined>>
  /** SIGINT, SIGTERM and SIGHUP, until the answer is called. */
  onSignal(listener: (signal: string) => void): () => void
  /** What nobody caught. */
  onCrash(listener: (error: unknown) => void): () => void
  /** Without waiting for anything. */
  exitNow(code: number): void
}

export const processIo: ProcessIo = {
  out: process.stdout,
  err: process.stderr,
  env: process.env,
  onSignal(listener) {
    for (const signal of SIGNALS) process.on(signal, listener)
    return () => {
      for (const signal of SIGNALS) process.off(signal, listener)
    }
  },
  onCrash(listener) {
    process.on('uncaughtException', listener)
    process.on('unhandledRejection', listener)
    return () => {
      process.off('uncaughtException', listener)
      process.off('unhandledRejection', listener)
    }
  },
  exitNow(code) {
    process.exit(code)
  },
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
