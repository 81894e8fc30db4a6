/**
 * The path check: does ESP pass both ways by a path, and how much of it is lost? IKE's messages cannot say: a network may let them through and
 * drop what is around them (RFC 9329 §5.1 knows a UDP that is blocked half way). No RFC has it, so it is between ends that both say that they
 * know it, by a Vendor ID in IKE_AUTH (RFC 7296 §3.12) and a status notify of the private range (§3.10.1).
 *
 *   ESP, dummy packets (RFC 4303 §2.6)  -->
 *   HDR, SK {N(PATH_CHECK)}             -->
 *                                       <--  ESP, dummy packets, to where the request came from
 *                                       <--  HDR, SK {N(PATH_CHECK)}
 *
 * The answer holds whether the responder sends by the path that it was asked by (S), and then, for each Child SA, what it has received of it:
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   |                           RESERVED                          |S|
 *   |                        SPI, of the responder                  |
 *   |              Highest Sequence Number, high half               |
 *   |              Highest Sequence Number, low half                |
 *   |                  Packets accepted, high half                  |
 *   |                  Packets accepted, low half                   |
 *   |                     Dummy packets accepted                    |
 *
 * It moves no path, and over TCP it has no dummy packets: the stream that brings the request brings ESP.
 */

import { NextHeader } from '@underpass/esp-crypto'
import { ExchangeType, notify, type Payload } from '@underpass/ike-codec'
import type { ChildSa, Received } from '../child/child-sa.ts'
import type { PeerConfig } from '../config.ts'
import type { Core } from '../core.ts'
import { concat, equal, readU32, u32 } from '../octets.ts'
import { isSamePath, type Path } from '../paths/path.ts'
import type { IkeSa } from './ike-sa.ts'
import type { RequestPlan } from './message-window.ts'
import { findNotify } from './payload-queries.ts'

/** Notify Message Type, private use. */
export const PATH_CHECK = 0xa5c4

/** So that the loss of one says nothing. */
const DUMMIES = 2
const HEADER = 4
const RECORD = 24

/** What an IKE SA knows of its path checks; there where both ends know them. */
export interface PathChecks {
  /** The last that was answered. */
  readonly last: AnsweredCheck | undefined
  /** What had been received when the one that is out was begun. */
  readonly out: { readonly at: number; readonly received: readonly CountedChild[] } | undefined
}

export interface AnsweredCheck {
  readonly at: number
  readonly roundTrip: number
  /** The peer sends by this path. */
  readonly isSendingPath: boolean
  readonly espIn: boolean
  readonly espOut: boolean
  /** Of ESP since the check before it: packets that must have been sent, and those that came. `undefined`: there was none before it. */
  readonly inbound: Arrivals | undefined
  readonly outbound: Arrivals | undefined
  readonly counted: { readonly ours: readonly CountedChild[]; readonly theirs: readonly CountedChild[] }
}

export interface Arrivals {
  readonly expected: number
  readonly arrived: number
}

interface CountedChild extends Received {
  /** The receiver's. */
  readonly spi: number
}

/** What goes into IKE_AUTH: the initiator says that it knows path checks, the responder says so to one that does. */
export function pathCheckVendorId(peer: PeerConfig, request?: readonly Payload[]): Payload[] {
  const isWanted = peer.pathChecks !== false && (request === undefined || hasPathCheckVendorId(request))
  return isWanted ? [{ type: 'V', data: VENDOR_ID }] : []
}

/** For the `authenticated` step of either end. */
export function hasPathCheckVendorId(payloads: readonly Payload[]): boolean {
  return payloads.some((payload) => payload.type === 'V' && equal(payload.data, VENDOR_ID))
}

/** The SA's next request, from now on. */
export function beginPathCheck(core: Core, sa: IkeSa): RequestPlan {
  if (sa.pathChecks) sa.pathChecks = { ...sa.pathChecks, out: { at: core.now, received: countAll(sa) } }
  return { purpose: 'path-check', exchangeType: ExchangeType.INFORMATIONAL, payloads: [notify(PATH_CHECK)] }
}

/** An answer is `undefined` where it is none to us. */
export function finishPathCheck(core: Core, sa: IkeSa, inner: readonly Payload[]): AnsweredCheck | undefined {
  const answer = findNotify(inner, PATH_CHECK)
  const { last, out } = sa.pathChecks ?? {}
  if (!answer || !out) return undefined
  const ours = countAll(sa)
  const theirs = readReport(sa, answer.data)
  const check: AnsweredCheck = {
    at: core.now,
    roundTrip: core.now - out.at,
    isSendingPath: answer.data.length >= HEADER && (answer.data[HEADER - 1]! & 1) === 1,
    espIn: haveDummiesCome(out.received, ours),
    espOut: haveDummiesCome(last?.counted.theirs ?? [], theirs),
    inbound: last && arrivals(last.counted.ours, ours),
    outbound: last && arrivals(last.counted.theirs, theirs),
    counted: { ours, theirs },
  }
  sa.pathChecks = { last: check, out: undefined }
  return check
}

/** The payloads of the answer to a request that asks, and ahead of it the dummy packets. */
export function answerPathCheck(core: Core, sa: IkeSa, inner: readonly Payload[], arrival: Path): Payload[] {
  if (sa.pathChecks === undefined || findNotify(inner, PATH_CHECK) === undefined) return []
  sendDummies(core, sa, arrival)
  return [notify(PATH_CHECK, concat(u32(isSamePath(sa.path, arrival) ? 1 : 0), writeReport(countAll(sa))))]
}

/** Of each Child SA, by `path`. */
export function sendDummies(core: Core, sa: IkeSa, path: Path): void {
  if (path.transport !== 'udp') return
  for (const child of sa.children) {
    const { outbound } = child
    // The peer may not have this one yet (RFC 7296 §2.8).
    if (child.awaitsTraffic) continue
    child.dummiesOut += DUMMIES
    const room = outbound.overhead(0)
    const buffer = new Uint8Array(DUMMIES * room)
    const offsets = Uint32Array.from({ length: DUMMIES }, (_, i) => i * room)
    const lengths = offsets.map((at) => outbound.encapsulate(buffer, 0, 0, NextHeader.NO_NEXT_HEADER, buffer, at))
    // Where the Sequence Numbers are used up the next packet of somebody's ends the SA.
    if (lengths.some((length) => length > room)) return
    core.emit({ kind: 'send-esp-datagrams', local: path.local, remote: path.remote, batch: { buffer, offsets, lengths, count: DUMMIES } })
  }
}

function countAll(sa: IkeSa): CountedChild[] {
  return [...sa.children].map((child: ChildSa) => ({ spi: child.inboundSpi, ...child.received() }))
}

/** By one Child SA at least: others may have been replaced in between. */
function haveDummiesCome(before: readonly CountedChild[], now: readonly CountedChild[]): boolean {
  return now.some(({ spi, dummies }) => dummies > (before.find((earlier) => earlier.spi === spi)?.dummies ?? 0))
}

function arrivals(before: readonly CountedChild[], now: readonly CountedChild[]): Arrivals {
  let expected = 0
  let arrived = 0
  for (const child of now) {
    const earlier = before.find(({ spi }) => spi === child.spi) ?? { highest: 0, accepted: 0 }
    expected += Math.max(0, child.highest - earlier.highest)
    arrived += Math.max(0, child.accepted - earlier.accepted)
  }
  // What was under way at the last check has come since.
  return { expected, arrived: Math.min(expected, arrived) }
}

function writeReport(children: readonly CountedChild[]): Uint8Array {
  return concat(
    ...children.flatMap(({ spi, highest, accepted, dummies }) => [u32(spi), ...u64(highest), ...u64(accepted), u32(dummies % 2 ** 32)]),
  )
}

/** What it says of Child SAs that are here. Octets that are no whole record are passed over. */
function readReport(sa: IkeSa, data: Uint8Array): CountedChild[] {
  const known = new Set([...sa.children].map(({ outboundSpi }) => outboundSpi))
  const records: CountedChild[] = []
  for (let at = HEADER; at + RECORD <= data.length && known.size > 0; at += RECORD) {
    const word = (n: number): number => readU32(data, at + 4 * n)
    if (known.delete(word(0)))
      records.push({ spi: word(0), highest: word(1) * 2 ** 32 + word(2), accepted: word(3) * 2 ** 32 + word(4), dummies: word(5) })
  }
  return records
}

function u64(value: number): [Uint8Array, Uint8Array] {
  return [u32(Math.floor(value / 2 ** 32)), u32(value % 2 ** 32)]
}

const VENDOR_ID: Uint8Array = Uint8Array.from('underpass path check 1', (character) => character.charCodeAt(0))
