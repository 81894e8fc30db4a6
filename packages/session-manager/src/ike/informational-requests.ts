/** What we ask by INFORMATIONAL (RFC 7296 §1.4): is the peer there, and Delete. */
import { ExchangeType, notify, ProtocolId } from '@underpass/ike-codec'
import type { ChildSa } from '../child/child-sa.ts'
import { u32 } from '../octets.ts'
import type { RequestPlan } from './message-window.ts'

/** §2.4: an empty request, whose answer is evidence of life. */
export function buildLivenessCheck(): RequestPlan {
  return { purpose: 'liveness', exchangeType: ExchangeType.INFORMATIONAL, payloads: [] }
}

/** §1.4.1: the IKE SA and with it all its Child SAs; `notifyType` says why (§2.21.2). */
export function buildIkeSaDelete(notifyType?: number): RequestPlan {
  return {
    purpose: 'delete-ike-sa',
    exchangeType: ExchangeType.INFORMATIONAL,
    payloads: [...(notifyType === undefined ? [] : [notify(notifyType)]), { type: 'D', protocol: ProtocolId.IKE, spis: [] }],
  }
}

/** §1.4.1: our inbound SPI names the pair. */
export function buildChildSaDelete(children: readonly ChildSa[]): RequestPlan {
  return {
    purpose: 'delete-child',
    exchangeType: ExchangeType.INFORMATIONAL,
    payloads: [{ type: 'D', protocol: ProtocolId.ESP, spis: children.map((child) => u32(child.inboundSpi)) }],
    children,
  }
}
