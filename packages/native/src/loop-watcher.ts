import { type Koffi, type KoffiPollHandle, openLibrary } from './koffi.ts'
import { EpollOperation, type Libc } from './libc.ts'
import { PollEvent } from './poll-set.ts'
import type { Watcher } from './resident-waiter.ts'

/** Milliseconds of a wait. libuv says when a timer or an immediate is due, so that nothing is late; a core that halts for long wakes slowly. */
const PATIENCE = 4

/**
 * On the main thread of Node: libuv watches the epoll instance. While it steps aside it is the other way round, and libuv's own descriptor
 * is among those that end a wait.
 *
 * @throws NativeError `UNAVAILABLE` where the program does not export libuv, and whatever koffi throws
 */
export function loopWatcher(koffi: Koffi, libc: Libc, epoll: number, woken: () => void): Watcher {
  const { backend, timeout } = eventLoop()
  const handle: KoffiPollHandle = koffi.node.poll(epoll, READABLE, woken)
  // Not stopped and started for each watch, which would be two system calls.
  handle.unref()
  return {
    /** Neither descriptor may be in the other one's set at once: epoll(7) allows no circles. */
    stepAside() {
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
    patience: () => {
      const milliseconds = timeout()
      return milliseconds < 0 || milliseconds > PATIENCE ? PATIENCE : milliseconds
    },
  }
}

const READABLE = { readable: true } as const

/** That of the main thread. Its descriptor is ready when there is anything to do but timers; `timeout`: milliseconds to the next, -1 without one, 0 where something is due. */
function eventLoop(): { readonly backend: number; timeout(): number } {
  return openLibrary('libuv', [null], (program) => {
    const loop = program.func('uintptr_t uv_default_loop()')()
    const timeout = program.func('int uv_backend_timeout(uintptr_t loop)')
    return { backend: program.func('int uv_backend_fd(uintptr_t loop)')(loop) as number, timeout: () => timeout(loop) as number }
  })
}
