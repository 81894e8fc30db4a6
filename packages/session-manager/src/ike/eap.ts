/**
 * EAP inside IKE_AUTH (RFC 7296 §2.16): what both ends do with a conversation. The method is a machine that others make; here are the messages
 * that carry it, and what it has to come to.
 */
import type { EapMachine, EapStep, EapWorkResult } from '@underpass/eap'
import type { PayloadOf } from '@underpass/ike-codec'
import type { EapAuthentication } from '../config.ts'
import type { Core } from '../core.ts'
import { concat, hex, u16, utf8 } from '../octets.ts'
import { SessionError } from '../session-error.ts'
import type { EapProof } from './ike-sa.ts'
import { afterWork, type Step } from './step.ts'

/** EAP packets without Type (RFC 3748 §4.2). */
const SUCCESS = 3
const FAILURE = 4

/**
 * Methods that prove both ends, make keys and cannot be guessed at (RFC 5998 §4): TLS, SIM, TTLS, AKA, FAST, PAX, PSK, SAKE, AKA', GPSK, pwd and EKE.
 */
const SAFE_ALONE: readonly number[] = [13, 18, 21, 23, 43, 46, 47, 48, 50, 51, 52, 53]

type Said = Exclude<EapStep, { kind: 'work' }>
export type EapSuccess = Extract<EapStep, { kind: 'success' }>

/** Our end of a conversation. */
export function createMachine({ config, random }: Core, { name }: EapAuthentication): EapMachine {
  if (config.createEapMachine) return config.createEapMachine(name, random)
  throw new SessionError('INVALID_CONFIG', 'caller', `createEapMachine is absent, and "${name}" is to be made by it`)
}

/** `next` of what the machine has to say, at once or when the work for it is done. */
export function afterEap(machine: EapMachine, step: EapStep, next: (said: Said) => Step): Step {
  if (step.kind !== 'work') return next(step)
  return afterWork({ kind: 'eap', work: step.work }, (_core, _sa, result) => {
    const detail = result.kind === 'failed' ? result.detail : `the work came to ${result.kind}`
    const done: EapWorkResult = result.kind === 'eap' ? result.result : { kind: 'failed', detail }
    return afterEap(machine, machine.resume(done), next)
  })
}

/** What EAP has shown, or why it is not enough. The MSK is a copy, and the machine is closed. */
export function readProof(
  machine: EapMachine,
  { msk, identity, method, grant }: EapSuccess,
  { allowsKeyless = false }: EapAuthentication,
  isEapOnly: boolean,
): EapProof | { readonly kind: 'unproven'; readonly why: string } {
  const proof: EapProof = { kind: 'eap-proof', msk: msk?.slice(), eapIdentity: printable(identity), grant }
  machine.close()
  if (isEapOnly && (!msk || !SAFE_ALONE.includes(method)))
    return { kind: 'unproven', why: `EAP method ${method} does not prove both ends, and nothing else does (RFC 5998 §4)` }
  if (!msk && !allowsKeyless)
    return { kind: 'unproven', why: `EAP method ${method} makes no key, and the configuration does not allow that (RFC 7296 §2.16)` }
  return proof
}

/** The packet, as the machine takes it (RFC 3748 §4). */
export function packetOf({ code, identifier, eapType, data }: PayloadOf<'EAP'>): Uint8Array {
  const body = eapType === undefined ? data : concat(Uint8Array.of(eapType), data)
  return concat(Uint8Array.of(code, identifier), u16(4 + body.length), body)
}

/** What a machine made, which is whole. */
export function payloadOf(packet: Uint8Array): PayloadOf<'EAP'> {
  const [code = 0, identifier = 0] = packet
  if (code === SUCCESS || code === FAILURE) return { type: 'EAP', code, identifier, data: new Uint8Array(0) }
  return { type: 'EAP', code, identifier, eapType: packet[4] ?? 0, data: packet.slice(5) }
}

export function isFailure({ code }: PayloadOf<'EAP'>): boolean {
  return code === FAILURE
}

/** `identifier`: of the response that it is the answer to (RFC 3748 §4.2). */
export function successOf(identifier: number): PayloadOf<'EAP'> {
  return { type: 'EAP', code: SUCCESS, identifier, data: new Uint8Array(0) }
}

export function failureOf(identifier: number): PayloadOf<'EAP'> {
  return { type: 'EAP', code: FAILURE, identifier, data: new Uint8Array(0) }
}

/** No two are alike; text that could be taken for hex is hex. */
function printable(identity: string): string {
  return /^(?!0x)[\x20-\x7e]+$/.test(identity) ? identity : `0x${hex(utf8(identity))}`
}
