import { describe, expect, it } from 'vitest'
import type { ChildSa } from '../../src/child/child-sa.ts'
import { allocateEspSpi } from '../../src/child/negotiation.ts'
import type { Core } from '../../src/core.ts'

describe('RFC 9329 §3.2, RFC 4303 §2.1 (T-FRM-6): the SPIs that we choose', () => {
  it('are never 0 to 255, which are reserved', () => {
    expect(allocateEspSpi(drawing([0, 1, 255, 256]))).toBe(256)
    expect(allocateEspSpi(drawing([0xffffffff]))).toBe(0xffffffff)
  })

  it('are never in use already', () => {
    expect(allocateEspSpi(drawing([0x1234, 0x1234, 0x1235], [0x1234]))).toBe(0x1235)
  })
})

/** A core whose randomness is these numbers. */
function drawing(numbers: readonly number[], inUse: readonly number[] = []): Core {
  let drawn = 0
  const random = (): Uint8Array => {
    const number = numbers[drawn++]!
    return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number)
  }
  return { random, config: {}, sad: new Map(inUse.map((spi) => [spi, {} as ChildSa])) } as unknown as Core
}
