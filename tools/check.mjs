// `npm run check`: everything but the tests that must hold before a change lands. Each check is one line; what fails says why.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { checkConfiguration } from './check-configuration.mjs'
import { checkDag } from './check-dag.mjs'
import { checkExamples } from './check-examples.mjs'
import { checkPurity } from './check-purity.mjs'
import { checkSizes } from './check-sizes.mjs'
import { checkConformance } from './conformance.mjs'
import { checkExampleExchanges } from './example-exchanges.mjs'
import { quietEnvironment, root } from './runtimes.mjs'

const packages = readdirSync(join(root, 'packages')).map((name) => `packages/${name}`)
const published = [...packages, 'apps/client', 'apps/gateway']

const checks = [
  ['build', () => command('turbo', ['run', 'build', '--output-logs=errors-only', '--log-order=grouped'])],
  ['types of tests and tools', () => command('tsc', ['-p', 'tsconfig.tests.json'])],
  ['biome', () => command('biome', ['check', '--error-on-warnings', '.'])],
  ['direction of packages', checkDag],
  ['purity of the core', checkPurity],
  ['conformance page', checkConformance],
  ['example exchanges', checkExampleExchanges],
  ['defaults of the configuration page', checkConfiguration],
  ['sizes', checkSizes],
  ['knip', () => command('knip', ['--no-progress', '--no-config-hints'])],
  ['publint', () => published.flatMap((folder) => command('publint', ['run', folder, '--strict', '--pack', 'npm']))],
  [
    'are the types wrong',
    () => packages.flatMap((folder) => command('attw', ['--pack', folder, '--profile', 'esm-only', '--format', 'ascii'])),
  ],
  ['README examples in an empty project, on each runtime', () => checkExamples(published)],
]

const wanted = process.argv.slice(2)
let failed = 0
let passed = 0
for (const [name, run] of checks) {
  if (wanted.length > 0 && !wanted.some((word) => name.includes(word))) continue
  const started = performance.now()
  const problems = await run()
  console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`)
  for (const problem of problems) console.log(`     ${problem.trimEnd().replaceAll('\n', '\n     ')}`)
  if (problems.length === 0) passed++
  else failed++
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0

/** Nothing where the program ends with 0, else what it said. */
function command(program, args) {
  const { status, stdout, stderr, error } = spawnSync(join(root, 'node_modules/.bin', program), args, {
    cwd: root,
    encoding: 'utf8',
    env: quietEnvironment,
    maxBuffer: 2 ** 26,
  })
  return status === 0 ? [] : [`${program} ${args.join(' ')}\n${stdout ?? ''}${stderr ?? ''}${error ? error.message : ''}`]
}
