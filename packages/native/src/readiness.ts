import type { Libc } from './libc.ts'
import { PollEvent, PollSet } from './poll-set.ts'

/** Waits until one descriptor can be read, without blocking the thread and without a watcher of the runtime. */
export interface Readiness {
  /**
   * Calls `callback` once, when the descriptor is readable or has failed (the next read tells which). One wait at a time: a
   * second call before the first came back only replaces the callback. While it waits the process stays alive.
   */
  arm(callback: () => void): void
  /** Drops the callback of the current wait; the wait itself goes on in the background. */
  disarm(): void
  /** Ends the wait at once. Does not close the descriptor that was waited for. Idempotent. */
  close(): void
}

/*
 * A thread of the pool inside poll(2) cannot be cancelled, so it also watches an eventfd that close() writes to. The timeout is a
 * second way out, for a thread whose owner vanished without close(): Node joins its pool's threads when the process exits.
 */
const TIMEOUT = 2000

/** @throws NativeError `SYSTEM` when no eventfd can be had */
export function watchReadable(libc: Libc, fd: number): Readiness {
  const wakeUp = libc.eventfd()
  const set = new PollSet([
    { fd, events: PollEvent.POLLIN },
    { fd: wakeUp, events: PollEvent.POLLIN },
  ])
  const one = new Uint8Array(BigUint64Array.of(1n).buffer)
  let isPending = false
  let isClosed = false
  let callback: (() => void) | undefined

  const wait = (): void => {
    isPending = true
    libc.pollAsync(set, TIMEOUT, returned)
  }
  const returned = (ready: number): void => {
    isPending = false
    if (isClosed) {
      libc.close(wakeUp)
      return
    }
    const waiting = callback
    if (waiting === undefined) return
    if (ready === 0) {
      wait()
      return
    }
    callback = undefined
    waiting()
  }
  const wake = (): void => void libc.write(wakeUp, one, 0, 8)
  // Without it process.exit() would take until the timeout on Node.
  process.on('exit', wake)

  return {
    arm(next) {
      if (isClosed) return
      callback = next
      if (!isPending) wait()
    },
    disarm() {
      callback = undefined
    },
    close() {
      if (isClosed) return
      isClosed = true
      callback = undefined
      process.off('exit', wake)
      if (isPending) wake()
      else libc.close(wakeUp)
    },
  }
}
