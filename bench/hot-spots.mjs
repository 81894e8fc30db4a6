// Where the time went: `node bench/hot-spots.mjs FILE.cpuprofile…` lists the functions in which a profile's samples were taken.
// Such a profile comes from `node --cpu-prof`, for example around bench/child.mjs or one of the programs.
import { readFileSync } from 'node:fs'
import { argv } from 'node:process'

const SHOWN = 25

for (const file of argv.slice(2)) {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8'))
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]))
  const microseconds = new Map()
  let total = 0
  for (const [i, id] of samples.entries()) {
    const { functionName, url, lineNumber } = byId.get(id)
    if (functionName === '(idle)' || functionName === '(program)') continue
    const place = url === '' ? '' : ` ${url.replace(/^.*\/(?=(packages|apps|node_modules|bench)\/)/, '')}:${lineNumber + 1}`
    const key = `${functionName || '(anonymous)'}${place}`
    microseconds.set(key, (microseconds.get(key) ?? 0) + timeDeltas[i])
    total += timeDeltas[i]
  }
  console.log(`${file}: ${(total / 1e6).toFixed(2)} s busy`)
  for (const [key, own] of [...microseconds].sort((a, b) => b[1] - a[1]).slice(0, SHOWN))
    console.log(`${((100 * own) / total).toFixed(1).padStart(6)} %  ${key}`)
}
