import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Compiles the package: what runs in a process of its own is JavaScript, because Node 20 runs nothing else. */
export function build(): void {
  const tsc = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url))
  execFileSync(tsc, ['-b', fileURLToPath(new URL('..', import.meta.url))])
}
