/** Which key exchanges a Child SA that comes after the first may have (RFC 7296 §1.3.1, §2.17). */
import type { ChildSa } from '../../child/child-sa.ts'
import type { PeerConfig } from '../../config.ts'
import type { IkeSa } from '../ike-sa.ts'
import { NO_KEY_EXCHANGE } from '../proposals.ts'

/**
 * In order of preference: first that of the Child SA that is replaced, as §2.8 wants it (and Libreswan takes no other: it answers
 * INVALID_SYNTAX), then that of the IKE SA.
 */
export function keyExchangeMethods({ suite }: IkeSa, { pfs, ikeProposals }: PeerConfig, replaced: ChildSa | undefined): number[] {
  if (pfs === 'none') return [NO_KEY_EXCHANGE]
  const configured = ikeProposals.map(({ keyExchange }) => keyExchange)
  const known = [replaced?.keyExchange, suite?.keyExchange].flatMap((method) =>
    method !== undefined && configured.includes(method) ? [method] : [],
  )
  const methods = [...known, ...configured]
  return [...new Set(pfs === 'required' ? methods : [...methods, NO_KEY_EXCHANGE])]
}
