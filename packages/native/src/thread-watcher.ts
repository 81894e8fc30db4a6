import { nativeBuffer } from './address.ts'
import type { Libc } from './libc.ts'
import { PollEvent, PollSet } from './poll-set.ts'
import type { Watcher } from './resident-waiter.ts'
import { areStarvedByWaits } from './runtime-streams.ts'

/*
 * A thread of the pool inside poll(2) cannot be cancelled, so it also watches an eventfd that unref() writes to. The timeout is a
 * second way out, for a thread whose owner vanished without it: Node joins its pool's threads when the process exits.
 */
const TIMEOUT = 2000

/** Milliseconds of a wait of the event loop: nothing of the runtime's ends it. */
const PATIENCE = 1

/**
 * poll(2) on a thread of the runtime's pool: one for all descriptors, because a pool may be as small as the machine has processors.
 *
 * @throws NativeError `SYSTEM` when no eventfd can be had
 */
export function threadWatcher(libc: Libc, epoll: number, woken: () => void): Watcher {
  const wakeUp = libc.eventfd()
  const set = new PollSet([
    { fd: epoll, events: PollEvent.POLLIN },
    { fd: wakeUp, events: PollEvent.POLLIN },
  ])
  const eight = nativeBuffer(8).bytes
  let isWanted = false
  let isAside = false
  let isPending = false

  const wait = (): void => {
    if (!isWanted || isAside || isPending) return
    isPending = true
    libc.pollAsync(set, TIMEOUT, returned)
  }
  const returned = (): void => {
    isPending = false
    if (set.ready(1) !== 0) libc.read(wakeUp, eight, 0, 8)
    if (isWanted && set.ready(0) !== 0) woken()
    wait()
  }
  const wake = (): void => {
    if (!isPending) return
    eight.fill(0)
    eight[0] = 1
    libc.write(wakeUp, eight, 0, 8)
  }
  wakeAtExit(wake)

  return {
    stepAside() {
      isAside = !areStarvedByWaits()
      return isAside
    },
    stepIn() {
      isAside = false
      wait()
    },
    ref() {
      isWanted = true
      wait()
    },
    unref() {
      if (!isWanted) return
      isWanted = false
      wake()
    },
    patience: () => (areStarvedByWaits() ? -1 : PATIENCE),
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
