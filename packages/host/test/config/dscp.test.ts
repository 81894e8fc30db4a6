import { describe, expect, it } from 'vitest'
import { describeDscp, dscp } from '../../src/config/dscp.ts'

describe('RFC 2474 (T-SA-2): DSCP by name or number', () => {
  it.each([
    ['CS0', 0],
    ['LE', 1],
    ['cs1', 8],
    ['AF11', 10],
    ['AF43', 38],
    ['VA', 44],
    ['EF', 46],
    ['CS7', 56],
    [63, 63],
  ] as const)('%s is %i', (written, value) => {
    expect(dscp.parse(written)).toBe(value)
  })

  it.each(['AF44', 'CS8', '', '46', 64, -1, 1.5])('%j is none', (written) => {
    expect(dscp.safeParse(written).success).toBe(false)
  })

  it('is shown by name and number', () => {
    expect([46, 0, 34, 3].map(describeDscp)).toEqual(['EF (46)', 'DF (0)', 'AF41 (34)', '3'])
  })
})
