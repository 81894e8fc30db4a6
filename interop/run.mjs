#!/usr/bin/env node
// run.mjs [--list] [--json] [--keep] [--selfcheck] [--lanes=N] [NAME…]: the interop scenarios, all of them or those named, each against a peer that
// someone else wrote. Needs root on Debian 12 and what interop/install.sh installs.
//
// A line for each fact a scenario observed, one for the scenario, and at the end `N passed, N failed` alone on a line.
// --json: as the last line {"scenarios": [{"name", "ok", "evidence", "seconds", "error"}]}. --keep: the logs of what passed, too.
// Interrupted, it undoes what it made and ends with 130 (SIGINT), 143 (SIGTERM) or 129 (SIGHUP).
// --lanes=N: so many beside each other, each with namespaces of its own (default: the number of processors); what measures times runs alone at the end.
// --selfcheck: not the product but the laboratory, its peers against each other (interop/selfcheck).
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Lab, repository, sweepDeadLabs } from './lib/lab.mjs'
import { inLanes } from './lib/lanes.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    selfcheck: { type: 'boolean', default: false },
    lanes: { type: 'string', default: String(availableParallelism()) },
  },
})

const folder = new URL(values.selfcheck ? './selfcheck/' : './scenarios/', import.meta.url)
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => file.slice(0, -4))
  .sort()
const unknown = positionals.filter((name) => !names.includes(name))
if (unknown.length > 0) {
  console.error(`no scenario ${unknown.join(', ')}; there are ${names.join(', ')}`)
  process.exit(64)
}
const lanes = Number(values.lanes)
if (!(Number.isInteger(lanes) && lanes > 0)) {
  console.error(`--lanes=${values.lanes}: expected a number of scenarios beside each other, 1 or more`)
  process.exit(64)
}
if (values.list) {
  for (const name of names) console.log(`${name}\t${(await load(name)).title}`)
  process.exit(0)
}
if (process.getuid() !== 0) {
  console.error('the interop laboratory needs root: it makes network namespaces and TAP devices')
  process.exit(77)
}

let lab
let many
let isInterrupted = false
// Ctrl-C comes twice, from the terminal and from npm; the first counts.
for (const [signal, status] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) process.on(signal, () => interrupt(status))
watchNpm()

await sweepDeadLabs()
const results = await performAll(positionals.length > 0 ? positionals : names)
for (const { name, ok, seconds, error } of results) console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)${ok ? '' : `: ${error}`}`)
const passed = results.filter(({ ok }) => ok).length
console.log(`${passed} passed, ${results.length - passed} failed`)
if (values.json)
  console.log(
    JSON.stringify({ scenarios: results.map(({ name, ok, evidence, seconds, error }) => ({ name, ok, evidence, seconds, error })) }),
  )
process.exit(passed === results.length ? 0 : 1)

async function performAll(wanted) {
  if (lanes === 1 || wanted.length === 1) {
    const inTurn = []
    for (const name of wanted) inTurn.push(await perform(name))
    return inTurn
  }
  const scenarios = await Promise.all(wanted.map(async (name) => ({ name, ...(await load(name)) })))
  const argv = [fileURLToPath(import.meta.url), ...(values.keep ? ['--keep'] : []), ...(values.selfcheck ? ['--selfcheck'] : [])]
  many = inLanes(scenarios, { lanes, argv })
  const all = await many.results
  // The program ends in `interrupt`.
  if (isInterrupted) return await new Promise(() => {})
  return all
}

async function perform(name) {
  const started = Date.now()
  const { run, title, seconds: limit = 180 } = await load(name)
  console.log(`== ${name}: ${title}`)
  lab = new Lab(name, { onEvidence: (fact) => console.log(`   ${fact}`) })
  let error
  let timer
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${limit} s`)), limit * 1_000)
  })
  await Promise.race([run(lab), deadline]).catch((reason) => {
    error = reason
  })
  clearTimeout(timer)
  // What fails now fails because its processes were stopped; `interrupt` ends the program.
  if (isInterrupted) return await new Promise(() => {})
  const leftovers = await lab.close({ keep: values.keep || error !== undefined })
  for (const leftover of leftovers) console.log(`   could not undo: ${leftover}`)
  const seconds = Number(((Date.now() - started) / 1_000).toFixed(1))
  if (error !== undefined) console.log(`   FAILED ${error.message}\n   logs: ${lab.dir.replace(`${repository}/`, '')}`)
  const evidence = error === undefined ? lab.evidence : [...lab.evidence, `failed: ${error.message}`]
  return { name, ok: error === undefined, evidence, seconds, error: error?.message.split('\n')[0] }
}

/** Starts nothing more, undoes what there is, ends the program. */
async function interrupt(status) {
  if (isInterrupted) return
  isInterrupted = true
  console.log('interrupted')
  await many?.interrupt('SIGTERM')
  const leftovers = (await lab?.close({ keep: true })) ?? []
  for (const leftover of leftovers) console.log(`   could not undo: ${leftover}`)
  process.exit(status)
}

/** npm gives its signals to a shell, and not every shell passes them on: when that has gone, so has npm. */
function watchNpm() {
  const parent = process.ppid
  if (process.env.npm_lifecycle_event === undefined) return
  setInterval(() => {
    if (process.ppid !== parent) interrupt(143)
  }, 500).unref()
}

function load(name) {
  return import(new URL(`${name}.mjs`, folder).href)
}
