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
  // A poll on `fd` itself would keep its file open, and a TUN's name taken, for some time after the owner has closed it.
  const epoll = libc.epollOf(fd)
  const set = new PollSet([
    { fd: epoll, events: PollEvent.POLLIN },
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
      release()
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
  const release = (): void => {
    libc.close(epoll)
    libc.close(wakeUp)
  }
  const wake = (): void => void libc.write(wakeUp, one, 0, 8)
  wakeAtExit(wake)

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
      sleepers.delete(wake)
      if (isPending) wake()
      else release()
    },
  }
}

const sleepers = new Set<() => void>()
let isListening = false

/** Without it process.exit() would take until the timeout on Node. One listener for all, or the runtime warns of a leak. */
function wakeAtExit(wake: () => void): void {
  sleepers.add(wake)
  if (isListening) return
  isListening = true
  process.on('exit', () => {
    for (const each of sleepers) each()
  })
}
