/**
 * MOBIKE (RFC 4555): UPDATE_SA_ADDRESSES is the first message after a redial (RFC 9329 §6.1, T-LIFE-12), answered with fresh NAT
 * detection; a responder follows it over UDP (§3.8) and from one transport to another (RFC 9329 §7.1). Where an initiator moves to is
 * `peers/mover.ts`. No return routability check over TCP (§7.1, T-MOB-8).
 *
 *   HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP)}  -->
 *                      <--  HDR, SK {N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP)}
 */
import { ExchangeType, NotifyType, notify, type Payload } from '@underpass/ike-codec'
import { localOf, type Path, remoteOf } from '../paths/path.ts'
import type { IkeSa } from './ike-sa.ts'
import type { RequestPlan } from './message-window.ts'
import { natDetectionPayloads } from './nat-detection.ts'
import { findNotify } from './payload-queries.ts'

/** What goes into IKE_AUTH: the initiator offers, the responder agrees to an offer (RFC 4555 §3.2). */
export function mobikeSupport(request?: readonly Payload[]): Payload[] {
  const isOffered = request === undefined || findNotify(request, NotifyType.MOBIKE_SUPPORTED) !== undefined
  return isOffered ? [notify(NotifyType.MOBIKE_SUPPORTED)] : []
}

/** RFC 4555 §3.5. */
export function buildUpdateSaAddresses(sa: IkeSa, path: Path): RequestPlan {
  return {
    purpose: 'update-sa-addresses',
    exchangeType: ExchangeType.INFORMATIONAL,
    payloads: [notify(NotifyType.UPDATE_SA_ADDRESSES), ...natDetectionFor(sa, path)],
  }
}

/**
 * The notifies of a response to an INFORMATIONAL that holds some of MOBIKE's; COOKIE2 comes back as it came (RFC 4555 §3.7). One of
 * the wrong length is none: what is given back must leave room for the rest of the answer.
 */
export function answerMobike(sa: IkeSa, inner: readonly Payload[]): Payload[] {
  if (!sa.isMobike) return []
  const cookie2 = findNotify(inner, NotifyType.COOKIE2)?.data
  const isCookie2 = cookie2 !== undefined && cookie2.length >= 8 && cookie2.length <= 64 // RFC 4555 §4.2.5
  const wantsNatDetection = findNotify(inner, NotifyType.NAT_DETECTION_SOURCE_IP) !== undefined
  return [
    ...(wantsNatDetection && sa.path ? natDetectionFor(sa, sa.path) : []),
    ...(isCookie2 ? [notify(NotifyType.COOKIE2, cookie2)] : []),
  ]
}

/** C-27: over UDP with a source port that nobody has, so that a peer that looks anew for NATs goes on encapsulating ESP. */
function natDetectionFor({ initiatorSpi, responderSpi }: IkeSa, path: Path): Payload[] {
  const local = path.transport === 'udp' ? { ...path.local, port: 0 } : localOf(path)
  return natDetectionPayloads({ initiatorSpi, responderSpi, local, remote: remoteOf(path) })
}
