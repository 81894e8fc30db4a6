#!/usr/bin/env node
// prober.mjs --host ADDRESS --id ID --secret PSK [--port 4500] [--peer-id ID] [--group x25519|modp2048] [--inner ADDRESS]
//            [--inner-port PORT] [--peer rfc9329|libreswan] [--only NAME,…] [--skip NAME,…] [--prefix-timeout SECONDS]
//            [--many-unknown N] [--json] [--list]
//
// Any RFC 9329 responder, asked what it does with a well-formed, a damaged and a hostile stream. It shares no code with the
// product. --inner is an address behind the responder that answers pings; --inner-port a TCP port it listens on there.
// One line a check:  ok|FAIL|skip  NAME  [conformance ids]  expected …  observed …  (tab-separated; objects with --json).
// Exit code: 0 all as expected, 1 a mismatch, 64 usage.
import { parseArgs } from 'node:util'
import { saChecks } from './checks-sa.mjs'
import { streamChecks } from './checks-stream.mjs'

const { values } = parseArgs({
  options: {
    host: { type: 'string' },
    port: { type: 'string', default: '4500' },
    id: { type: 'string' },
    'peer-id': { type: 'string' },
    secret: { type: 'string' },
    group: { type: 'string', default: 'x25519' },
    inner: { type: 'string', default: '10.2.0.1' },
    'inner-port': { type: 'string', default: '2323' },
    peer: { type: 'string', default: 'rfc9329' },
    only: { type: 'string' },
    skip: { type: 'string' },
    'prefix-timeout': { type: 'string', default: '20' },
    'many-unknown': { type: 'string', default: '100' },
    json: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
})

const checks = [...streamChecks, ...saChecks]
if (values.list) {
  for (const { name, ids, expected } of checks) console.log(`${name}\t[${ids.join(' ')}]\t${expected.join(' | ')}`)
  process.exit(0)
}
if (values.host === undefined || values.id === undefined || values.secret === undefined) {
  console.error('usage: prober.mjs --host ADDRESS --id ID --secret PSK (see the head of the file)')
  process.exit(64)
}

const target = {
  host: values.host,
  port: Number(values.port),
  id: values.id,
  peerId: values['peer-id'],
  secret: values.secret,
  group: values.group,
  inner: values.inner,
  innerPort: Number(values['inner-port']),
  prefixTimeout: Number(values['prefix-timeout']) * 1_000,
  manyUnknown: Number(values['many-unknown']),
  // Libreswan takes up an SA on a new connection only with UPDATE_SA_ADDRESSES, and only with `mobike=yes`.
  resume: values.peer === 'libreswan' ? 'mobike' : 'any',
}
const only = values.only?.split(',')
const skipped = new Set(values.skip?.split(',') ?? [])
const chosen = checks.filter(({ name }) => only === undefined || only.includes(name))

// The slow ones wait beside the others: they only watch a silent connection.
const tally = { ok: 0, failed: 0, skipped: 0 }
const slow = chosen.filter((check) => check.slow).map((check) => execute(check))
for (const check of chosen.filter((one) => !one.slow)) await execute(check)
await Promise.all(slow)
if (values.json) console.log(JSON.stringify({ passed: tally.ok, failed: tally.failed, skipped: tally.skipped }))
else console.log(`${tally.ok} as expected, ${tally.failed} not, ${tally.skipped} skipped`)
process.exit(tally.failed === 0 ? 0 : 1)

async function execute(check) {
  const isLibreswan = values.peer === 'libreswan'
  const expected = (isLibreswan && check.libreswan) || check.expected
  const reason = isLibreswan ? check.skipLibreswan : undefined
  if (reason !== undefined || skipped.has(check.name)) return report('skip', check, expected, 'not run', reason ?? 'by --skip', 0)
  const started = Date.now()
  const { observed, detail } = await bounded(check)
  report(expected.includes(observed) ? 'ok' : 'FAIL', check, expected, observed, detail, Date.now() - started)
}

/** A check's outcome, or 'unfinished' after half a minute: no check may hold up the others for ever. */
function bounded(check) {
  let timer
  const end = new Promise((resolve) => {
    timer = setTimeout(() => resolve({ observed: 'unfinished', detail: 'it did not end within 30 s' }), 30_000)
  })
  const outcome = check.run(target).catch((error) => ({ observed: 'error', detail: error.message }))
  return Promise.race([outcome, end]).finally(() => clearTimeout(timer))
}

function report(result, { name, ids }, expected, observed, detail, milliseconds) {
  tally[result === 'ok' ? 'ok' : result === 'skip' ? 'skipped' : 'failed']++
  if (values.json) console.log(JSON.stringify({ result, name, ids, expected, observed, detail, milliseconds }))
  else
    console.log([result, name, `[${ids.join(' ')}]`, `expected ${expected.join(' | ')}`, `observed ${observed}`, `(${detail})`].join('\t'))
}
