// Files of the repository, as paths from its root.
import { existsSync, readFileSync as read, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './runtimes.mjs'

/** All .ts files below the folders; one `*` stands for any name. */
export function globSync(...folders) {
  return folders
    .flatMap((folder) => expand(folder.split('/')))
    .flatMap((folder) =>
      existsSync(join(root, folder)) ? readdirSync(join(root, folder), { recursive: true }).map((name) => `${folder}/${name}`) : [],
    )
    .filter((file) => file.endsWith('.ts') && !file.includes('/node_modules/') && !file.includes('/dist/'))
    .sort()
}

export function expand([first, ...rest], base = '') {
  if (first === undefined) return [base]
  const names =
    first === '*'
      ? readdirSync(join(root, base), { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map((entry) => entry.name)
      : [first]
  return names.flatMap((name) => expand(rest, base === '' ? name : `${base}/${name}`))
}

export function readFileSync(file) {
  return read(join(root, file), 'utf8')
}
