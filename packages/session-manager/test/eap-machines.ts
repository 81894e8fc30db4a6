/** An EAP method of the tests' own, for what IKE does with any: both ends say how often they have spoken, and end as they are told. */
import type { EapGrant, EapMachine, EapStep, EapWorkResult } from '@underpass/eap'
import type { EapAuthentication, RandomSource } from '../src/index.ts'

export interface Script {
  /** Requests of the method before the end. */
  readonly rounds?: number
  readonly msk?: Uint8Array
  readonly method?: number
  readonly identity?: string
  readonly grant?: EapGrant
  /** What this end makes of the last message but Success or Failure, in the place of going on. */
  readonly ends?: Extract<EapStep, { kind: 'ignore' | 'failure' }>
  /** Octets of each message's data. */
  readonly size?: number
}

export const MSK: Uint8Array = new Uint8Array(64).map((_, i) => i + 1)
/** For experiments (RFC 3748 §5.8). */
const EXPERIMENTAL = 255

const REQUEST = 1
const RESPONSE = 2
const SUCCESS = 3
const FAILURE = 4

/** `machines`: all that were made. */
export function scripted(role: 'peer' | 'server', script: Script = {}): EapAuthentication & { readonly machines: ScriptedMachine[] } {
  const name = `${role} ${SCRIPTS.size}`
  const machines: ScriptedMachine[] = []
  SCRIPTS.set(name, { role, script, machines })
  return { kind: 'eap', name, machines }
}

/** A method of the package's. */
export function real(create: (random: RandomSource) => EapMachine): EapAuthentication {
  const name = `real ${REAL.size}`
  REAL.set(name, create)
  return { kind: 'eap', name }
}

const REAL = new Map<string, (random: RandomSource) => EapMachine>()

/** What the nodes of a `Network` are given. */
export function createMachine(name: string, random: RandomSource): EapMachine {
  const create = REAL.get(name)
  if (create) return create(random)
  const { role, script, machines } = SCRIPTS.get(name)!
  const machine = new ScriptedMachine(role, script)
  machines.push(machine)
  return machine
}

const SCRIPTS = new Map<string, { role: 'peer' | 'server'; script: Script; machines: ScriptedMachine[] }>()

export class ScriptedMachine implements EapMachine {
  readonly #role: 'peer' | 'server'
  readonly #script: Script
  #round = 0
  isClosed = false

  constructor(role: 'peer' | 'server', script: Script) {
    this.#role = role
    this.#script = script
  }

  start(): EapStep {
    return this.#role === 'server' ? this.#say(REQUEST) : { kind: 'ignore', reason: 'a peer waits' }
  }

  receive(packet: Uint8Array): EapStep {
    const { rounds = 2, ends, identity = 'anna', method = EXPERIMENTAL, msk, grant } = this.#script
    const result = { identity, method, ...(msk && { msk }), ...(grant && { grant }) }
    if (packet[0] === FAILURE) return { kind: 'failure', reason: 'the server said no' }
    if (packet[0] === SUCCESS) return { kind: 'success', ...result }
    if (ends && this.#round === rounds) return ends
    if (this.#role === 'peer') return this.#say(RESPONSE)
    return this.#round < rounds ? this.#say(REQUEST) : { kind: 'success', packet: Uint8Array.of(SUCCESS, packet[1]!, 0, 4), ...result }
  }

  resume(_result: EapWorkResult): EapStep {
    return { kind: 'failure', reason: 'nothing was asked' }
  }

  close(): void {
    this.isClosed = true
  }

  #say(code: number): EapStep {
    const { size = 1, method = EXPERIMENTAL } = this.#script
    this.#round++
    const length = 5 + size
    return { kind: 'send', packet: Uint8Array.of(code, this.#round, length >> 8, length & 0xff, method, ...new Uint8Array(size)) }
  }
}
