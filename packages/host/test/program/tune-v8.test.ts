import { setFlagsFromString } from 'node:v8'
import { describe, expect, it } from 'vitest'
import { tuneV8 } from '../../src/index.ts'

const isNode = process.versions['bun'] === undefined && process.versions['deno'] === undefined

/** Bit 4 of V8's answer: it runs compiled code. */
const OPTIMIZED = 16
const MOST = 100_000

/** `name`: another source each time, as V8 keeps what it has learnt of one. */
function callsUntilOptimized(name: string): number {
  const status = new Function('f', 'return %GetOptimizationStatus(f)') as (f: unknown) => number
  const work = new Function('n', `let ${name} = 0; for (let i = 0; i < 4; i++) ${name} += i * n; return ${name}`) as (n: number) => number
  for (let calls = 1; calls < MOST; calls++) {
    work(calls)
    if ((status(work) & OPTIMIZED) !== 0) return calls
  }
  return MOST
}

/** Of several functions: when V8 asks is up to a count that others of its own go into, too. */
function usualCalls(name: string): number {
  const counts = Array.from({ length: 15 }, (_, i) => callsUntilOptimized(`${name}${i}`))
  return counts.sort((a, b) => a - b)[7]!
}

describe('Compiling early', () => {
  // V8's own questions need its flags, which the others keep to themselves.
  it.runIf(isNode)('a function is compiled after fewer calls than V8 would wait for', () => {
    for (const flag of ['--allow-natives-syntax', '--no-concurrent-recompilation']) setFlagsFromString(flag)
    const before = usualCalls('before')
    tuneV8()
    expect(usualCalls('after')).toBeLessThan(0.75 * before)
  })

  // The other half of the same: CI runs it on Bun and Deno.
  it.runIf(!isNode)('does no harm elsewhere', () => {
    expect(tuneV8).not.toThrow()
  })
})
