// How large the packages are, as the root README's table says: the .js files of a package's dist in one stream, `gzip -9`, without
// dependencies. A figure may be a tenth off, so that not every change has to touch it; `node tools/check-sizes.mjs --write` sets them all.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { expand } from './files.mjs'
import { root } from './runtimes.mjs'

const PAGE = join(root, 'README.md')
const COLUMN = 'dist, kB gzipped'
const TOLERANCE = 0.1
/** What writing a figure with one decimal may take away or add, in kB. */
const ROUNDING = 0.05

export function checkSizes() {
  const stated = new Map(rowsOf(readFileSync(PAGE, 'utf8')).map(({ folder, cells, column }) => [folder, cells[column].trim()]))
  const packages = [...expand(['packages', '*']), ...expand(['apps', '*'])]
  const gone = [...stated.keys()].filter((folder) => !packages.includes(folder))
  return [
    ...gone.map((folder) => `README.md: ${folder} is in the table and not in the repository`),
    ...packages.flatMap((folder) => {
      const text = stated.get(folder)
      const size = sizeOf(folder)
      if (text === undefined) return [`README.md: ${folder} has no row in the table of packages`]
      if (size === undefined) return [`${folder}: nothing is built; run "npm run build"`]
      if (Math.abs(Number(text) - size) <= Math.max(size * TOLERANCE, ROUNDING)) return []
      return [`README.md: ${folder} is ${size.toFixed(1)} kB, not ${text}: run "node tools/check-sizes.mjs --write"`]
    }),
  ]
}

function write() {
  const lines = readFileSync(PAGE, 'utf8').split('\n')
  for (const { line, folder, cells, column } of rowsOf(lines.join('\n'))) {
    const size = sizeOf(folder)
    if (size === undefined) continue
    lines[line] = cells.with(column, ` ${size.toFixed(1)} `).join('|')
  }
  writeFileSync(PAGE, lines.join('\n'))
}

/** The rows of packages in the table that has the column. */
function rowsOf(page) {
  const lines = page.split('\n')
  const head = lines.findIndex((line) => line.startsWith('|') && line.includes(`| ${COLUMN} |`))
  const column = lines[head]?.split('|').findIndex((cell) => cell.trim() === COLUMN)
  const rows = []
  for (let line = head + 2; head >= 0 && lines[line]?.startsWith('|'); line++) {
    const cells = lines[line].split('|')
    const [, folder] = /\]\(((?:packages|apps)\/[a-z-]+)\)/.exec(cells[1]) ?? []
    if (folder !== undefined) rows.push({ line, folder, cells, column })
  }
  return rows
}

/** kB, or undefined where nothing is built. */
function sizeOf(folder) {
  const dist = join(root, folder, 'dist')
  if (!existsSync(dist)) return undefined
  const files = readdirSync(dist, { recursive: true })
    .filter((name) => name.endsWith('.js'))
    // tsc leaves behind what it once made of a source that is gone; a fresh clone has no such file.
    .filter((name) => existsSync(join(root, folder, 'src', name.replace(/\.js$/, '.ts'))))
    .sort()
  if (files.length === 0) return undefined
  return gzipSync(Buffer.concat(files.map((name) => readFileSync(join(dist, name)))), { level: 9 }).length / 1000
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  if (argv.includes('--write')) write()
  const problems = checkSizes()
  for (const problem of problems) console.error(problem)
  process.exitCode = problems.length > 0 ? 1 : 0
}
