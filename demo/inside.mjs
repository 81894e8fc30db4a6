// The process that runs the demonstration, inside its namespaces where it has some. One argument: the options, as JSON.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Impossible } from './lab.mjs'
import { MemoryLab } from './memory/memory-lab.mjs'
import { NamespaceLab } from './namespace-lab.mjs'
import { stopAllTracked } from './processes.mjs'
import { Screen } from './screen.mjs'
import { hold, tellStory } from './story.mjs'

const options = JSON.parse(process.argv[2])
const screen = new Screen({ isJson: options.json })
const dir = temporaryFolder()
process.send?.({ kind: 'folder', path: dir })
const interrupt = new AbortController()
let isDone = false
let keepsLogs = false

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interrupt.abort(signal))
// Nobody reads any more (`npm start | head`).
process.stdout.on('error', () => interrupt.abort('SIGHUP'))
process.stderr.on('error', () => interrupt.abort('SIGHUP'))
// The launcher is gone, killed outright.
process.on('disconnect', () => interrupt.abort('SIGHUP'))

const Lab = options.place === 'memory' ? MemoryLab : NamespaceLab
const lab = new Lab({ dir, ...options })
try {
  await orInterrupt(lab.open())
  process.send?.({ kind: 'running' })
  const results = await orInterrupt(tellStory({ lab, screen, options }))
  isDone = true
  if (options.holds) await hold({ lab, screen, signal: interrupt.signal })
  if (options.json) screen.json(results)
} catch (error) {
  if (error instanceof Impossible) process.send?.({ kind: 'impossible', reason: error.message })
  else if (interrupt.signal.aborted && !isDone) {
    screen.fail('interrupted; everything is stopped')
    if (options.json) screen.json({ ok: false, error: 'interrupted' })
    process.exitCode = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[interrupt.signal.reason]
  } else {
    keepsLogs = true
    failed(error)
  }
}
await lab.close()
await stopAllTracked()
if (keepsLogs) {
  lab.removeAllButLogs()
  process.send?.({ kind: 'keeps-folder' })
} else rmSync(dir, { recursive: true, force: true })
// Only this channel would still keep the process.
if (process.connected) process.disconnect()

function failed(error) {
  screen.fail(`\nIt failed: ${error.message}`)
  for (const { label, log, lines, exitCode } of lab.apps) {
    screen.plain(`\nthe ${label}${exitCode === undefined ? '' : ` (ended with ${exitCode})`}, its last lines; all of them in ${log}`)
    screen.block(lines.slice(-12).join('\n'))
  }
  if (options.json) screen.json({ ok: false, error: error.message, ...(error.results ?? {}), logs: lab.apps.map(({ log }) => log) })
  process.exitCode = 1
}

/** The first of both: what was asked for, or somebody's wish to stop. */
function orInterrupt(work) {
  const { signal } = interrupt
  return new Promise((resolve, reject) => {
    const stop = () => reject(new Error(`stopped by ${signal.reason}`))
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
    work.then(resolve, reject)
  })
}

/** A control socket's path has room for about a hundred octets. */
function temporaryFolder() {
  const base = tmpdir().length > 50 ? '/tmp' : tmpdir()
  const folder = mkdtempSync(join(base, 'underpass-demo-'))
  chmodSync(folder, 0o700)
  return folder
}
