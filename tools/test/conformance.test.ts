/** What counts on docs/conformance.md: a test that may be skipped shows nothing. */
import { expect, it } from 'vitest'
import { withoutSkippable } from '../conformance.mjs'

it('tests that may be skipped do not count, however they say so', () => {
  const kept = withoutSkippable(`describe.skipIf(no)('one', () => {
  it('two', () => {})
})

describe('three', () => {
  it.runIf(yes)('four', () => {
    expect(1).toBe(1)
  })

  it('five', { timeout: 1 }, ({
    skip,
  }) => {
    if (no) skip('no')
  })

  it.each([
    1,
  ])('six', (_, context) => {
    context.skip('no')
  })

  it.skip('seven', () => {})
  it('eight', () => {
    expect(skipped()).toBe(1)
  })
})

it('nine', ({ skip }) => {
  skip()
})
function skipped() {
  return skip()
}
it('ten', () => {})
`)
  expect([...kept.matchAll(/'(\w+)',/g)].map(([, title]) => title)).toEqual(['three', 'eight', 'ten'])
})
