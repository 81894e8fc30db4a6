/**
 * Requests that come again (RFC 7296 §2.1): with the same octets, or, where fragmentation is agreed on, cut in another way (RFC 7383 §2.5.2) or whole
 * on a transport that has no fragments (RFC 9329 §7.5).
 */
import { CodecError, decodeMessage, type IkeMessage, PayloadType } from '@underpass/ike-codec'
import type { Core } from '../core.ts'
import { equal } from '../octets.ts'
import { type Path, remoteOf } from '../paths/path.ts'
import type { IkeSa } from './ike-sa.ts'
import { openFragment, openMessage, type Protection } from './protection.ts'
import type { Verdict } from './step.ts'
import { sendSealed } from './transmission.ts'

/** A retransmission: the same answer again, to where it was asked, and no path moves (C-2, T-RTX-3, T-LIFE-18). */
export function answerAgain(core: Core, sa: IkeSa, octets: Uint8Array, arrival: Path): Verdict {
  if (isLaterFragment(sa, octets)) return ignoreLaterFragment(core)
  const response = sa.window.responseTo(octets, (known) => isSameRequest(sa, known, octets))
  if (!response) return drop(core, arrival, 'an answered Message ID with other octets')
  core.count('ike-retransmissions-in')
  sendSealed(core, arrival, response)
  return 'ignored'
}

/** A repetition of what is being worked on: it says where the answer is waited for, which over TCP may be another connection (T-RTX-3). */
export function awaitAnswer(core: Core, sa: IkeSa, octets: Uint8Array, arrival: Path): Verdict {
  if (isLaterFragment(sa, octets)) return ignoreLaterFragment(core)
  const { pending } = sa.window
  if (!pending || !isSameRequest(sa, pending.request, octets)) return drop(core, arrival, 'a Message ID in work with other octets')
  core.count('ike-retransmissions-in')
  pending.arrival = arrival
  return 'ignored'
}

/** `known`: the octets of the request, or of its first fragment. Other octets are believed only where they are authentic. */
function isSameRequest(sa: IkeSa, known: Uint8Array, octets: Uint8Array): boolean {
  if (equal(known, octets)) return true
  const { protection } = sa
  if (!sa.isFragmenting || !protection || (!isFragment(known) && !isFragment(octets))) return false
  const message = tryDecode(octets)
  return message !== undefined && isAuthentic(protection, octets, message)
}

function isAuthentic(protection: Protection, octets: Uint8Array, message: IkeMessage): boolean {
  if (message.payloads.at(-1)?.type === 'SKF') return openFragment(protection, octets, message) !== undefined
  return openMessage(protection, octets, message).kind !== 'unauthentic'
}

/** RFC 7383 §2.6.1: only the first of a request's fragments asks for the answer again. */
function isLaterFragment(sa: IkeSa, octets: Uint8Array): boolean {
  if (!sa.isFragmenting || !isFragment(octets)) return false
  const last = tryDecode(octets)?.payloads.at(-1)
  return last?.type === 'SKF' && last.fragmentNumber !== 1
}

function ignoreLaterFragment(core: Core): Verdict {
  core.count('ike-retransmissions-in')
  return 'ignored'
}

/** Next Payload of the header: nothing that we take has anything before SKF. */
function isFragment(octets: Uint8Array): boolean {
  return octets[16] === PayloadType.SKF
}

function tryDecode(octets: Uint8Array): IkeMessage | undefined {
  try {
    return decodeMessage(octets)
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

function drop(core: Core, arrival: Path, detail: string): Verdict {
  core.count('ike-outside-window')
  core.event({ kind: 'dropped', what: 'ike-outside-window', remote: remoteOf(arrival), detail })
  return 'ignored'
}
