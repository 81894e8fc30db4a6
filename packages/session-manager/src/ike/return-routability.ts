/**
 * Whether an initiator hears us at the address that it came to over UDP (RFC 4555 §3.7). It is asked at once, and ESP goes there meanwhile, so that
 * a move costs no packet: for `timers.resume`, and then no more before it has answered. Who went on to another address without an answer is asked
 * first from then on, as the RFC would have it of all: who has an IKE SA with us could aim our ESP at somebody else otherwise, again and again.
 * Over TCP nobody can have written another's address (RFC 9329 §7.1, T-MOB-8).
 */
import type { Core } from '../core.ts'
import { type Path, remoteOf } from '../paths/path.ts'
import type { IkeSa } from './ike-sa.ts'
import type { RequestPlan } from './message-window.ts'
import { buildReturnRoutabilityCheck } from './mobike.ts'

/** The SA has moved, by IKE or ESP. Whoever calls sends what waits. */
export function checkRoutability(core: Core, sa: IkeSa): void {
  const { path, lastPath } = sa
  if (!sa.isMobike || path === undefined) return
  const { address } = remoteOf(path)
  if (path.transport === 'tcp') {
    leaveUnproven(sa, undefined)
    proven(core, sa)
  } else if (address !== lastPath?.remote.address) askIfRoutable(core, sa, address)
}

/** The peer gave the cookie of `plan` back, by `arrival`. One that was sent to several addresses says of none that it works. */
export function cookieReturned(core: Core, sa: IkeSa, plan: RequestPlan, arrival: Path): void {
  if (sa.path?.transport !== 'udp') return
  const { address } = sa.path.remote
  if (plan.address === address && remoteOf(arrival).address === address) proven(core, sa)
  else askIfRoutable(core, sa, address)
}

/** It has had its time. */
export function notProvenInTime(sa: IkeSa): void {
  sa.routability = { ...sa.routability, isTrusted: false, isEspHeld: true }
}

/** The newest address, whatever moves came before. */
function askIfRoutable(core: Core, sa: IkeSa, address: string): void {
  const { window } = sa
  leaveUnproven(sa, address)
  if (!sa.routability.isTrusted) sa.routability = { ...sa.routability, isEspHeld: true }
  else if (!core.timers.has(sa, 'routability')) core.timers.set(sa, 'routability', core.now + core.config.timers.resume)
  const others = window.waiting.filter(({ purpose }) => purpose !== 'return-routability')
  window.waiting.splice(0, window.waiting.length, buildReturnRoutabilityCheck(core, address), ...others)
}

function leaveUnproven(sa: IkeSa, address: string | undefined): void {
  const { unproven, isTrusted } = sa.routability
  sa.routability = { ...sa.routability, unproven: address, isTrusted: isTrusted && (unproven === undefined || unproven === address) }
}

function proven(core: Core, sa: IkeSa): void {
  core.timers.clear(sa, 'routability')
  sa.routability = { ...sa.routability, unproven: undefined, isEspHeld: false }
}
