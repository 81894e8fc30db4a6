import { setImmediate } from 'node:timers'
import { EpollEvents } from './epoll-events.ts'
import { EpollOperation, type Libc, loadLibc } from './libc.ts'
import { type Readiness, watchReadable } from './readiness.ts'

/**
 * Milliseconds for which turns of the event loop look once more before the thread is let go to sleep: to be woken takes as long or longer,
 * above all on a busy machine.
 */
const LINGER = 0.05

/** Events of one turn at most; what is ready beyond them comes in the next. */
const MAX_EVENTS = 64

const NONE = -1

/** One descriptor under the reactor's eyes. */
export interface Watch {
  /** The `PollEvent` bits to be told of from now on; 0 for none. Errors and hang-ups are told in any case. */
  want(events: number): void
  /** Before the descriptor is closed. Idempotent. */
  close(): void
}

/**
 * Tells the owners of many descriptors that they are ready, on the thread of the event loop, without a watcher of the runtime for
 * each: one epoll instance for all. While something is ready a turn follows each turn of the event loop, so that timers and the
 * runtime's own sockets get theirs; when nothing is, one wait stands for all of them.
 */
export class Reactor {
  readonly #libc: Libc
  readonly #watches: (Owner | undefined)[] = []
  #count = 0
  readonly #events = new EpollEvents(MAX_EVENTS)
  #epoll = NONE
  #readiness: Readiness | undefined
  #isTurnQueued = false
  #idleSince = 0

  constructor(libc: Libc) {
    this.#libc = libc
  }

  /**
   * Level-triggered: `onReady` is called once a turn for as long as what it was told of lasts. It should do a bounded amount of work.
   *
   * @throws NativeError `SYSTEM`, above all `EMFILE`
   */
  watch(fd: number, events: number, onReady: (events: number) => void): Watch {
    if (this.#epoll === NONE) this.#begin()
    this.#libc.epollControl(this.#epoll, EpollOperation.ADD, fd, events, fd)
    const owner: Owner = { onReady, wanted: events }
    this.#watches[fd] = owner
    this.#count++
    this.#queueTurn()
    return {
      want: (wanted) => {
        if (this.#watches[fd] !== owner || owner.wanted === wanted) return
        owner.wanted = wanted
        this.#libc.epollControl(this.#epoll, EpollOperation.MODIFY, fd, wanted, fd)
      },
      close: () => {
        if (this.#watches[fd] !== owner) return
        this.#watches[fd] = undefined
        this.#libc.epollControl(this.#epoll, EpollOperation.DELETE, fd, 0, 0)
        if (--this.#count === 0) this.#rest()
      },
    }
  }

  readonly #turn = (): void => {
    this.#isTurnQueued = false
    const epoll = this.#epoll
    if (epoll === NONE) return
    const events = this.#events
    const count = this.#libc.epollWait(epoll, events, 0)
    for (let i = 0; i < count; i++) {
      // One before it may have closed it; another may even have its number.
      const owner = this.#watches[events.data(i)]
      if (owner === undefined) continue
      try {
        owner.onReady(events.events(i))
      } catch (error) {
        // The others' turns do not end with one owner's mistake.
        queueMicrotask(() => {
          throw error
        })
      }
      if (this.#epoll !== epoll) return
    }
    if (count > 0) {
      this.#idleSince = 0
      this.#queueTurn()
    } else {
      this.#idle()
    }
  }

  #idle(): void {
    const now = performance.now()
    if (this.#idleSince === 0) this.#idleSince = now
    if (now - this.#idleSince < LINGER) this.#queueTurn()
    else this.#readiness?.arm(this.#woken)
  }

  readonly #woken = (): void => {
    this.#idleSince = 0
    if (!this.#isTurnQueued) this.#turn()
  }

  #queueTurn(): void {
    if (this.#isTurnQueued) return
    this.#isTurnQueued = true
    setImmediate(this.#turn)
  }

  #begin(): void {
    const epoll = this.#libc.epollCreate()
    try {
      this.#readiness = watchReadable(this.#libc, epoll)
    } catch (error) {
      this.#libc.close(epoll)
      throw error
    }
    this.#epoll = epoll
  }

  /** Nothing is watched: nothing may keep the process alive. */
  #rest(): void {
    this.#readiness?.close()
    this.#libc.close(this.#epoll)
    this.#readiness = undefined
    this.#epoll = NONE
  }
}

interface Owner {
  readonly onReady: (events: number) => void
  wanted: number
}

let shared: Reactor | undefined

/** The one of this thread. @throws NativeError `UNAVAILABLE` */
export function sharedReactor(): Reactor {
  shared ??= new Reactor(loadLibc())
  return shared
}
