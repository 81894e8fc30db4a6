import { describe, expect, it } from 'vitest'
import { isClearlyMore, isLossy, lossOf, rateOf, type Sample } from '../../src/peers/quality.ts'

const GOOD = { expected: 1000, arrived: 995 }
const BAD = { expected: 1000, arrived: 950 }
const FEW = { expected: 20, arrived: 10 }
/** A policer of 40 kB/s, in two seconds. */
const FEWER = { expected: 30, arrived: 30 }
const GONE = { expected: 57, arrived: 50 }
const KEPT = { expected: 57, arrived: 57 }

describe('RFC 9329 §9 (T-PERF-1): when UDP is lossy', () => {
  it.each([
    ['nothing measured', [], false],
    ['one bad interval', [sample(GOOD, BAD)], false],
    ['two bad ones in a row, outbound', [sample(GOOD, BAD), sample(GOOD, BAD)], true],
    ['two bad ones in a row, inbound', [sample(BAD, GOOD), sample(BAD, GOOD)], true],
    ['one each way, in a row', [sample(BAD, GOOD), sample(GOOD, BAD)], true],
    ['a good one between them', [sample(GOOD, BAD), sample(GOOD, GOOD), sample(GOOD, BAD)], false],
    ['bad ones that are over', [sample(GOOD, BAD), sample(GOOD, BAD), sample(GOOD, GOOD)], false],
    ['few packets in each, of four intervals together enough', Array(4).fill(sample(FEWER, GONE)), true],
    ['few packets in each, of three intervals not enough twice', Array(3).fill(sample(FEWER, GONE)), false],
    ['few packets, lost long ago', [sample(GOOD, BAD), ...Array(4).fill(sample(FEW, KEPT))], false],
    ['too few packets to say', [sample(FEW, FEW), sample(FEW, FEW)], false],
  ] as const)('%s', (_, samples, expected) => {
    expect(isLossy(samples)).toBe(expected)
  })

  it('RFC 9329 §9: loss is the share that did not come, and none where there is too little to say', () => {
    expect([lossOf(BAD), lossOf(GOOD), lossOf(FEW), lossOf({ expected: 0, arrived: 0 })]).toEqual([
      expect.closeTo(0.05),
      expect.closeTo(0.005),
      0,
      0,
    ])
  })

  it('RFC 9329 §9: the rate is that of the last two intervals, by their lengths', () => {
    expect(rateOf([sample(GOOD, GOOD, 1e6), sample(GOOD, GOOD, 3000, 1000), sample(GOOD, GOOD, 1000, 3000)])).toBe(1000)
    expect(rateOf([])).toBe(0)
  })

  it.each([
    [1000, 1000, false],
    [1240, 1000, false],
    [1260, 1000, true],
    [1, 0, true],
    [0, 0, false],
  ])('RFC 9329 §9: a stream with %d octets in a second where UDP had %d keeps the tunnel: %s', (rate, before, expected) => {
    expect(isClearlyMore(rate, before)).toBe(expected)
  })
})

function sample(inbound: Sample['inbound'], outbound: Sample['outbound'], octets = 1_000_000, milliseconds = 5_000): Sample {
  return { inbound, outbound, octets, milliseconds, roundTrip: 20 }
}
