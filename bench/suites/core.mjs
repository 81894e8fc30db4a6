// From one core's TUN over the wire to the other core's TUN, both in this thread: SPD, seal, frame; deframe, open, selector check.
import { execFileSync } from 'node:child_process'
import { execPath, versions } from 'node:process'
import { fileURLToPath } from 'node:url'
import { interleave } from '../lib/measure.mjs'
import { passingCases } from '../lib/passing.mjs'

/** A collection only when we ask for one, or after 64 MB: what is counted as allocated must still be there. */
const FLAGS = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64']

export function run({ quick }) {
  const results = interleave(passingCases(), quick ? { rounds: 3, milliseconds: 100 } : { rounds: 9, milliseconds: 300 })
  const isNode = versions.bun === undefined && versions.deno === undefined
  const allocated = isNode ? allocation() : []
  return {
    rows: results.map(({ case: { labels }, perSecond, perCpuSecond }, i) => ({ ...labels, perSecond, perCpuSecond, ...allocated[i] })),
    notes: isNode ? [] : ['Allocation is counted on Node only.'],
  }
}

/** In another process: the speed is to be that of a runtime without flags. */
function allocation() {
  const child = fileURLToPath(new URL('../child.mjs', import.meta.url))
  const output = execFileSync(execPath, [...FLAGS, child, 'core-allocation', '{}'], { encoding: 'utf8' })
  return JSON.parse(output.trimEnd().split('\n').at(-1)).rows
}
