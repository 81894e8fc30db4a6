import { describe, expect, it } from 'vitest'
import { EspCryptoError, ReplayWindow } from '../src/index.ts'
import { Seeded } from './support.ts'

const M = 0xffffffff

describe('RFC 4303 §3.4.3 (E-2): which numbers a window of 64 takes', () => {
  // Each column is one packet after the ones before it: number, and whether it is new.
  const columns: readonly (readonly [string, readonly (readonly [number, boolean])[]])[] = [
    [
      'the first is 1, never 0',
      [
        [0, false],
        [1, true],
        [1, false],
      ],
    ],
    [
      'in order',
      [
        [1, true],
        [2, true],
        [3, true],
      ],
    ],
    [
      'duplicates',
      [
        [5, true],
        [5, false],
        [6, true],
        [5, false],
        [6, false],
      ],
    ],
    [
      'late but inside',
      [
        [64, true],
        [1, true],
        [63, true],
        [1, false],
        [63, false],
      ],
    ],
    [
      'left edge',
      [
        [65, true],
        [1, false],
        [2, true],
      ],
    ],
    [
      'one past the left edge',
      [
        [100, true],
        [36, false],
        [37, true],
        [37, false],
      ],
    ],
    [
      'a jump of exactly the window',
      [
        [1, true],
        [65, true],
        [1, false],
        [2, true],
      ],
    ],
    [
      'a jump beyond the bitmap',
      [
        [1, true],
        [10_000, true],
        [9_936, false],
        [9_937, true],
        [1, false],
      ],
    ],
    [
      'a word boundary',
      [
        [31, true],
        [32, true],
        [33, true],
        [31, false],
        [32, false],
        [33, false],
      ],
    ],
    [
      'the spare word is clean when it comes round',
      [
        [10, true],
        [74, true],
        [138, true],
        [75, true],
        [137, true],
        [138, false],
      ],
    ],
    [
      'the very last numbers',
      [
        [M, true],
        [M - 63, true],
        [M - 64, false],
        [M, false],
        [1, false],
      ],
    ],
  ]
  for (const [name, column] of columns) {
    it(name, () => {
      const window = new ReplayWindow(64, false)
      for (const [number, isNew] of column) {
        expect([number, window.check(number)]).toEqual([number, isNew])
        expect([number, window.accept(0, number)]).toEqual([number, isNew])
      }
    })
  }
})

describe('RFC 4303 Appendix A2.2 (E-2): the high half that is inferred', () => {
  // top high, top low, received low, inferred high; W = 64.
  const rows: readonly (readonly [string, number, number, number, number])[] = [
    ['case A, right of the window', 3, 1000, 1001, 3],
    ['case A, inside', 3, 1000, 937, 3],
    ['case A, left of it: the next subspace', 3, 1000, 936, 4],
    ['case A, top at W − 1', 3, 63, 0, 3],
    ['case A, top at the end: 0 is of the next subspace', 3, M, 0, 4],
    ['case A, top at the end, inside', 3, M, M - 63, 3],
    ['case B, top at W − 2: the last number is of the one before', 3, 62, M, 2],
    ['case B, inside, this side', 3, 10, 10, 3],
    ['case B, right of the window', 3, 10, 11, 3],
    ['case B, inside, that side', 3, 10, M - 52, 2],
    ['case B, left of the window', 3, 10, M - 53, 3],
  ]
  for (const [name, topHigh, topLow, low, high] of rows) {
    it(name, () => {
      const window = new ReplayWindow(64, true)
      expect(window.accept(topHigh, topLow)).toBe(true)
      window.check(low)
      expect(window.high).toBe(high)
    })
  }

  it('nothing is before the first subspace', () => {
    const window = new ReplayWindow(64, true)
    expect(window.check(M)).toBe(false)
    expect(window.check(1)).toBe(true)
    expect(window.high).toBe(0)
  })

  it('nothing is after the last subspace', () => {
    const window = new ReplayWindow(64, true)
    window.accept(M, 1000)
    expect(window.check(1)).toBe(false)
    expect(window.check(1001)).toBe(true)
  })

  it('a window across the boundary remembers both sides', () => {
    const window = new ReplayWindow(64, true)
    window.accept(0, M - 100) // on a fresh window the last numbers would be of the subspace before the first
    for (let low = M - 9; low <= M; low++) expect(window.check(low) && window.accept(window.high, low)).toBe(true)
    for (let low = 0; low < 10; low++) {
      expect(window.check(low)).toBe(true)
      expect(window.high).toBe(1)
      expect(window.accept(1, low)).toBe(true)
    }
    for (let low = M - 9; low <= M; low++) {
      expect(window.check(low)).toBe(false)
      expect(window.high).toBe(0)
    }
    for (let low = 0; low < 10; low++) expect(window.check(low)).toBe(false)
    expect(window.check(M - 10)).toBe(true) // late, and not seen yet
    expect(window.high).toBe(0)
    expect([window.topHigh, window.topLow]).toEqual([1, 9])
  })
})

describe('RFC 4303 §3.4.3 (E-2): two stages', () => {
  it('check changes nothing: a forged number does not move the window', () => {
    const window = new ReplayWindow(32, false)
    window.accept(0, 10)
    expect(window.check(1_000_000)).toBe(true)
    expect(window.topLow).toBe(10)
    expect(window.check(9)).toBe(true)
  })

  it('accept refuses what another packet recorded since the check', () => {
    const window = new ReplayWindow(32, false)
    expect(window.check(7)).toBe(true)
    expect(window.accept(0, 7)).toBe(true)
    expect(window.accept(0, 7)).toBe(false)
  })

  it('sizes from 32, the minimum that must be supported, to 4096', () => {
    for (const size of [31, 4097, 64.5, Number.NaN]) {
      expect(() => new ReplayWindow(size, false)).toThrow(EspCryptoError)
    }
    for (const size of [32, 33, 63, 64, 100, 1024, 4095, 4096]) {
      const window = new ReplayWindow(size, false)
      window.accept(0, 10_000)
      expect(window.check(10_000 - size)).toBe(false)
      expect(window.check(10_000 - size + 1)).toBe(true)
    }
  })
})

describe('RFC 6479: the ring behaves like a set of numbers', () => {
  for (const [size, esn, start] of [
    [32, false, 0],
    [64, true, 2 ** 32 - 3000],
    [100, false, 2 ** 31 - 1500],
    [1024, true, 2 ** 33 - 5000],
    [4096, false, 0],
  ] as const) {
    it(`size ${size}, ${esn ? '64' : '32'}-bit numbers from ${start}`, () => {
      const seeded = new Seeded(size)
      const window = new ReplayWindow(size, esn)
      const seen = new Set<number>()
      let top = start
      if (start > 0) window.accept(Math.floor(start / 2 ** 32), start % 2 ** 32)
      seen.add(start)
      for (let i = 0; i < 6000; i++) {
        const kind = seeded.below(20)
        // Mostly near the top on either side, now and then a jump.
        const sequence = kind === 0 ? top + seeded.below(size * 3) : top + seeded.below(12) - (kind < 6 ? seeded.below(size + 40) : 6)
        if (sequence <= 0 || (!esn && sequence > M)) continue
        // With ESN what is left of the window is taken for the next subspace, and fails at the ICV; that is not this test's.
        if (esn && sequence <= top - size) continue
        const expected = sequence > top - size && !seen.has(sequence)
        const high = Math.floor(sequence / 2 ** 32)
        const low = sequence % 2 ** 32
        expect([i, sequence, window.check(low), window.high]).toEqual([i, sequence, expected, high])
        if (expected && seeded.below(10) > 0) {
          expect(window.accept(window.high, low)).toBe(true)
          seen.add(sequence)
          top = Math.max(top, sequence)
        }
      }
      expect(seen.size).toBeGreaterThan(2000)
      expect(window.topHigh * 2 ** 32 + window.topLow).toBe(top)
    })
  }
})
