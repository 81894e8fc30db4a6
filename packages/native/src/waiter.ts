import { setImmediate } from 'node:timers'
import { isMainThread } from 'node:worker_threads'
import { type Koffi, type KoffiPollHandle, loadKoffi } from './koffi.ts'
import type { Libc } from './libc.ts'
import { loopWatcher } from './loop-watcher.ts'
import { residentWaiter } from './resident-waiter.ts'
import { threadWatcher } from './thread-watcher.ts'

/** Has a turn taken for as long as descriptors are ready, while it is told to. */
export interface Waiter {
  /** Waits, and keeps the process alive. Idempotent. */
  start(): void
  /** Calls back no more, and lets the process end. Idempotent. */
  stop(): void
}

/** Looks for events, waits so many milliseconds for the first, and tells their owners. Answers how many there were. */
export type Turn = (milliseconds: number) => number

/** The best that this runtime has. */
export function createWaiter(libc: Libc, epoll: number, turn: Turn): Waiter {
  // Bun crashes on koffi's watcher and Deno has no event loop for it.
  const isNode = process.versions['bun'] === undefined && process.versions['deno'] === undefined
  if (isNode) {
    try {
      return isMainThread ? loopWaiter(libc, epoll, turn) : workerLoopWaiter(epoll, turn)
    } catch {
      // The thread does as well, only later.
    }
  }
  // More workers than cores starve each other of the threads of Bun's pool, and Bun crashes where one ends while a thread waits for it.
  if (!isMainThread && process.versions['bun'] !== undefined) return blockingWaiter(turn)
  return threadWaiter(libc, epoll, turn)
}

/** @throws NativeError `UNAVAILABLE` where the program does not export libuv, and whatever koffi throws */
export function loopWaiter(libc: Libc, epoll: number, turn: Turn): Waiter {
  return residentWaiter(turn, (woken) => loopWatcher(loadKoffi(), libc, epoll, woken))
}

/** @throws NativeError `SYSTEM` when no eventfd can be had */
export function threadWaiter(libc: Libc, epoll: number, turn: Turn): Waiter {
  return residentWaiter(turn, (woken) => threadWatcher(libc, epoll, woken))
}

/**
 * In a worker of Node: libuv watches the descriptor. Its loop ends before the process: what waits for nothing leaves nothing in it.
 *
 * @throws whatever koffi throws where there is no such event loop
 */
function workerLoopWaiter(epoll: number, turn: Turn): Waiter {
  const koffi = loadKoffi()
  let handle: KoffiPollHandle | undefined
  return {
    start() {
      handle ??= pollHandle(koffi, epoll, turn)
    },
    stop() {
      handle?.close()
      handle = undefined
    },
  }
}

/** The worker itself waits, for so short a time that its timers and messages come late by no more than that. */
function blockingWaiter(turn: Turn): Waiter {
  let isWanted = false
  let isQueued = false
  const wait = (): void => {
    isQueued = false
    if (!isWanted) return
    turn(BLOCKED)
    queue()
  }
  const queue = (): void => {
    if (isQueued || !isWanted) return
    isQueued = true
    setImmediate(wait)
  }
  return {
    start() {
      isWanted = true
      queue()
    },
    stop() {
      isWanted = false
    },
  }
}

/** Milliseconds. An idle worker wakes as many times a second as they go into it. */
const BLOCKED = 2

function pollHandle(koffi: Koffi, epoll: number, turn: Turn): KoffiPollHandle {
  let isQueued = false
  const queued = (): void => {
    isQueued = false
    turn(0)
  }
  return koffi.node.poll(epoll, { readable: true }, () => {
    // koffi calls back outside of what Node does around a callback: promises, ticks and uncaught errors would be left lying. The
    // immediates of this round of the loop come next, so nothing is lost by leaving it to one.
    if (isQueued) return
    isQueued = true
    setImmediate(queued)
  })
}
