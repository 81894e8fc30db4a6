// What a long suite has measured so far, a line a point, so that a run that was broken off or that measured a part can be gone on with.
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cache } from '../../interop/lib/lab.mjs'
import { root } from '../../tools/runtimes.mjs'

const file = join(cache, 'bench/loss.jsonl')

/**
 * @param {{ about: object, resume: boolean }} how `about`: what all points have in common. Without `resume` the journal is begun anew
 * @returns {{ entries: Map<string, object>, add: (key: string, entry: object) => void }}
 * @throws Error where there is a journal to go on with, but about something else
 */
export function journal({ about, resume }) {
  const head = JSON.stringify(about)
  const entries = new Map()
  mkdirSync(dirname(file), { recursive: true })
  const [first, ...lines] = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  if (resume && first !== undefined) {
    if (first !== head)
      throw new Error(`--resume: what was measured is of other programs or conditions (${file}); without --resume it is begun anew`)
    // The last line may have been cut.
    for (const line of lines) if (line.endsWith('}')) entries.set(...keyed(line))
  } else writeFileSync(file, `${head}\n`)
  return {
    entries,
    add(key, entry) {
      entries.set(key, entry)
      appendFileSync(file, `${JSON.stringify({ key, entry })}\n`)
    },
  }
}

/** Tells programs apart as they are built: a commit's name does not while there are changes. */
export function digestOfPrograms() {
  const hash = createHash('sha256')
  for (const folder of ['packages', 'apps'])
    for (const name of readdirSync(join(root, folder)).sort()) {
      const dist = join(root, folder, name, 'dist')
      const files = existsSync(dist) ? readdirSync(dist, { recursive: true }).filter((path) => path.endsWith('.js')) : []
      for (const path of files.sort()) hash.update(path).update(readFileSync(join(dist, path)))
    }
  return hash.digest('hex').slice(0, 16)
}

function keyed(line) {
  const { key, entry } = JSON.parse(line)
  return [key, entry]
}
