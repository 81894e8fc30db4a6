// What Linux says of a process: memory in octets, CPU time in nanoseconds.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** @returns {{ resident: number, peak: number }} octets; `peak` since `forgetPeak` */
export function memoryOf(pid) {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kilobytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)[1])
  return { resident: kilobytes('VmRSS') * 1024, peak: kilobytes('VmHWM') * 1024 }
}

/** proc(5), clear_refs. */
export const forgetPeak = (pid) => writeFileSync(`/proc/${pid}/clear_refs`, '5')

/** CPU seconds of all threads so far, finer than the ticks of `stat`: the first field of schedstat is nanoseconds. */
export function preciseCpuSeconds(pid) {
  let nanoseconds = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0])
    } catch {
      // The thread has ended.
    }
  }
  return nanoseconds / 1e9
}

/** The hard limit on open files, to which Node raises its own: Infinity where there is none. */
export function openFilesLimit() {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))[1]
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)
}
