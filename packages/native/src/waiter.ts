import { setImmediate } from 'node:timers'
import { isMainThread } from 'node:worker_threads'
import { nativeBuffer } from './address.ts'
import { type Koffi, type KoffiPollHandle, loadKoffi } from './koffi.ts'
import type { Libc } from './libc.ts'
import { PollEvent, PollSet } from './poll-set.ts'
import { residentWaiter } from './resident-waiter.ts'

/** Waits for one descriptor again and again, while it is told to. */
export interface Waiter {
  /** It calls back in each turn of the event loop in which the descriptor is ready, at no cost while it is not; else it is slow to start. */
  readonly isContinuous: boolean
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
      return isMainThread ? residentWaiter(loadKoffi(), libc, epoll, turn) : workerLoopWaiter(epoll, turn)
    } catch {
      // The thread does as well, only later.
    }
  }
  // More workers than cores starve each other of the threads of Bun's pool, and Bun crashes where one ends while a thread waits for it.
  if (!isMainThread && process.versions['bun'] !== undefined) return blockingWaiter(turn)
  return threadWaiter(libc, epoll, turn)
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
    isContinuous: true,
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
    isContinuous: true,
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

/*
 * A thread of the pool inside poll(2) cannot be cancelled, so it also watches an eventfd that stop() writes to. The timeout is a
 * second way out, for a thread whose owner vanished without stop(): Node joins its pool's threads when the process exits.
 */
const TIMEOUT = 2000

/**
 * poll(2) on a thread of the runtime's pool: one for all descriptors, because a pool may be as small as the machine has processors.
 *
 * @throws NativeError `SYSTEM` when no eventfd can be had
 */
export function threadWaiter(libc: Libc, epoll: number, turn: Turn): Waiter {
  const wakeUp = libc.eventfd()
  const set = new PollSet([
    { fd: epoll, events: PollEvent.POLLIN },
    { fd: wakeUp, events: PollEvent.POLLIN },
  ])
  const eight = nativeBuffer(8).bytes
  let isWanted = false
  let isPending = false

  const wait = (): void => {
    isPending = true
    libc.pollAsync(set, TIMEOUT, returned)
  }
  const returned = (): void => {
    isPending = false
    if (set.ready(1) !== 0) libc.read(wakeUp, eight, 0, 8)
    if (isWanted) turn(0)
    if (isWanted && !isPending) wait()
  }
  const wake = (): void => {
    if (!isPending) return
    eight.fill(0)
    eight[0] = 1
    libc.write(wakeUp, eight, 0, 8)
  }
  wakeAtExit(wake)

  return {
    isContinuous: false,
    start() {
      isWanted = true
      if (!isPending) wait()
    },
    stop() {
      if (!isWanted) return
      isWanted = false
      wake()
    },
  }
}

const sleepers: (() => void)[] = []

/** Without it process.exit() would take until the timeout on Node. One listener for all, or the runtime warns of a leak. */
function wakeAtExit(wake: () => void): void {
  if (sleepers.push(wake) > 1) return
  process.on('exit', () => {
    for (const each of sleepers) each()
  })
}
