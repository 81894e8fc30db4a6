/** A CREATE_CHILD_SA exchange of ours, from the wish to its end: what was offered, and what the other end made meanwhile for the same purpose. */
import type { Proposal } from '@underpass/ike-codec'
import type { ChildSa } from '../../child/child-sa.ts'
import type { IkeSa } from '../ike-sa.ts'
import type { IpSelector } from '../traffic-selectors.ts'

export type Creation = IkeCreation | ChildCreation

interface Offer {
  readonly proposals: readonly Proposal[]
  readonly nonce: Uint8Array
  /** The key exchange in the KE payload; `undefined`: there is none. */
  readonly method: number | undefined
  /** Methods tried before, so that INVALID_KE_PAYLOAD cannot go round in circles. */
  readonly refusedMethods: readonly number[]
  /** The private value of the key exchange, once there is one. */
  secret: Uint8Array | undefined
  /** The answer came: what is left to do is here. */
  isAnswered: boolean
}

export interface IkeCreation extends Offer {
  readonly kind: 'ike-sa'
  readonly localSpi: bigint
  rival: { readonly sa: IkeSa; readonly lowestNonce: Uint8Array } | undefined
}

export interface ChildCreation extends Offer {
  readonly kind: 'child-sa'
  /** `undefined`: one more. */
  readonly replaces: ChildSa | undefined
  readonly inboundSpi: number
  readonly localTs: readonly IpSelector[]
  readonly remoteTs: readonly IpSelector[]
  rival: { readonly child: ChildSa; readonly lowestNonce: Uint8Array } | undefined
}

export function ikeCreationOf(sa: IkeSa): IkeCreation | undefined {
  for (const creation of sa.creations) if (creation.kind === 'ike-sa') return creation
  return undefined
}

export function creationReplacing(sa: IkeSa, child: ChildSa): ChildCreation | undefined {
  for (const creation of sa.creations) if (creation.kind === 'child-sa' && creation.replaces === child) return creation
  return undefined
}

/** The other end has our request, or may have it. */
export function isOut({ window }: IkeSa, creation: Creation): boolean {
  return creation.isAnswered || window.outstanding?.plan.creation === creation
}

/** One that is not out is forgotten. */
export function dropCreation(sa: IkeSa, creation: Creation): void {
  sa.creations.delete(creation)
  creation.secret?.fill(0)
  const { waiting } = sa.window
  waiting.splice(0, waiting.length, ...waiting.filter((plan) => plan.creation !== creation))
}

/** A Delete of ours that names the Child SA is out, or waits. */
export function isBeingDeleted({ window }: IkeSa, child: ChildSa): boolean {
  const plans = window.outstanding ? [window.outstanding.plan, ...window.waiting] : window.waiting
  return plans.some((plan) => plan.children?.includes(child) === true)
}

/** Less the octets, from the first on; one that ends is the lower (RFC 7296 §2.8.1). */
export function compareNonces(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

export function lowestOf(a: Uint8Array, b: Uint8Array): Uint8Array {
  return compareNonces(a, b) <= 0 ? a : b
}

/** C-20. */
export function isNonce(octets: Uint8Array): boolean {
  return octets.length >= 16 && octets.length <= 256
}
