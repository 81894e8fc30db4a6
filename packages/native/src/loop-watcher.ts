import { type Koffi, type KoffiPollHandle, openLibrary } from './koffi.ts'
import { EpollOperation, type Libc } from './libc.ts'
import { PollEvent } from './poll-set.ts'
import type { Watcher } from './resident-waiter.ts'

/** Milliseconds of a wait: timers, and immediates that keep nothing alive, are late by no more. */
const PATIENCE = 1

/** Handles and timers of the runtime's beyond which it does not step aside: it takes a look at each of them to know of immediates that are due. */
const MANY = 50

/**
 * On the main thread of Node: libuv watches the epoll instance. While it steps aside it is the other way round, and libuv's own descriptor
 * is among those that end a wait.
 *
 * @throws NativeError `UNAVAILABLE` where the program does not export libuv, and whatever koffi throws
 */
export function loopWatcher(koffi: Koffi, libc: Libc, epoll: number, woken: () => void): Watcher {
  const backend = backendDescriptor()
  const handle: KoffiPollHandle = koffi.node.poll(epoll, READABLE, woken)
  // Not stopped and started for each watch, which would be two system calls.
  handle.unref()
  return {
    /** Neither descriptor may be in the other one's set at once: epoll(7) allows no circles. */
    stepAside() {
      if (process.getActiveResourcesInfo().length > MANY) return false
      handle.stop()
      try {
        libc.epollControl(epoll, EpollOperation.ADD, backend, PollEvent.POLLIN, backend)
        return true
      } catch {
        handle.start(READABLE, woken)
        return false
      }
    },
    stepIn() {
      libc.epollControl(epoll, EpollOperation.DELETE, backend, 0, 0)
      handle.start(READABLE, woken)
    },
    ref: () => handle.ref(),
    unref: () => handle.unref(),
    patience() {
      const resources = process.getActiveResourcesInfo()
      if (resources.length > MANY) return -1
      // Our own is not counted while it runs.
      return resources.includes('Immediate') ? 0 : PATIENCE
    },
  }
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
