/** What is said to a CREATE_CHILD_SA that cannot be, and what is made of such an answer (RFC 7296 §2.21.3, §2.25). */
import { NotifyType, notify, type Payload, TransformType } from '@underpass/ike-codec'
import { ChildSa } from '../../child/child-sa.ts'
import type { Core } from '../../core.ts'
import { u16 } from '../../octets.ts'
import { withJitter } from '../../peers/jitter.ts'
import type { IkeSa } from '../ike-sa.ts'
import { deleteIkeSa } from '../ike-sa-life.ts'
import type { Step } from '../step.ts'
import { type Creation, dropCreation } from './creation.ts'

/** The request changes nothing. */
export function refuse(notifyType: number): Step {
  return { reply: [notify(notifyType)] }
}

export function invalidKe(method: number): Step {
  return { reply: [notify(NotifyType.INVALID_KE_PAYLOAD, u16(method))] }
}

/** The peer has made an SA that we cannot have: nothing is certain of the IKE SA any more. */
export function rejectAnswer(sa: IkeSa, creation: Creation, detail: string): Step {
  dropCreation(sa, creation)
  return { effects: [{ kind: 'delete', reason: detail }] }
}

/** The method that INVALID_KE_PAYLOAD asks for, where it was offered and has not been tried. */
export function methodAskedFor(creation: Creation, { notifyType, data }: Extract<Payload, { type: 'N' }>): number | undefined {
  if (notifyType !== NotifyType.INVALID_KE_PAYLOAD || data.length !== 2) return undefined
  const method = (data[0]! << 8) | data[1]!
  const isOffered = creation.proposals.some(({ transforms }) =>
    transforms.some(({ type, id }) => type === TransformType.KE && id === method),
  )
  return isOffered && method !== creation.method && !creation.refusedMethods.includes(method) ? method : undefined
}

/** Not now: again after a while. The lifetime of what was to be replaced ends it otherwise. */
export function takeRefusal(sa: IkeSa, target: IkeSa | ChildSa | undefined, notifyType: number, detail: string): Step {
  // §2.21.3: with this the peer has dropped the IKE SA, and says no Delete.
  if (notifyType === NotifyType.INVALID_SYNTAX) return { effects: [{ kind: 'close', reason: detail, byPeer: true }] }
  const apply = (core: Core): void => {
    sa.refusedSince = notifyType === NotifyType.TEMPORARY_FAILURE ? (sa.refusedSince ?? core.now) : undefined
    const patience = core.config.timers.rekeyGiveUp
    // §2.25: for minutes on end, the two ends do not have the same picture.
    if (sa.refusedSince !== undefined && core.now - sa.refusedSince >= patience)
      return deleteIkeSa(core, sa, `TEMPORARY_FAILURE for ${patience} ms: the two ends are out of step`)
    if (target) tryLater(core, sa, target, detail)
  }
  return { effects: [{ kind: 'rekeying', apply }] }
}

/** What is to be replaced is rekeyed later. */
export function tryLater(core: Core, sa: IkeSa, target: IkeSa | ChildSa, detail: string): void {
  const at = core.now + withJitter(core, core.config.timers.rekeyRetry)
  if (target instanceof ChildSa) {
    if (sa.series.current.children.has(target) && !target.successor) core.timers.set(target, 'rekey', at)
  } else if (target.isCurrent) core.timers.set(target, 'rekey', at)
  core.event({ kind: 'rekey-failed', ikeSa: sa.id, peer: sa.peerName, what: target instanceof ChildSa ? 'child-sa' : 'ike-sa', detail })
}
