import { EpollEvents } from './epoll-events.ts'
import { EpollFlag, EpollOperation, type Libc } from './libc.ts'
import { PollEvent } from './poll-set.ts'
import { createWaiter, type Waiter } from './waiter.ts'

/** Waits until one descriptor is ready, without blocking the thread. */
export interface Readiness {
  /**
   * Calls `callback` once, when the descriptor is ready or has failed (the next call on it tells which). One wait at a time: a
   * second call before the first came back only replaces the callback. While it waits the process stays alive.
   */
  arm(callback: () => void): void
  /** Ends the wait, until the next `arm`. */
  disarm(): void
  /** Ends the wait for good. Does not close the descriptor that was waited for. Idempotent. */
  close(): void
}

/** @throws NativeError `SYSTEM` when no epoll instance can be had */
export function watchReadable(libc: Libc, fd: number): Readiness {
  return pollerOf(libc).watch(fd, PollEvent.POLLIN)
}

/** The same for room to write. @throws NativeError `SYSTEM` */
export function watchWritable(libc: Libc, fd: number): Readiness {
  return pollerOf(libc).watch(fd, PollEvent.POLLOUT)
}

let common: Poller | undefined

function pollerOf(libc: Libc): Poller {
  common ??= new Poller(libc, createWaiter)
  return common
}

interface Watch {
  readonly id: number
  callback: (() => void) | undefined
}

const MAX_EVENTS = 64

/**
 * Waits for many descriptors at once:
 *
 *      descriptor ← epoll of its own ← the one epoll of this process ← event loop, or poll(2) on a thread
 *
 * Each descriptor has an epoll of its own for two reasons: one descriptor may be waited for twice (to read and to write), and its
 * number may be used anew while a forgotten watch still has it. In the common epoll a watch is armed for one event at a time, so
 * that what is ready but not waited for wakes nobody. No epoll keeps a file open: a closed TUN's name is free at once.
 */
export class Poller {
  readonly #libc: Libc
  readonly #epoll: number
  readonly #events = new EpollEvents(MAX_EVENTS)
  readonly #watches = new Map<number, Watch>()
  readonly #waiter: Waiter
  #armed = 0
  #lastId = 0

  constructor(libc: Libc, waiterOf: (libc: Libc, epoll: number, onReady: () => void) => Waiter) {
    this.#libc = libc
    this.#epoll = libc.epollCreate()
    this.#waiter = waiterOf(libc, this.#epoll, this.#dispatch)
  }

  watch(fd: number, events: number): Readiness {
    const libc = this.#libc
    const own = libc.epollOf(fd, events)
    this.#lastId = (this.#lastId + 1) >>> 0
    const watch: Watch = { id: this.#lastId, callback: undefined }
    try {
      libc.epollControl(this.#epoll, EpollOperation.ADD, own, EpollFlag.ONESHOT, watch.id)
    } catch (error) {
      libc.close(own)
      throw error
    }
    this.#watches.set(watch.id, watch)
    let isClosed = false
    return {
      arm: (callback) => {
        if (isClosed) return
        const isArmed = watch.callback !== undefined
        watch.callback = callback
        if (isArmed) return
        libc.epollControl(this.#epoll, EpollOperation.MODIFY, own, PollEvent.POLLIN | EpollFlag.ONESHOT, watch.id)
        this.#armed++
        this.#waiter.start()
      },
      disarm: () => {
        if (isClosed || watch.callback === undefined) return
        libc.epollControl(this.#epoll, EpollOperation.MODIFY, own, EpollFlag.ONESHOT, watch.id)
        this.#disarmed(watch)
      },
      close: () => {
        if (isClosed) return
        isClosed = true
        this.#watches.delete(watch.id)
        libc.close(own)
        this.#disarmed(watch)
      },
    }
  }

  #disarmed(watch: Watch): void {
    if (watch.callback === undefined) return
    watch.callback = undefined
    if (--this.#armed === 0) this.#waiter.stop()
  }

  readonly #dispatch = (): void => {
    const count = this.#libc.epollWait(this.#epoll, this.#events, 0)
    for (let i = 0; i < count; i++) {
      const watch = this.#watches.get(this.#events.data(i))
      // Those before it may have closed or disarmed it.
      const callback = watch?.callback
      if (watch === undefined || callback === undefined) continue
      watch.callback = undefined
      this.#armed--
      try {
        callback()
      } catch (error) {
        // The others are armed for one event, and this was theirs too.
        queueMicrotask(() => {
          throw error
        })
      }
    }
    if (this.#armed === 0) this.#waiter.stop()
  }
}
