// CPU time, as Linux counts it in ticks of 1/100 s.
import { readFileSync } from 'node:fs'

const TICKS = 100

/**
 * CPU seconds of these processes so far: user and system time of all their threads and of the children that they have waited for
 * (proc(5), fields 14 to 17 of stat). What the kernel does for a packet while such a process sends or reads it is in there; what it does
 * in threads of its own (ksoftirqd, kworker) is not: for that there is `machineSeconds`.
 * @param {Iterable<string | number>} pids those that have ended meanwhile count nothing
 */
export function cpuSeconds(pids) {
  let ticks = 0
  for (const pid of pids) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
      for (const at of [11, 12, 13, 14]) ticks += Number(fields[at])
    } catch {
      // It has ended.
    }
  }
  return ticks / TICKS
}

/** CPU seconds of the whole machine so far, everything that is neither idle nor waiting: also interrupts and the kernel's threads. */
export function machineSeconds() {
  const [user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user + nice + system + irq + softirq) / TICKS
}
