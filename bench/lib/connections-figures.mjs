// The suite `connections` in a table and in one line.
import { digits, significant } from './words.mjs'

export const connectionsTable = (rows) => [
  ['lost', ...namesOf(rows).map((name) => `${name}, Mbit/s`), 'several connections to one'],
  ...lossesOf(rows).map((loss) => {
    const group = rows.filter((row) => row.loss === loss)
    const plain = group.find(({ way }) => way === 'plain')
    return [`${loss} %`, ...group.map((row) => cell(row, plain)), times(severalToOne(rows, loss))]
  }),
]

/** `severalToOne`: goodput of the flows in a tunnel each, of their goodput in one tunnel, for each loss in percent. */
export const connectionsSummary = (rows) => ({
  contenders: rows.map(({ name, loss, megabits, values }) => ({ name, loss, megabits, values })),
  ratios: { severalToOne: Object.fromEntries(lossesOf(rows).map((loss) => [loss, significant(severalToOne(rows, loss))])) },
})

const lossesOf = (rows) => [...new Set(rows.map(({ loss }) => loss))]
const namesOf = (rows) => [...new Set(rows.map(({ name }) => name))]

function severalToOne(rows, loss) {
  const of = (wanted) => rows.find((row) => row.loss === loss && row.way === wanted)?.megabits
  return of('each') / of('one')
}

function cell(row, plain) {
  if (row.megabits === undefined) return 'failed'
  const share = row === plain || !(plain?.megabits > 0) ? '' : ` (${Math.round((100 * row.megabits) / plain.megabits)} %)`
  return `${digits(row.megabits)} [${digits(Math.min(...row.values))}–${digits(Math.max(...row.values))}]${share}`
}

const times = (value) => (Number.isFinite(value) ? `${digits(value)}×` : '–')
