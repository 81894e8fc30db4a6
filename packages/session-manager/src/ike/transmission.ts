/**
 * How the messages of an IKE SA go out: a window of one request, whole or in fragments. Over UDP requests are retransmitted (RFC 7296 §2.1, §2.4);
 * over TCP they are not, only asked again on a new connection (RFC 9329 §6.2).
 */
import { HeaderFlag } from '@underpass/ike-codec'
import type { Core } from '../core.ts'
import { awaitRetry } from '../paths/idle.ts'
import type { Path } from '../paths/path.ts'
import { sealForPath } from './fragmentation.ts'
import type { IkeSa } from './ike-sa.ts'
import { buildLivenessCheck } from './informational-requests.ts'
import type { OutstandingRequest, RequestPlan, SealedMessage } from './message-window.ts'
import { buildUpdateSaAddresses } from './mobike.ts'
import { sendDummies } from './path-check.ts'
import type { Protection } from './protection.ts'

/** Sends when the slot is free (window of one, C-6). */
export function sendRequest(core: Core, sa: IkeSa, plan: RequestPlan): void {
  sa.window.waiting.push(plan)
  sendNextRequest(core, sa)
}

export function sendNextRequest(core: Core, sa: IkeSa): void {
  const { window, protection } = sa
  if (window.outstanding || !protection || !sa.path || sa.state.kind === 'CLOSED' || sa.isUnconfirmed) return
  const plan = owedProbe(sa) ?? window.waiting.shift()
  if (!plan) return
  prepareRequest(core, sa, protection, plan, sa.path)
  transmitOutstanding(core, sa)
}

/** Takes the slot, which is free; whoever calls sends it. */
export function prepareRequest(core: Core, sa: IkeSa, protection: Protection, plan: RequestPlan, path: Path): void {
  const messageId = sa.window.takeMessageId()
  const header = headerFor(sa, plan.exchangeType, messageId, 'request')
  sa.window.outstanding = { plan, messageId, ...sealForPath(core, sa, protection, header, plan.payloads, path), transmissions: 0 }
}

/** The outstanding request once more, bit-identical (C-2, T-RTX-2); the wait starts anew. */
export function resend(core: Core, sa: IkeSa): void {
  if (sa.window.outstanding) transmitOutstanding(core, sa)
}

/** The outstanding request, and with a path check the ESP that is to show the way. */
export function transmitBy(core: Core, sa: IkeSa, path: Path, request: OutstandingRequest): void {
  if (request.plan.purpose === 'path-check') sendDummies(core, sa, path)
  sendSealed(core, path, request)
}

/** Over TCP whole, always (RFC 9329 §7.5, T-FRAG-1). */
export function sendSealed(core: Core, path: Path, { bytes, fragments }: SealedMessage): void {
  if (path.transport === 'tcp' || !fragments) return sendTo(core, path, bytes)
  core.count('ike-fragments-out', fragments.length)
  for (const fragment of fragments) sendTo(core, path, fragment)
}

/** The octets stay the caller's, who may keep them for a repetition. */
export function sendTo(core: Core, path: Path, message: Uint8Array): void {
  core.count('ike-messages-out')
  if (path.transport === 'tcp') path.connection.sendIke(message, core.emit)
  else core.emit({ kind: 'send-datagram', local: path.local, remote: path.remote, message: 'ike', bytes: message.slice() })
}

/** An answer that makes no IKE SA (RFC 7296 §2.21.4, §2.6); over TCP the retry has `patience` to come by the same connection (T-ERR-2). */
export function sendStateless(core: Core, path: Path, message: Uint8Array, patience?: number): void {
  sendTo(core, path, message)
  if (path.transport === 'tcp') awaitRetry(core, path.connection, patience)
}

/** C-4: the wait doubles. T-FB-2 needs the first repetition to come before a fallback. */
export function retransmissionDelay(core: Core, transmissions: number): number {
  return core.config.timers.retransmit * 2 ** Math.max(0, transmissions - 1)
}

function transmitOutstanding(core: Core, sa: IkeSa): void {
  const outstanding = sa.window.outstanding
  if (!outstanding || !sa.path) return
  outstanding.transmissions++
  transmitBy(core, sa, sa.path, outstanding)
  if (sa.transport === 'udp') core.timers.set(sa, 'retransmit', core.now + retransmissionDelay(core, outstanding.transmissions))
  else core.timers.set(sa, 'response', core.now + (sa.isResuming ? core.config.timers.resume : core.config.timers.response))
}

function owedProbe(sa: IkeSa): RequestPlan | undefined {
  // One that is replaced is asked on as long as the peer is not known to have the new one.
  if (!sa.owesPathProbe || (sa.state.kind !== 'ESTABLISHED' && sa.isCurrent)) return undefined
  sa.owesPathProbe = false
  return sa.isMobike && sa.path ? buildUpdateSaAddresses(sa, sa.path) : buildLivenessCheck()
}

export function headerFor(
  sa: IkeSa,
  exchangeType: number,
  messageId: number,
  kind: 'request' | 'response',
): { initiatorSpi: bigint; responderSpi: bigint; exchangeType: number; flags: number; messageId: number } {
  const flags = (sa.role === 'initiator' ? HeaderFlag.INITIATOR : 0) | (kind === 'response' ? HeaderFlag.RESPONSE : 0)
  return { initiatorSpi: sa.initiatorSpi, responderSpi: sa.responderSpi, exchangeType, flags, messageId }
}
