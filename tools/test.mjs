// `npm test`: the one suite, on Node, Bun and Deno in turn. Arguments that are no runtime's name go to vitest (paths, -t PATTERN).
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quietEnvironment, root, runtimes } from './runtimes.mjs'

const known = runtimes()
const wanted = process.argv.slice(2).filter((word) => known.some(({ name }) => name === word))
const rest = process.argv.slice(2).filter((word) => !wanted.includes(word))
const folder = mkdtempSync(join(tmpdir(), 'underpass-test-'))
const totals = { passed: 0, failed: 0, skipped: 0 }

// The tests of the programs start them as they are installed: built.
const build = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-b'], { cwd: root, stdio: 'inherit', env: quietEnvironment })
if (build.status !== 0) {
  console.log('\n0 passed, 1 failed, 0 skipped')
  process.exit(1)
}

for (const runtime of known) {
  if (wanted.length > 0 && !wanted.includes(runtime.name)) continue
  if (!runtime.command) {
    console.log(`\n${runtime.name}: no binary of it for this platform came with npm ci; its run is left out`)
    continue
  }
  run(runtime)
}
rmSync(folder, { recursive: true, force: true })
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exitCode = totals.failed > 0 || totals.passed === 0 ? 1 : 0

function run({ name, command, prefix }) {
  const report = join(folder, `${name}.json`)
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const args = [...prefix, vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...rest]
  console.log(`\n── ${name} ──`)
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: quietEnvironment })
  const result = readReport(report)
  totals.passed += result.numPassedTests
  totals.skipped += result.numPendingTests + result.numTodoTests
  // A run that broke before it could count is a failure too.
  totals.failed += Math.max(result.numFailedTests, status === 0 && !error ? 0 : 1)
  console.log(`${name}: ${result.numPassedTests} passed, ${result.numFailedTests} failed, ${result.numPendingTests} skipped`)
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 }
  }
}
