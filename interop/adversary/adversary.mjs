#!/usr/bin/env node
// adversary.mjs --script FILE --transport udp|tcp [--host ADDRESS | --address ADDRESS] --id ID --peer-id ID --secret PSK
//
// An end of IKEv2 that breaks the rules, in the role that its script names: as initiator against --host, as responder at --address. It writes
// what it said and what it heard, a line each; beside the script is what has to come of it (see README.md). Exit code 0 when the script is at
// its end, 64 for usage.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { EXCHANGE, PAYLOAD, parseHeader } from '../prober/ike.mjs'
import { mutations } from './mutations.mjs'
import { Peer, raw } from './peer.mjs'
import { openWire } from './wire.mjs'

const { values } = parseArgs({
  options: {
    script: { type: 'string' },
    transport: { type: 'string', default: 'udp' },
    host: { type: 'string' },
    address: { type: 'string' },
    id: { type: 'string' },
    'peer-id': { type: 'string' },
    secret: { type: 'string' },
  },
})
if ([values.script, values.id, values['peer-id'], values.secret].includes(undefined)) {
  console.error('usage: adversary.mjs --script FILE --id ID --peer-id ID --secret PSK (see the head of the file)')
  process.exit(64)
}

const { role, steps } = JSON.parse(readFileSync(values.script, 'utf8'))
const NOTIFIES = {
  1: 'UNSUPPORTED_CRITICAL_PAYLOAD',
  4: 'INVALID_IKE_SPI',
  5: 'INVALID_MAJOR_VERSION',
  7: 'INVALID_SYNTAX',
  9: 'INVALID_MESSAGE_ID',
  11: 'INVALID_SPI',
  14: 'NO_PROPOSAL_CHOSEN',
  17: 'INVALID_KE_PAYLOAD',
  24: 'AUTHENTICATION_FAILED',
  35: 'NO_ADDITIONAL_SAS',
  36: 'INTERNAL_ADDRESS_FAILURE',
  37: 'FAILED_CP_REQUIRED',
  38: 'TS_UNACCEPTABLE',
  43: 'TEMPORARY_FAILURE',
  44: 'CHILD_SA_NOT_FOUND',
  16390: 'COOKIE',
}

let peer
let wire
let said = []
let heard

await anew()
if (role === 'responder') console.log('READY')
for (const step of steps) await perform(step)
wire.close()
console.log('END')
process.exit(0)

async function anew() {
  wire?.close()
  said = []
  heard = undefined
  peer = new Peer({ role, id: values.id, peerId: values['peer-id'], secret: values.secret })
  wire = await openWire({ role, transport: values.transport, host: values.host, address: values.address })
}

async function perform(step) {
  if (step.note !== undefined) return console.log(`# ${step.note}`)
  if (step.anew) return anew()
  if (step.sleep !== undefined) return sleep(step.sleep)
  if (step.take === 'init') return peer.acceptInit(heard)
  if (step.await !== undefined) return hear(step)
  if (step.again !== undefined) return say(said.at(step.again), 'again ')
  if (step.mutate !== undefined) return mutate(step)
  if (step.flood !== undefined) return flood(step)
  if (step.say !== undefined) return say(compose(step))
  throw new Error(`no such step: ${JSON.stringify(step)}`)
}

function compose({ say: what, with: other = {}, payloads, response = role === 'responder' }) {
  if (what === 'init') return peer.init(other)
  if (what === 'auth') return peer.message(EXCHANGE.IKE_AUTH, response, payloads?.map(raw) ?? peer.auth(other), other)
  const exchange = { informational: EXCHANGE.INFORMATIONAL, 'create-child': EXCHANGE.CREATE_CHILD_SA }[what] ?? what
  return peer.message(exchange, response, (payloads ?? []).map(raw), other)
}

async function say(octets, how = '') {
  said.push(octets)
  console.log(`> ${how}${headline(octets)}`)
  await wire.send(octets)
}

/** One message. `of`: an exchange; others are passed over. */
async function hear({ await: milliseconds, of }) {
  const deadline = Date.now() + milliseconds
  for (;;) {
    const message = await wire.next(Math.max(0, deadline - Date.now()))
    if (message === undefined) return console.log(wire.isClosed ? '< the connection is closed' : `< nothing`)
    if (!peer.owns(message) || (of !== undefined && parseHeader(message).exchange !== of)) continue
    heard = message
    if (!parseHeader(message).isResponse) peer.answering = parseHeader(message).messageId
    return console.log(`< ${headline(message)}${contents(message)}`)
  }
}

/** Damaged copies of what was said, to be put up with. What they are answered is not looked at. */
async function mutate({ mutate: count, of = -1 }) {
  const octets = said.at(of)
  console.log(`> ${count} mutations of ${headline(octets)}`)
  let sent = 0
  for (const mutated of mutations(octets, count, values.script)) {
    if (wire.isClosed) wire = await openWire({ role, transport: values.transport, host: values.host, address: values.address })
    await wire.send(mutated)
    // As fast as they are read: what a full buffer drops has tried nothing.
    if (++sent % 50 === 0) await sleep(5)
  }
  await sleep(500)
  wire.clear()
  // What closed a connection is no reason to close the IKE SA (RFC 9329 §6.1).
  if (values.transport === 'tcp') wire = await openWire({ role, transport: 'tcp', host: values.host, address: values.address })
}

/** IKE_SA_INIT with an SPI each, which nobody goes on with. */
async function flood({ flood: count }) {
  console.log(`> ${count} × IKE_SA_INIT request`)
  // Made before the first is sent: their keys take seconds on a slow machine, and the first ones would be forgotten before the last one is out.
  const requests = Array.from({ length: count }, () =>
    new Peer({ role, id: values.id, peerId: values['peer-id'], secret: values.secret }).init(),
  )
  for (const [i, request] of requests.entries()) {
    await wire.send(request)
    if (i % 50 === 0) await sleep(5)
  }
  await sleep(500)
  wire.clear()
}

function headline(message) {
  const { exchange, isResponse, messageId } = parseHeader(message)
  const name = Object.keys(EXCHANGE).find((key) => EXCHANGE[key] === exchange) ?? `exchange ${exchange}`
  return `${name} ${isResponse ? 'response' : 'request'} ${messageId}`
}

/** Payloads by name, of notifies those that are errors or ask for something: what else there is may be more tomorrow. */
function contents(message) {
  let payloads
  try {
    payloads = peer.open(message)
  } catch {
    return ' not to be opened'
  }
  const names = payloads.flatMap(([type, body]) => {
    if (type === PAYLOAD.V) return []
    if (type !== PAYLOAD.N) return Object.keys(PAYLOAD).find((key) => PAYLOAD[key] === type) ?? `payload ${type}`
    const notifyType = body.readUInt16BE(2)
    return NOTIFIES[notifyType] ?? (notifyType < 16_384 ? `N(${notifyType})` : [])
  })
  return names.length === 0 ? ' {}' : ` ${names.join(' ')}`
}
