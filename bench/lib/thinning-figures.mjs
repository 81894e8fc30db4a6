// The suite `thinning` in a table and in one line.
import { digits, ranged, significant } from './words.mjs'

export const thinningTable = (rows) => [
  ['way back, Mbit/s', ...namesOf(rows).map((name) => `${name}, Mbit/s`), 'thinned to not'],
  ...ratesOf(rows).map((back) => {
    const group = rows.filter((row) => row.back === back)
    const ratio = thinnedToNot(rows, back)
    return [String(back), ...group.map((row) => row.missing ?? ranged(row.megabits)), Number.isFinite(ratio) ? `${digits(ratio)}×` : '–']
  }),
]

/** `thinnedToNot`: goodput with thinned acknowledgements of that without, for each rate of the way back in Mbit/s. */
export const thinningSummary = (rows) => ({
  contenders: rows.map(({ name, back, megabits }) => ({ name, back, megabits: megabits?.median ?? null })),
  ratios: { thinnedToNot: Object.fromEntries(ratesOf(rows).map((back) => [back, significant(thinnedToNot(rows, back))])) },
})

const ratesOf = (rows) => [...new Set(rows.map(({ back }) => back))]
const namesOf = (rows) => [...new Set(rows.map(({ name }) => name))]

function thinnedToNot(rows, back) {
  const of = (wanted) => rows.find((row) => row.back === back && row.who === wanted)?.megabits?.median
  return of('thin') / of('tcp')
}
