import { setImmediate } from 'node:timers'
import { type Koffi, type KoffiPollHandle, openLibrary } from './koffi.ts'
import { EpollOperation, type Libc } from './libc.ts'
import { PollEvent } from './poll-set.ts'
import type { Turn, Waiter } from './waiter.ts'

/** Milliseconds without an event after which the event loop waits again. */
const STAY = 100
/** Milliseconds of one wait: the runtime's timers come late by no more. */
const LATE = 4

/**
 * On the main thread of Node. While nothing happens libuv watches the epoll instance. From an event on, until there was none for a while,
 * it is the other way round: each turn of the event loop waits in the epoll instance, with libuv's own descriptor among those that end the
 * wait. What arrives is dealt with as soon as epoll_wait(2) returns. The way through libuv's watcher and an immediate is as long as all
 * that follows it, where packets are so few that their code is cold each time.
 *
 * @throws NativeError `UNAVAILABLE` where the program does not export libuv, and whatever koffi throws
 */
export function residentWaiter(koffi: Koffi, libc: Libc, epoll: number, turn: Turn): Waiter {
  const backend = backendDescriptor()
  let isWanted = false
  let isStaying = false
  let stayUntil = 0

  const woken = (): void => {
    if (isStaying) return
    isStaying = enter()
    stayUntil = performance.now() + STAY
    turn(0)
    // koffi calls back outside of what Node does around a callback: promises and ticks that `turn` left are seen to behind the immediate.
    setImmediate(stay)
  }
  const stay = (): void => {
    if (!isStaying) return
    const count = isWanted ? turn(0) || (othersAreDue() ? 0 : turn(LATE)) : 0
    const now = performance.now()
    if (count > 0) stayUntil = now + STAY
    else if (!isWanted || now > stayUntil) return leave()
    setImmediate(stay)
  }
  const handle: KoffiPollHandle = koffi.node.poll(epoll, READABLE, woken)
  // Not stopped and started for each watch, which would be two system calls.
  handle.unref()

  /** Neither descriptor may be in the other one's set at once: epoll(7) allows no circles. */
  const enter = (): boolean => {
    handle.stop()
    try {
      libc.epollControl(epoll, EpollOperation.ADD, backend, PollEvent.POLLIN, backend)
      return true
    } catch {
      handle.start(READABLE, woken)
      return false
    }
  }
  const leave = (): void => {
    isStaying = false
    libc.epollControl(epoll, EpollOperation.DELETE, backend, 0, 0)
    handle.start(READABLE, woken)
  }
  return {
    isContinuous: true,
    start() {
      isWanted = true
      handle.ref()
    },
    stop() {
      isWanted = false
      handle.unref()
    },
  }
}

/** Immediates, our own not counted while it runs: their turn comes before any wait. */
function othersAreDue(): boolean {
  return process.getActiveResourcesInfo().includes('Immediate')
}

const READABLE = { readable: true } as const

/** Of the event loop of the main thread; ready when libuv has anything to do but timers. */
function backendDescriptor(): number {
  const { loop, backend } = openLibrary('libuv', [null], (program) => ({
    loop: program.func('uintptr_t uv_default_loop()'),
    backend: program.func('int uv_backend_fd(uintptr_t loop)'),
  }))
  return backend(loop()) as number
}
