/**
 * IKE fragmentation (RFC 7383). What is too long for a datagram goes out over UDP in fragments, and over TCP whole (RFC 9329 §7.5); fragments are taken
 * from any transport. Nothing is kept of a fragment whose ICV is wrong, and of one IKE SA at most one message each way, of bounded size, for a
 * bounded time.
 */
import {
  encodePayloads,
  type HeaderFields,
  HeaderFlag,
  IKE_HEADER_LENGTH,
  type IkeHeader,
  type IkeMessage,
  NotifyType,
  notify,
  type Payload,
} from '@underpass/ike-codec'
import type { Core } from '../core.ts'
import { type Path, remoteOf } from '../paths/path.ts'
import type { IkeSa } from './ike-sa.ts'
import type { SealedMessage } from './message-window.ts'
import { findNotify } from './payload-queries.ts'
import { type Content, type OpenResult, openFragment, type Protection, readContent, sealContent } from './protection.ts'

/** What has come of a message. */
export interface FragmentSet {
  readonly messageId: number
  readonly exchangeType: number
  readonly total: number
  /** By Fragment Number. */
  readonly chunks: Map<number, Uint8Array>
  octets: number
  /** Fragment 1, which has what is the whole message's. */
  first:
    | { readonly octets: Uint8Array; readonly header: IkeHeader; readonly clear: readonly Payload[]; readonly firstPayload: number }
    | undefined
}

export type FragmentResult =
  /** The last that was missing. `first`: the octets of fragment 1. */
  | { readonly kind: 'complete'; readonly opened: Exclude<OpenResult, { kind: 'unauthentic' }>; readonly first: Uint8Array }
  | { readonly kind: 'held' }
  | { readonly kind: 'unauthentic' }
  /** §2.6: silently. */
  | { readonly kind: 'discarded'; readonly detail: string }

/** Generic payload header, Fragment Number and Total Fragments (§2.5). */
const SKF_HEADER_LENGTH = 8

/** The Payload Length of the SK that the content would have been in has 16 bits (RFC 7296 §3.2). */
const LONGEST_CONTENT = 65_531

/** UDP header and Non-ESP Marker. */
const UDP_OVERHEAD = 12

/** §2.3, over TCP too (T-FRAG-2): what an initiator announces, and a responder where the `request` did. */
export function fragmentationSupport(request?: readonly Payload[]): Payload[] {
  const isWanted = request === undefined || findNotify(request, NotifyType.IKEV2_FRAGMENTATION_SUPPORTED) !== undefined
  return isWanted ? [notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)] : []
}

/** `payloads` for the way to `path`: whole, and in fragments where they could be needed. Throws `CodecError` TOO_LONG. */
export function sealForPath(
  core: Core,
  sa: IkeSa,
  protection: Protection,
  header: HeaderFields,
  payloads: readonly Payload[],
  path: Path,
): SealedMessage {
  const content = encodePayloads(payloads)
  const bytes = sealContent(protection, header, content, core.random)
  // With MOBIKE what goes by TCP now may be asked again over UDP.
  const mayGoByUdp = path.transport === 'udp' || sa.isMobike
  const room = roomFor(core, path)
  const fragments =
    sa.isFragmenting && mayGoByUdp && bytes.length > room ? sealFragments(core, protection, header, content, room) : undefined
  return { bytes, fragments }
}

/** R-2: octets of an IKE message that a datagram on this way should not exceed. */
function roomFor(core: Core, path: Path): number {
  const { maxIkeDatagramIpv4, maxIkeDatagramIpv6 } = core.config.limits
  return remoteOf(path).address.includes(':') ? maxIkeDatagramIpv6 - 40 - UDP_OVERHEAD : maxIkeDatagramIpv4 - 20 - UDP_OVERHEAD
}

function sealFragments(core: Core, protection: Protection, header: HeaderFields, content: Content, room: number): Uint8Array[] {
  const { cipher } = protection
  const body = room - IKE_HEADER_LENGTH - SKF_HEADER_LENGTH - cipher.ivLength - cipher.icvLength
  const chunk = body - (body % Math.max(1, cipher.blockLength)) - 1
  const total = Math.ceil(content.bytes.length / chunk)
  return Array.from({ length: total }, (_, index) => {
    const bytes = content.bytes.subarray(index * chunk, (index + 1) * chunk)
    return sealContent(protection, header, { firstPayload: content.firstPayload, bytes }, core.random, { number: index + 1, total })
  })
}

/** A message that ends in SKF, for a request or a response that is expected; its octets are lent (§2.6). */
export function takeFragment(core: Core, sa: IkeSa, protection: Protection, octets: Uint8Array, message: IkeMessage): FragmentResult {
  const fragment = message.payloads.at(-1)
  if (fragment?.type !== 'SKF' || !sa.isFragmenting) return { kind: 'discarded', detail: 'a fragment, and fragmentation is not agreed on' }
  const { fragmentNumber: number, totalFragments: total } = fragment
  const slot = slotOf(message.header)
  const begun = sa.fragments[slot]
  const known =
    begun && begun.messageId === message.header.messageId && begun.exchangeType === message.header.exchangeType ? begun : undefined
  if (number === 0 || number > total || (known && total < known.total))
    return { kind: 'discarded', detail: `fragment ${number} of ${total}${known ? `, of ${known.total} before` : ''}` }
  if (total > core.config.limits.maxFragments) return refuseForLimit(core, sa, total)
  if (known?.total === total && known.chunks.has(number)) return { kind: 'discarded', detail: `fragment ${number} of ${total} again` }
  const chunk = openFragment(protection, octets, message)
  if (!chunk) return { kind: 'unauthentic' }
  core.count('ike-fragments-in')
  // A larger total is another way to cut the same message: it begins anew (§2.5.2, §2.6).
  const set = known?.total === total ? known : begin(core, sa, message.header, total)
  set.octets += chunk.length
  if (set.octets > LONGEST_CONTENT) {
    sa.fragments[slot] = undefined
    return { kind: 'discarded', detail: `fragments of more than ${LONGEST_CONTENT} octets` }
  }
  set.chunks.set(number, chunk)
  if (number === 1)
    set.first = {
      octets: octets.slice(),
      header: message.header,
      clear: message.payloads.slice(0, -1),
      firstPayload: fragment.firstPayload,
    }
  return set.chunks.size === total ? complete(sa, set, slot) : { kind: 'held' }
}

/** The message has come whole, in one way or another. */
export function forgetFragments(sa: IkeSa, header: Pick<IkeHeader, 'flags'>): void {
  sa.fragments[slotOf(header)] = undefined
}

/** §2.6: what is not complete by now begins anew, if it comes again; the IKE SA stands. */
export function giveUpReassembly(core: Core, sa: IkeSa): void {
  if (sa.fragments.request || sa.fragments.response) core.count('ike-reassembly-timeouts')
  sa.fragments.request = undefined
  sa.fragments.response = undefined
}

function begin(core: Core, sa: IkeSa, header: IkeHeader, total: number): FragmentSet {
  const { messageId, exchangeType } = header
  const set: FragmentSet = { messageId, exchangeType, total, chunks: new Map(), octets: 0, first: undefined }
  sa.fragments[slotOf(header)] = set
  core.timers.set(sa, 'reassembly', core.now + core.config.timers.reassembly)
  return set
}

function complete(sa: IkeSa, { first, chunks, octets, total }: FragmentSet, slot: 'request' | 'response'): FragmentResult {
  sa.fragments[slot] = undefined
  const bytes = new Uint8Array(octets)
  let at = 0
  for (let number = 1; number <= total; number++) {
    const chunk = chunks.get(number)!
    bytes.set(chunk, at)
    at += chunk.length
  }
  const { header, clear, firstPayload } = first!
  return { kind: 'complete', opened: readContent(header, clear, { firstPayload, bytes }), first: first!.octets }
}

function refuseForLimit(core: Core, sa: IkeSa, total: number): FragmentResult {
  core.count('limit-maxFragments')
  core.event({ kind: 'limit-reached', limit: 'maxFragments', remote: sa.path && remoteOf(sa.path) })
  return { kind: 'discarded', detail: `a message of ${total} fragments` }
}

function slotOf({ flags }: Pick<IkeHeader, 'flags'>): 'request' | 'response' {
  return (flags & HeaderFlag.RESPONSE) === 0 ? 'request' : 'response'
}
