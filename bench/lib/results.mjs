// bench/results/<date>-<name>.json: one file for a benchmark and a day, and its charts beside it.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../tools/runtimes.mjs'
import { charts } from './comparisons.mjs'

const folder = join(root, 'bench/results')

/** Its path, below the repository. */
export function keep(result) {
  mkdirSync(folder, { recursive: true })
  const day = result.date.slice(0, 10)
  const file = `${day}-${result.benchmark}.json`
  writeFileSync(join(folder, file), text(result))
  for (const { name, svg } of charts(result)) writeFileSync(join(folder, `${day}-${name}.svg`), svg)
  return `bench/results/${file}`
}

/** The newest of a benchmark, with the name of its file; `undefined` where there is none. */
export function newest(benchmark) {
  const files = readdirSync(folder).filter((file) => /^\d{4}-\d\d-\d\d-/.test(file) && file.slice(11) === `${benchmark}.json`)
  const file = files.sort().at(-1)
  return file === undefined ? undefined : { file, ...JSON.parse(readFileSync(join(folder, file), 'utf8')) }
}

/** A row's numbers stay on one line: a difference between two runs can be read. */
const text = (result) => `${JSON.stringify(result, null, 1).replaceAll(/\[[-\d.,\s]+\]/g, (numbers) => numbers.replaceAll(/\s+/g, ' '))}\n`
