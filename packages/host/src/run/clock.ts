import type { Clock } from '@underpass/session-manager/driver'

/** The runtime's monotonic clock and its timers. */
export function nodeClock(): Clock {
  return {
    now: () => performance.now(),
    schedule(atMilliseconds, wake) {
      const wait = Math.min(LONGEST_WAIT, Math.max(0, Math.ceil(atMilliseconds - performance.now())))
      const timer = setTimeout(wake, wait)
      return () => clearTimeout(timer)
    },
  }
}

/** A longer timeout would not fit the runtimes' 31 bits and fire at once. */
const LONGEST_WAIT = 0x7fff_ffff
