/**
 * Is the peer there (RFC 7296 §2.4)? It is asked after a silence, and where something that nothing protects says that it has lost the
 * IKE SA. Silence on our own requests is the only evidence of death.
 */
import type { Core } from '../core.ts'
import type { IkeSa } from './ike-sa.ts'
import { closeIkeSa } from './ike-sa-life.ts'
import { buildLivenessCheck } from './informational-requests.ts'
import { buildUpdateSaAddresses } from './mobike.ts'
import { resend, sendRequest } from './transmission.ts'

/** Only when nothing valid came for a while, and nothing is being waited for. */
export function checkLiveness(core: Core, sa: IkeSa): void {
  if (sa.state.kind !== 'ESTABLISHED') return
  const liveness = sa.livenessPeriod ?? core.config.timers.liveness
  // The sum that the timer is set to is what is compared: a difference may round to less, and the timer would be due again at once, for ever.
  const dueAt = sa.lastInboundAt + liveness
  const isDue = core.now >= dueAt
  core.timers.set(sa, 'liveness', isDue ? core.now + liveness : dueAt)
  if (isDue) askIfAlive(core, sa)
}

/**
 * INVALID_IKE_SPI in the clear (§2.21.4): anybody may have said it, so it changes nothing; but it is asked at once, at most once per
 * `timers.resume`. Over UDP the answer has as long to come, through several transmissions, as on a connection that is new.
 */
export function suspectLoss(core: Core, sa: IkeSa): void {
  const { resume } = core.config.timers
  if (sa.state.kind !== 'ESTABLISHED' || (sa.suspectedAt !== undefined && core.now - sa.suspectedAt < resume)) return
  core.count('ike-loss-hints')
  sa.suspectedAt = core.now
  const { outstanding } = sa.window
  if (!outstanding) askIfAlive(core, sa)
  else if (sa.transport === 'udp' && outstanding.transmissions > 1) {
    // Its waits have grown: they begin anew, so that there are several transmissions to answer.
    outstanding.transmissions = 0
    resend(core, sa)
  }
  if (sa.transport === 'udp' && sa.window.outstanding && !core.timers.has(sa, 'response'))
    core.timers.set(sa, 'response', core.now + resume)
}

/**
 * A datagram did not get there, says ICMP or the system: a hint that nothing protects, like the one above, and weaker, as a router on the
 * way may mean one packet only. It is asked at once, at most once per `timers.resume`, and with all the patience there is.
 */
export function doubtPath(core: Core, sa: IkeSa): void {
  const { resume } = core.config.timers
  if (sa.state.kind !== 'ESTABLISHED' || (sa.doubtedAt !== undefined && core.now - sa.doubtedAt < resume)) return
  sa.doubtedAt = core.now
  askIfAlive(core, sa)
}

/** Over TCP: nothing came in time. Over UDP: nor since the loss was suspected; where the peer was heard, the repetitions go on. */
export function responseOverdue(core: Core, sa: IkeSa): void {
  if (sa.transport === 'udp' && sa.suspectedAt !== undefined && sa.lastInboundAt > sa.suspectedAt) return
  // What is silent may be the connection, and not the peer (RFC 9329 §6.1, T-LIFE-6).
  if (sa.initiator?.leaveSilentConnection(core, sa, unanswered(core, sa)) === true) return
  declareDead(core, sa, unanswered(core, sa))
}

/** Silence on our own requests is the only evidence of death that counts (C-8, T-DPD-3). */
export function declareDead(core: Core, sa: IkeSa, reason: string): void {
  if (!sa.isHalfOpen && sa.isCurrent) core.event({ kind: 'liveness', ikeSa: sa.id, peer: sa.peerName, result: 'dead' })
  closeIkeSa(core, sa, reason, false)
}

function askIfAlive(core: Core, sa: IkeSa): void {
  if (!sa.window.outstanding && sa.path && !sa.isUnconfirmed)
    sendRequest(core, sa, mayHaveLostMapping(sa) ? buildUpdateSaAddresses(sa, sa.path) : buildLivenessCheck())
}

/** Silence behind a NAT may be a mapping that it has forgotten: then the check that moves us there too (RFC 4555 §3.8). */
function mayHaveLostMapping(sa: IkeSa): boolean {
  return sa.series.role === 'initiator' && sa.transport === 'udp' && sa.isMobike && sa.nat?.isLocalBehindNat === true
}

function unanswered(core: Core, sa: IkeSa): string {
  const { resume, response } = core.config.timers
  const patience =
    sa.transport === 'udp' ? `${resume} ms of INVALID_IKE_SPI` : sa.isResuming ? `${resume} ms on a new connection` : `${response} ms`
  return `no answer to ${sa.window.outstanding?.plan.purpose ?? 'a request'} within ${patience}`
}
