import { setImmediate } from 'node:timers'
import { EpollEvents } from './epoll-events.ts'
import { EpollOperation, type Libc, loadLibc } from './libc.ts'
import { createWaiter, type Waiter } from './waiter.ts'

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
 * each: one epoll instance for all. A turn follows each turn of the event loop while something is ready, and for a while after, and at most a
 * second one each that found something; how the event loop hears of the next event then is the waiter's (see waiter.ts). Timers and the
 * runtime's own sockets get their turns in between. An epoll instance keeps no file open: a closed TUN's name is free at once.
 */
export class Reactor {
  readonly #libc: Libc
  readonly #waiterOf: typeof createWaiter
  readonly #watches: (Owner | undefined)[] = []
  #count = 0
  readonly #events = new EpollEvents(MAX_EVENTS)
  #epoll = NONE
  #waiter: Waiter | undefined

  constructor(libc: Libc, waiterOf: typeof createWaiter = createWaiter) {
    this.#libc = libc
    this.#waiterOf = waiterOf
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
    if (this.#count++ === 0) this.#waiter?.start()
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
        // Nothing is watched: nothing may keep the process alive.
        if (--this.#count === 0) this.#waiter?.stop()
      },
    }
  }

  /** Answers how many owners it told. */
  readonly #tell = (milliseconds: number): number => {
    const events = this.#events
    const count = this.#libc.epollWait(this.#epoll, events, milliseconds)
    let told = 0
    for (let i = 0; i < count; i++) {
      // One before it may have closed it, another may even have its number; and the waiter may have a descriptor of its own here.
      const owner = this.#watches[events.data(i)]
      if (owner === undefined) continue
      told++
      try {
        owner.onReady(events.events(i))
      } catch (error) {
        // The others' turns do not end with one owner's mistake.
        setImmediate(() => {
          throw error
        })
      }
    }
    return told
  }

  /** The instance stays for as long as the process. */
  #begin(): void {
    const epoll = this.#libc.epollCreate()
    try {
      this.#waiter = this.#waiterOf(this.#libc, epoll, this.#tell)
    } catch (error) {
      this.#libc.close(epoll)
      throw error
    }
    this.#epoll = epoll
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
