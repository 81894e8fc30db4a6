/**
 * CREATE_CHILD_SA (RFC 7296 §1.3), answered with the refusal that fits: rekeying and further Child SAs are not offered yet.
 *
 *   HDR, SK {SA, Ni, KEi}                        -->  (IKE SA rekey)      <--  HDR, SK {N(NO_ADDITIONAL_SAS)}
 *   HDR, SK {N(REKEY_SA), SA, Ni, [KEi,] TSi, TSr}  -->  (Child SA rekey)  <--  HDR, SK {N(NO_ADDITIONAL_SAS)} or {N(CHILD_SA_NOT_FOUND)}
 */
import { NotifyType, notify, ProtocolId } from '@underpass/ike-codec'
import type { Core } from '../core.ts'
import { readU32 } from '../octets.ts'
import { notifyFor, SessionError } from '../session-error.ts'
import type { IkeSa } from './ike-sa.ts'
import { findNotify } from './payload-queries.ts'
import type { AuthenticatedMessage } from './protection.ts'
import type { Step } from './step.ts'

export function answerCreateChildSaRequest(_core: Core, sa: IkeSa, { inner }: AuthenticatedMessage): Step {
  const rekeyed = findNotify(inner, NotifyType.REKEY_SA)
  // §2.25: what is to be rekeyed is named by the sender's inbound SPI, our outbound one.
  const isKnown =
    rekeyed !== undefined && rekeyed.spi.length === 4 && [...sa.children].some((child) => child.outboundSpi === readU32(rekeyed.spi))
  if (rekeyed && !isKnown) {
    return { reply: [notify(NotifyType.CHILD_SA_NOT_FOUND, undefined, { protocol: ProtocolId.ESP, spi: rekeyed.spi })] }
  }
  // §2.25: while a Delete of ours is out, the peer shall ask again later.
  const isClosing = sa.state.kind === 'DELETING' || (rekeyed && sa.window.outstanding?.plan.purpose === 'delete-child')
  if (isClosing) return { reply: [notify(NotifyType.TEMPORARY_FAILURE)] }
  const refusal = notifyFor(new SessionError('NO_ADDITIONAL_SAS', 'incompatible', 'rekeying and further Child SAs are not offered'))!
  return { reply: [notify(refusal.notifyType, refusal.data)] }
}
