import { setImmediate } from 'node:timers'
import type { Turn, Waiter } from './waiter.ts'

/** Milliseconds without an event after which the watcher waits again. */
const STAY = 100

/** Tells of events while the event loop waits for all that the runtime waits for. */
export interface Watcher {
  /** It tells of nothing from here on: the event loop waits itself. Answers whether that can be. */
  stepAside(): boolean
  /** The event loop does so no more. */
  stepIn(): void
  /** Something is waited for, which keeps the process alive. Idempotent, as `unref` is. */
  ref(): void
  unref(): void
  /** Milliseconds that the event loop may wait: what ends no wait of ours is late by no more. Below 0: it should not any more. */
  patience(): number
}

/**
 * While nothing happens, the watcher waits. From an event on, until there was none for a while, each turn of the event loop waits for
 * the descriptors itself: what arrives is dealt with as soon as epoll_wait(2) returns. The way through a watcher is as long as all that
 * follows it, where packets are so few that their code is cold each time.
 */
export function residentWaiter(turn: Turn, watcherOf: (woken: () => void) => Watcher): Waiter {
  let isWanted = false
  let isStaying = false
  let stayUntil = 0

  const woken = (): void => {
    if (isStaying) return
    isStaying = watcher.stepAside()
    stayUntil = performance.now() + STAY
    turn(0)
    // What woke us may stand outside of what the runtime does around a callback: promises and ticks that `turn` left are seen to behind this.
    setImmediate(stay)
  }
  const stay = (): void => {
    if (!isStaying) return
    const patience = watcher.patience()
    if (patience < 0) return leave()
    const count = isWanted ? turn(patience) : 0
    // What they did may have made another ready, as a packet that is handed on is answered: that need not wait for the event loop's turn.
    if (count > 0 && isWanted) turn(0)
    const now = performance.now()
    if (count > 0) stayUntil = now + STAY
    else if (!isWanted || now > stayUntil) return leave()
    setImmediate(stay)
  }
  const leave = (): void => {
    isStaying = false
    watcher.stepIn()
  }
  const watcher = watcherOf(woken)
  return {
    start() {
      isWanted = true
      watcher.ref()
    },
    stop() {
      isWanted = false
      watcher.unref()
    },
  }
}
