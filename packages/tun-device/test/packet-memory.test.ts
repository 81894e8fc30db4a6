import { afterEach, expect, it, vi } from 'vitest'
import { createPacketMemory, sumOf } from '../src/packet-memory.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
})

it('is zero, of the length that was asked for, and summed by WebAssembly on this runtime', () => {
  const memory = createPacketMemory(100_001)
  expect(memory.length).toBe(100_001)
  expect(memory.every((octet) => octet === 0)).toBe(true)
  const sum = sumOf(memory.buffer)
  memory.set([1, 2, 3], 50_001)
  expect(sum?.(50_001, 3)).toBe(0x0201 + 0x03)
})

it('is an array like any other where there is no WebAssembly', async () => {
  vi.resetModules()
  vi.stubGlobal('WebAssembly', undefined)
  const { createPacketMemory: createHere, sumOf: sumHere } = await import('../src/packet-memory.ts')
  const memory = createHere(5)
  expect(memory).toEqual(new Uint8Array(5))
  expect(sumHere(memory.buffer)).toBeUndefined()
})
