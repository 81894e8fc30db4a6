/** How long, and for how much, a Child SA is used (RFC 7296 §2.8): each end's own policy, and what numbers and ciphers allow. */
import { DEFAULT_LIFETIMES, type Lifetimes, type PeerConfig } from '../config.ts'
import type { Core } from '../core.ts'
import { readU32 } from '../octets.ts'
import type { ChildSa } from './child-sa.ts'

/** What a Child SA may be used for. */
export interface Allowance {
  readonly packets: number
  readonly octets: number
}

/**
 * Octets under one key of AES: 2^34 blocks, so that an attacker's advantage, which grows with the square of the blocks over 2^128, stays below
 * 2^-60 (RFC 8446 §5.5 stops there too). ChaCha20-Poly1305 has no such limit.
 */
const AES_OCTETS: number = 2 ** 38

/** Sequence Numbers of 32 bits (RFC 4303 §3.3.3). Those of 64 bits end long after the octets do. */
const SHORT_SEQUENCE_NUMBERS = 0xffff_ffff

/** Of a lifetime, what is left for the rekeying, and where it is refused for repeating it. */
const MARGIN = 0.1

export function startLifetime(core: Core, child: ChildSa): void {
  const lifetimes = lifetimesOf(child.ikeSa.peer)
  const hard = allowanceOf(child, lifetimes)
  const early = earliness(core, lifetimes)
  child.lifetime = { soft: { packets: Math.floor(hard.packets * early), octets: Math.floor(hard.octets * early) }, hard }
  child.allowance = child.lifetime.soft
  core.timers.set(child, 'rekey', core.now + lifetimes.childSa * early)
  core.timers.set(child, 'expire', core.now + lifetimes.childSa)
}

/** When to begin, as a share of the lifetime: each time another, so that the two ends seldom begin at once (RFC 7296 §2.8.1). */
export function earliness(core: Core, { jitter }: Lifetimes): number {
  return 1 - MARGIN - (jitter * readU32(core.random(4))) / 2 ** 32
}

export function lifetimesOf(peer: PeerConfig | undefined): Lifetimes {
  return peer?.lifetimes ?? DEFAULT_LIFETIMES
}

function allowanceOf(child: ChildSa, { childPackets, childOctets }: Lifetimes): Allowance {
  const numbers = child.esn ? Number.POSITIVE_INFINITY : SHORT_SEQUENCE_NUMBERS
  const octets = child.outbound.transform.cipher === 'CHACHA20-POLY1305' ? Number.POSITIVE_INFINITY : AES_OCTETS
  return { packets: Math.min(childPackets, numbers), octets: Math.min(childOctets, octets) }
}
