import { describe, expect, it } from 'vitest'
import { keyExchange } from '../src/index.ts'
import { nodeKeyExchange } from '../src/node.ts'
import { METHODS } from './providers.ts'

/** What these runtimes' node:crypto is known to lack; everything else must not fall back. */
const FALLBACKS: readonly number[] = 'bun' in process.versions ? [14, 15, 16, 17, 18, 32] : 'deno' in process.versions ? [21] : []

describe('nodeKeyExchange', () => {
  it.each(METHODS.filter(([method]) => !FALLBACKS.includes(method)))('%i %s really is over node:crypto here', (method) => {
    expect(nodeKeyExchange(method)).not.toBe(keyExchange(method))
  })

  it.each(METHODS)('%i %s is found once and kept', (method) => {
    expect(nodeKeyExchange(method)).toBe(nodeKeyExchange(method))
  })
})
