// The suite `repair` in a table and in one line.
import { fixed } from './words.mjs'

export const repairTable = (rows) => [
  ['', 'what happens', 'longest time without an octet, s', 'from the cut to the next octet, s', 'inner connections lost'],
  ...rows.map((row) => {
    if (row.missing !== undefined) return [row.name, row.title, row.missing, '', '']
    return [row.name, row.title, fixed(row.gap), fixed(row.back), lostOf(row)]
  }),
]

/** Seconds; `lost`: inner connections that did not outlive it, of all rounds. */
export const repairSummary = (rows) => ({
  contenders: rows.map(({ name, cut, on, gap, back, lost, missing }) => ({
    name,
    cut,
    on,
    longestGap: gap?.median ?? null,
    backAfter: back?.median ?? null,
    ...(missing === undefined ? { lost: lost.length } : { missing }),
  })),
})

function lostOf({ lost }) {
  return lost.length === 0 ? '0' : `${lost.length}: ${[...new Set(lost)].join(', ')}`
}
