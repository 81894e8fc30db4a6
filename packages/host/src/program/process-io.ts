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
  out: untilClosed(process.stdout),
  err: untilClosed(process.stderr),
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

/** What is written after the reader has gone (a pipe into `head`, a terminal that was closed) is dropped; that is no failure of ours. */
export function untilClosed(stream: NodeJS.WriteStream): Output {
  let state: 'unused' | 'open' | 'closed' = 'unused'
  return {
    get isTTY() {
      return stream.isTTY
    },
    write(text) {
      if (state === 'closed') return
      if (state === 'unused') {
        stream.on('error', (error: NodeJS.ErrnoException) => {
          if (!READER_GONE.includes(error.code ?? '')) throw error
          state = 'closed'
        })
        state = 'open'
      }
      stream.write(text)
    },
  }
}

/** EIO: of a terminal. */
const READER_GONE: readonly string[] = ['EPIPE', 'EIO']
