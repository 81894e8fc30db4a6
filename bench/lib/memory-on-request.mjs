// Goes into a program of ours with `--expose-gc --import`, and changes nothing else of it: at each SIGUSR2 garbage is collected, and what is
// left is written to `BENCH_MEMORY_FILE` as JSON.
import { renameSync, writeFileSync } from 'node:fs'

process.on('SIGUSR2', () => {
  // What a first collection finalizes, a second one frees.
  globalThis.gc()
  setTimeout(() => {
    globalThis.gc()
    const { heapUsed, external, rss } = process.memoryUsage()
    const file = process.env.BENCH_MEMORY_FILE
    writeFileSync(`${file}.part`, JSON.stringify({ heap: heapUsed, external, resident: rss }))
    renameSync(`${file}.part`, file)
  }, 50)
})
