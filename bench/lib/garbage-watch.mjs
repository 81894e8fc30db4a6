// Goes into a program of ours with `--import`, changes nothing of it, and watches its garbage collector: from one SIGUSR2 to the next.
// What it saw goes to `BENCH_WATCH_FOLDER` as PID.json. `BENCH_WATCH`: 'pauses' for what each collection took, 'allocations' for the
// functions that allocate, which costs time and is so a run of its own.
import { renameSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { join } from 'node:path'
import { GCProfiler, setFlagsFromString } from 'node:v8'

/** Octets between two samples, in the mean. */
const INTERVAL = 16_384

const { BENCH_WATCH: what, BENCH_WATCH_FOLDER: folder, BENCH_V8_FLAGS: flags } = process.env
// To try what a flag does to the pauses: `BENCH_V8_FLAGS=--no-parallel-scavenge npm run bench -- pauses`.
if (flags) setFlagsFromString(flags)
const watch = what === 'allocations' ? allocations() : pauses()
let isOn = false
process.on('SIGUSR2', () => {
  isOn = !isOn
  if (isOn) return watch.begin()
  const file = join(folder, `${process.pid}.json`)
  writeFileSync(`${file}.part`, JSON.stringify(watch.end()))
  renameSync(`${file}.part`, file)
})

/** `milliseconds` each, and octets that were allocated between two of them. */
function pauses() {
  let profiler
  let cpu
  let atBegin
  return {
    begin() {
      profiler = new GCProfiler()
      cpu = process.cpuUsage()
      profiler.start()
      atBegin = process.memoryUsage().heapUsed
    },
    end() {
      const atEnd = process.memoryUsage().heapUsed
      const { statistics, startTime, endTime } = profiler.stop()
      const { user, system } = process.cpuUsage(cpu)
      const used = ({ heapStatistics: { usedHeapSize } }) => usedHeapSize
      // What the heap has grown by from one collection to the next, before the first and after the last.
      const befores = [...statistics.map(({ beforeGC }) => used(beforeGC)), atEnd]
      const afters = [atBegin, ...statistics.map(({ afterGC }) => used(afterGC))]
      const allocated = befores.reduce((sum, before, i) => sum + Math.max(0, before - afters[i]), 0)
      return {
        seconds: (endTime - startTime) / 1e3,
        cpu: (user + system) / 1e6,
        collections: statistics.map(({ gcType, cost }) => ({ type: gcType, milliseconds: cost / 1e3 })),
        allocated,
        heap: afters.at(-1),
      }
    },
  }
}

/** Octets by function, whether they have been collected since or not. */
function allocations() {
  const session = new Session()
  session.connect()
  return {
    begin() {
      const all = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true }
      session.post('HeapProfiler.startSampling', { samplingInterval: INTERVAL, ...all })
    },
    end() {
      let profile
      session.post('HeapProfiler.stopSampling', (error, answer) => {
        if (error) throw error
        profile = answer.profile
      })
      const octets = new Map()
      const visit = ({ callFrame: { functionName, url, lineNumber }, selfSize, children }) => {
        const place = url === '' ? '' : ` ${url.replace(/^.*\/(?=(packages|apps|node_modules|bench)\/)/, '')}:${lineNumber + 1}`
        const key = `${functionName || '(anonymous)'}${place}`
        if (selfSize > 0) octets.set(key, (octets.get(key) ?? 0) + selfSize)
        for (const child of children) visit(child)
      }
      visit(profile.head)
      return { functions: [...octets].sort((a, b) => b[1] - a[1]).map(([name, size]) => ({ name, octets: size })) }
    },
  }
}
