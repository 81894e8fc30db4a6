import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A directory of the running test's own, removed after it. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'underpass-test-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A file of the running test's own. */
export function temporaryFile(name: string, content: string, mode = 0o600): string {
  const file = join(temporaryDirectory(), name)
  writeFileSync(file, content, { mode })
  return file
}
