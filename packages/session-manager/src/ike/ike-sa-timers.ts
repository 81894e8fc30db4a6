/** The timers of an IKE SA: retransmission, liveness, NAT keep-alives, and the ends of patience. */
import type { Core } from '../core.ts'
import type { IkeSa } from './ike-sa.ts'
import { transmitIkeSaInit } from './ike-sa-init-engine.ts'
import { closeIkeSa, resend, sendRequest } from './ike-sa-life.ts'
import { buildLivenessCheck } from './informational.ts'
import { buildUpdateSaAddresses } from './mobike.ts'

/** A timer of the SA is due. */
export function onIkeSaTimer(core: Core, sa: IkeSa, name: IkeSa['timerNames']): void {
  switch (name) {
    case 'retransmit':
      return retransmit(core, sa)
    case 'response':
      return declareDead(core, sa, unanswered(core, sa))
    case 'handshake':
      return closeIkeSa(
        core,
        sa,
        sa.state.kind === 'DELETING' ? `${sa.state.reason}; the peer did not answer the Delete` : handshakeTimeout(sa),
        false,
      )
    case 'disconnected':
      return closeIkeSa(core, sa, 'no connection for too long', false)
    case 'liveness':
      return checkLiveness(core, sa)
    case 'nat-keepalive':
      return sendNatKeepalive(core, sa)
    default:
      return name satisfies never
  }
}

/** RFC 7296 §2.4: the waits double (C-4), and many silences in a row are the end. */
function retransmit(core: Core, sa: IkeSa): void {
  const { maxRetransmissions } = core.config.timers
  if (sa.state.kind === 'IKE_SA_INIT_SENT') {
    if (sa.state.transmissions > maxRetransmissions) return closeIkeSa(core, sa, handshakeTimeout(sa), false)
    core.count('ike-retransmissions-out')
    return transmitIkeSaInit(core, sa)
  }
  const outstanding = sa.window.outstanding
  if (!outstanding) return
  if (outstanding.transmissions > maxRetransmissions)
    return declareDead(core, sa, `no answer to ${outstanding.plan.purpose} after ${outstanding.transmissions} transmissions`)
  core.count('ike-retransmissions-out')
  resend(core, sa)
}

/** Silence on our own requests is the only evidence of death that counts (C-8, T-DPD-3). */
function declareDead(core: Core, sa: IkeSa, reason: string): void {
  if (!sa.isHalfOpen) core.event({ kind: 'liveness', ikeSa: sa.id, peer: sa.peerName, result: 'dead' })
  closeIkeSa(core, sa, reason, false)
}

/** Only when nothing valid came for a while, and nothing is being waited for (RFC 7296 §2.4). */
function checkLiveness(core: Core, sa: IkeSa): void {
  if (sa.state.kind !== 'ESTABLISHED') return
  const { liveness } = core.config.timers
  const silence = core.now - sa.lastInboundAt
  const isDue = silence >= liveness
  core.timers.set(sa, 'liveness', core.now + (isDue ? liveness : liveness - silence))
  if (isDue && !sa.window.outstanding && sa.path)
    sendRequest(core, sa, mayHaveLostMapping(sa) ? buildUpdateSaAddresses(sa) : buildLivenessCheck())
}

/** Silence behind a NAT may be a mapping that it has forgotten: then the check that moves us there too (RFC 4555 §3.8). */
function mayHaveLostMapping(sa: IkeSa): boolean {
  return sa.role === 'initiator' && sa.transport === 'udp' && sa.isMobike && sa.nat?.isLocalBehindNat === true
}

/** RFC 3948 §4, over UDP only (T-KA-1). */
function sendNatKeepalive(core: Core, sa: IkeSa): void {
  if (sa.path?.transport !== 'udp') return
  core.emit({ kind: 'send-datagram', local: sa.path.local, remote: sa.path.remote, message: 'keepalive', bytes: Uint8Array.of(0xff) })
  core.timers.set(sa, 'nat-keepalive', core.now + core.config.timers.natKeepalive)
}

function unanswered(core: Core, sa: IkeSa): string {
  const { resume, response } = core.config.timers
  const patience = sa.isResuming ? `${resume} ms on a new connection` : `${response} ms`
  return `no answer to ${sa.window.outstanding?.plan.purpose ?? 'a request'} within ${patience}`
}

function handshakeTimeout(sa: IkeSa): string {
  if (sa.role === 'responder') return 'the handshake took too long'
  return sa.refusal === undefined ? 'no answer' : `no better answer than ${sa.refusal}`
}
