import { describe, expect, it } from 'vitest'
import { Pair } from '../pair.ts'

describe('RFC 9329 §4, §6.1 (T-PFX-6): the prefix begins every connection of the originator, once', () => {
  it('also where an existing SA goes on, and the responder never sends it', () => {
    const pair = new Pair()
    pair.connect()
    for (let cut = 0; cut < 3; cut++) {
      pair.passesTraffic()
      pair.cut(pair.pipe)
      pair.run(2_000)
    }
    expect(pair.pipes).toHaveLength(4)
    for (const pipe of pair.pipes) {
      const text = String.fromCharCode(...pipe.fromOriginator)
      expect(text.indexOf('IKETCP')).toBe(0)
      expect(text.indexOf('IKETCP', 1)).toBe(-1)
      expect(String.fromCharCode(...pipe.fromResponder)).not.toContain('IKETCP')
    }
  })
})
