/** The timers of an IKE SA: retransmission, liveness, NAT keep-alives, and the ends of patience. */
import type { Core } from '../core.ts'
import { giveUpReassembly } from './fragmentation.ts'
import type { IkeSa } from './ike-sa.ts'
import { transmitIkeSaInit } from './ike-sa-init-engine.ts'
import { closeIkeSa, deleteIkeSa } from './ike-sa-life.ts'
import { checkLiveness, declareDead, responseOverdue } from './liveness.ts'
import { rekeyIkeSa } from './rekeying/ike-sa-rekeying.ts'
import { endLifetime } from './rekeying/series.ts'
import { notProvenInTime } from './return-routability.ts'
import { resend } from './transmission.ts'

/** A timer of the SA is due. */
export function onIkeSaTimer(core: Core, sa: IkeSa, name: IkeSa['timerNames']): void {
  switch (name) {
    case 'retransmit':
      return retransmit(core, sa)
    case 'response':
      return responseOverdue(core, sa)
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
    case 'routability':
      return notProvenInTime(sa)
    case 'nat-keepalive':
      return sendNatKeepalive(core, sa)
    case 'reassembly':
      return giveUpReassembly(core, sa)
    case 'rekey':
      return rekeyIkeSa(core, sa)
    case 'session':
      return deleteIkeSa(core, sa, 'the time that the user was given is over')
    case 'expire':
    case 'replaced':
      return endLifetime(core, sa)
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
  if (isPathSilent(core, sa, outstanding.transmissions)) {
    const reason = `no answer to ${outstanding.plan.purpose} after ${outstanding.transmissions} transmissions, and other transports are there`
    if (sa.initiator?.leaveSilentPath(core, sa, reason)) return
  }
  core.count('ike-retransmissions-out')
  resend(core, sa)
}

/**
 * Enough repetitions to believe that it is no accident, and nothing valid of the peer's, IKE or ESP, while they went out. What came just
 * after the first was on its way before the path was lost, and says nothing.
 */
function isPathSilent(core: Core, sa: IkeSa, transmissions: number): boolean {
  const silence = core.config.timers.retransmit * (2 ** REPETITIONS_BEFORE_ANOTHER_TRANSPORT - 1)
  return transmissions > REPETITIONS_BEFORE_ANOTHER_TRANSPORT && core.now - sa.lastInboundAt >= silence
}

/** With the default timers the last of them is 3.5 s after the first transmission, and the wait for its answer ends 4 s later. */
const REPETITIONS_BEFORE_ANOTHER_TRANSPORT = 3

/** RFC 3948 §4, over UDP only (T-KA-1). */
function sendNatKeepalive(core: Core, sa: IkeSa): void {
  if (sa.path?.transport !== 'udp') return
  core.emit({ kind: 'send-datagram', local: sa.path.local, remote: sa.path.remote, message: 'keepalive', bytes: Uint8Array.of(0xff) })
  core.timers.set(sa, 'nat-keepalive', core.now + core.config.timers.natKeepalive)
}

function handshakeTimeout(sa: IkeSa): string {
  if (sa.role === 'responder') return 'the handshake took too long'
  return sa.refusal === undefined ? 'no answer' : `no better answer than ${sa.refusal}`
}
