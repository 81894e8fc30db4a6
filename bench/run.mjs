// `npm run bench -- [NAME…] [--quick] [--rounds=N] [--runtimes] [--only=TEXT] [--json]`. Each benchmark is a file of suites/ and a process of its own, bounded in
// time. Full runs are kept under results/; `node bench/report.mjs` makes docs/performance.md of the newest.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { argv, exit } from 'node:process'
import { quietEnvironment, root, runtimes } from '../tools/runtimes.mjs'
import { sweepLeftovers } from './lib/leftovers.mjs'
import { load, machine, versions } from './lib/machine.mjs'
import { PROGRESS } from './lib/progress.mjs'
import { keep } from './lib/results.mjs'
import { summary } from './lib/summaries.mjs'
import { asText, tables } from './lib/tables.mjs'

/**
 * `seconds`: when a full run is given up, `quick`: when a quick one is. `onAll`: with --runtimes it runs on each of them; a comparison starts each by itself.
 * `flags`: Node's.
 */
const BENCHMARKS = {
  throughput: { seconds: 2400, quick: 400, isComparison: true },
  packets: { seconds: 2000, quick: 300, isComparison: true },
  latency: { seconds: 2400, quick: 300, isComparison: true },
  loss: { seconds: 4500, quick: 240, isComparison: true },
  connections: { seconds: 1200, quick: 200, isComparison: true },
  thinning: { seconds: 1200, quick: 200, isComparison: true },
  overhead: { seconds: 900, quick: 180, isComparison: true },
  'coming-up': { seconds: 1800, quick: 240, isComparison: true },
  repair: { seconds: 4200, quick: 1000, isComparison: true },
  scale: { seconds: 1500, quick: 240 },
  workers: { seconds: 900, quick: 240 },
  pauses: { seconds: 600, quick: 200 },
  deframer: { seconds: 60, onAll: true },
  esp: { seconds: 90, onAll: true },
  ike: { seconds: 60 },
  handshakes: { seconds: 150 },
  memory: { seconds: 120, flags: ['--expose-gc'] },
  core: { seconds: 90, onAll: true },
  tun: { seconds: 90, onAll: true, inNamespace: true },
}

const only = argv.find((word) => word.startsWith('--only='))?.slice('--only='.length)
/** Of a comparison: fewer for a sooner answer, more for a surer one. The results say how many there were. */
const roundsWanted = Number(argv.find((word) => word.startsWith('--rounds='))?.slice('--rounds='.length) ?? Number.NaN)
/** Of `loss`, which is long: a part of its plan, or some conditions; --resume goes on with what was measured of these sources. */
const [part, at] = ['--part=', '--at='].map((start) => argv.find((word) => word.startsWith(start))?.slice(start.length))
const flags = new Set(argv.slice(2).filter((word) => word.startsWith('--') && !/^--(only|rounds|part|at)=/.test(word)))
const names = argv.slice(2).filter((word) => !word.startsWith('--'))
const unknown = [
  ...names.filter((name) => !(name in BENCHMARKS)),
  ...[...flags].filter((flag) => !['--quick', '--runtimes', '--json', '--resume'].includes(flag)),
  ...(part === undefined || ['must', 'rest'].includes(part) ? [] : [`--part=${part}`]),
]
if (unknown.length > 0) {
  console.error(
    `Not known: ${unknown.join(', ')}. Benchmarks: ${Object.keys(BENCHMARKS).join(', ')}. Options: --quick, --rounds=N, --runtimes, --only=PART-OF-A-CONTENDER'S-NAME, --json; of loss: --part=must, --part=rest, --at=cubic,40ms,3%,random, --resume.`,
  )
  exit(2)
}
if (!existsSync(join(root, 'packages/session-manager/dist/index.js'))) {
  console.error('The packages are not built: npm run build')
  exit(2)
}

const isQuick = flags.has('--quick')
const isResuming = flags.has('--resume')
const onAllRuntimes = flags.has('--runtimes')
const here = runtimes().filter(({ name, command }) => name === 'node' || (onAllRuntimes && command))
let child
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop(signal))

sweepLeftovers()
// What others do; before a later benchmark the average is that of the ones before it.
const loadAtStart = load()
const results = {}
let failed = 0
for (const name of names.length > 0 ? names : Object.keys(BENCHMARKS)) results[name] = await measure(name)
sweepLeftovers()
if (flags.has('--json')) console.log(lastLine())
process.exitCode = failed > 0 ? 1 : 0

async function measure(benchmark) {
  const { onAll, seconds, quick = 30, isComparison, ...how } = BENCHMARKS[benchmark]
  const result = {
    benchmark,
    date: new Date().toISOString(),
    isQuick,
    machine: machine(),
    versions: versions(isComparison ? runtimes().filter(({ command }) => command) : here),
    load: { atStart: loadAtStart, before: load() },
    runs: [],
  }
  console.log(`\n${benchmark} (load average ${result.load.before})`)
  for (const runtime of onAll ? here : here.slice(0, 1)) {
    try {
      result.runs.push({ runtime: runtime.name, ...(await inChild(benchmark, runtime, { ...how, seconds: isQuick ? quick : seconds })) })
    } catch (error) {
      failed++
      result.runs.push({ runtime: runtime.name, rows: [], notes: [`${runtime.name}: ${error.message}`] })
    }
  }
  result.load.after = load()
  for (const table of tables(result)) console.log(asText(table))
  for (const note of new Set(result.runs.flatMap(({ notes }) => notes))) console.log(`  ${note}`)
  // A few figures would stand in the place of all.
  const isPart = only !== undefined || (benchmark === 'loss' && at !== undefined && !isResuming)
  if (!isQuick && !isPart && result.runs.some(({ rows }) => rows.length > 0)) console.log(`  kept as ${keep(result)}`)
  return result
}

/** What the child's last line says. */
function inChild(benchmark, { command, prefix }, { inNamespace = false, flags = [], seconds }) {
  const options = JSON.stringify({
    quick: isQuick,
    only,
    ...(benchmark === 'loss' ? { part, at, resume: isResuming } : {}),
    ...(Number.isInteger(roundsWanted) && roundsWanted > 0 ? { rounds: roundsWanted } : {}),
  })
  const words = [command, ...prefix, ...flags, join(root, 'bench/child.mjs'), benchmark, options]
  if (inNamespace) words.unshift('unshare', process.getuid?.() === 0 ? '-n' : '-Urnm', '--')
  return new Promise((resolve, reject) => {
    child = spawn(words[0], words.slice(1), { cwd: root, env: quietEnvironment, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    let isLate = false
    const give = (signal) => child?.kill(signal)
    const timers = [
      setTimeout(() => {
        isLate = true
        give('SIGTERM')
      }, seconds * 1000),
      setTimeout(() => give('SIGKILL'), seconds * 1000 + 10_000),
    ]
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      for (const line of text.split(/(?<=\n)/))
        if (line.startsWith(PROGRESS)) process.stderr.write(`  ${line}`)
        else stderr += line
    })
    child.on('error', reject)
    child.on('close', (code) => {
      for (const timer of timers) clearTimeout(timer)
      child = undefined
      if (isLate) reject(new Error(`not done within ${seconds} s`))
      else if (code === 0) resolve(JSON.parse(stdout.trimEnd().split('\n').at(-1)))
      else reject(new Error(stderr.trim().split('\n').slice(0, 6).join('\n') || `ended with ${code}`))
    })
  })
}

/** One benchmark's summary, or those of several by name. */
function lastLine() {
  const summaries = Object.fromEntries(Object.entries(results).map(([name, result]) => [name, summary(result)]))
  return JSON.stringify(names.length === 1 ? summaries[names[0]] : summaries)
}

/** The child cleans up after itself; then we end. */
function stop(signal) {
  if (child === undefined) exit(1)
  child.once('close', () => {
    sweepLeftovers()
    exit(1)
  })
  child.kill(signal)
}
