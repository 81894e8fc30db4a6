/**
 * MOBIKE (RFC 4555): UPDATE_SA_ADDRESSES is the first message after a redial (RFC 9329 §6.1, T-LIFE-12), answered with fresh NAT
 * detection; a responder follows it over UDP (§3.8) and from one transport to another (RFC 9329 §7.1). Where an initiator moves to is
 * `peers/mover.ts`. A responder that followed it over UDP to another address asks there whether the initiator hears it
 * (`return-routability.ts`).
 *
 *   HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP)}  -->
 *                      <--  HDR, SK {N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP)}
 *                      <--  HDR, SK {N(COOKIE2)}
 *   HDR, SK {N(COOKIE2)}  -->
 */
import { ExchangeType, NotifyType, notify, type Payload } from '@underpass/ike-codec'
import type { PeerConfig } from '../config.ts'
import type { Core } from '../core.ts'
import { formatAddress, parseAddress } from '../ip-address.ts'
import { concat, equal, u16 } from '../octets.ts'
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

/** The responder's other addresses, with its agreement (RFC 4555 §3.4). */
export function additionalAddresses(peer: PeerConfig): Payload[] {
  return (peer.additionalAddresses ?? []).flatMap((text) => {
    const address = parseAddress(text)
    if (!address) return []
    return [notify(address.length === 4 ? NotifyType.ADDITIONAL_IP4_ADDRESS : NotifyType.ADDITIONAL_IP6_ADDRESS, address)]
  })
}

/** Those that a message names; a bounded number, and none of a wrong length. `undefined`: it says nothing of them (RFC 4555 §3.6). */
export function readAdditionalAddresses(payloads: readonly Payload[]): readonly string[] | undefined {
  const isSaid = ADDRESS_NOTIFIES.some((notifyType) => findNotify(payloads, notifyType) !== undefined)
  if (!isSaid) return undefined
  const octets = payloads.flatMap((payload) =>
    payload.type === 'N' && payload.data.length === LENGTHS.get(payload.notifyType) ? [payload.data] : [],
  )
  return octets.filter(isSomewhereElse).slice(0, MAX_ADDITIONAL).map(formatAddress)
}

/** Not this host, this link or many at once: a gateway is at none of these, and must not have a client write to them. */
function isSomewhereElse(address: Uint8Array): boolean {
  const [a = 0, b = 0] = address
  if (address.length === 4) return a !== 0 && a !== 127 && a < 224 && !(a === 169 && b === 254)
  // Unspecified, loopback and IPv4-mapped addresses all begin with 80 zero bits.
  const isLow = address.subarray(0, 10).every((octet) => octet === 0)
  return !isLow && a !== 0xff && !(a === 0xfe && (b & 0xc0) === 0x80)
}

const LENGTHS: ReadonlyMap<number, number> = new Map([
  [NotifyType.ADDITIONAL_IP4_ADDRESS, 4],
  [NotifyType.ADDITIONAL_IP6_ADDRESS, 16],
])
const ADDRESS_NOTIFIES: readonly number[] = [...LENGTHS.keys(), NotifyType.NO_ADDITIONAL_ADDRESSES]
const MAX_ADDITIONAL = 8

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

/** RFC 4555 §3.7. */
export function buildReturnRoutabilityCheck(core: Core, address: string): RequestPlan {
  return {
    purpose: 'return-routability',
    address,
    exchangeType: ExchangeType.INFORMATIONAL,
    payloads: [notify(NotifyType.COOKIE2, core.random(16))],
  }
}

/** Whether the answer gives the cookie of the request back; if not the IKE SA is closed (§3.7). */
export function isRoutable(plan: RequestPlan, inner: readonly Payload[]): boolean {
  const sent = findNotify(plan.payloads, NotifyType.COOKIE2)
  const returned = findNotify(inner, NotifyType.COOKIE2)
  return sent !== undefined && returned !== undefined && equal(sent.data, returned.data)
}

/**
 * NO_NATS_ALLOWED over UDP whose addresses and ports are not those of the packet that brought it (RFC 4555 §3.9): the request is answered with
 * UNEXPECTED_NAT_DETECTED, and moves nothing. Over TCP it is ignored (RFC 9329 §7.1, T-MOB-7).
 */
export function hasUnexpectedNat(inner: readonly Payload[], arrival: Path): boolean {
  const notice = findNotify(inner, NotifyType.NO_NATS_ALLOWED)
  if (notice === undefined || arrival.transport === 'tcp') return false
  const { local, remote } = arrival
  const [source, destination] = [remote, local].map(({ address }) => parseAddress(address) ?? new Uint8Array(0))
  return !equal(notice.data, concat(source!, destination!, u16(remote.port), u16(local.port)))
}

/** C-27: over UDP with a source port that nobody has, so that a peer that looks anew for NATs goes on encapsulating ESP. */
function natDetectionFor({ initiatorSpi, responderSpi }: IkeSa, path: Path): Payload[] {
  const local = path.transport === 'udp' ? { ...path.local, port: 0 } : localOf(path)
  return natDetectionPayloads({ initiatorSpi, responderSpi, local, remote: remoteOf(path) })
}
