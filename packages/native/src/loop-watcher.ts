import { type Koffi, type KoffiPollHandle, openLibrary } from './koffi.ts'
import { EpollOperation, type Libc } from './libc.ts'
import { PollEvent } from './poll-set.ts'
import type { Others, Watcher } from './resident-waiter.ts'

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
  }
}

/** Only timers are late, and immediates that keep nothing alive. */
export const OTHERS_OF_NODE: Others = {
  late: 4,
  /** Immediates, our own not counted while it runs. */
  areDue: () => process.getActiveResourcesInfo().includes('Immediate'),
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
