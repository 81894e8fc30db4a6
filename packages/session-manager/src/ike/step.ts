/** What a handler of an exchange answers: it sends, installs and changes nothing itself, so that one that fails half way has done
 * nothing; `applyStep` in `ike-sa-life.ts` applies the step. */
import type { Payload } from '@underpass/ike-codec'
import type { ChildSa } from '../child/child-sa.ts'
import type { CryptoResult, CryptoWork } from '../contract.ts'
import type { Core } from '../core.ts'
import type { AssignedAddress, SessionEvent } from '../events.ts'
import type { AddressOffer } from '../peers/address-pool.ts'
import type { VerifiedPeer } from './authentication.ts'
import type { IkeSa, IkeSaState } from './ike-sa.ts'
import type { RequestPlan } from './message-window.ts'

export interface Step {
  readonly to?: IkeSaState
  /** Done before the reply leaves, in order. */
  readonly effects?: readonly Effect[]
  /** The payloads of the response, for a request. Every authenticated request in the window gets one. */
  readonly reply?: readonly Payload[]
  /** Done after the reply has left. */
  readonly afterReply?: readonly Effect[]
  /** `to` and `effects` are done now; the rest is what `then` makes of the result, unless the SA is closed by then. Excludes `reply`. */
  readonly job?: { readonly work: CryptoWork; readonly then: StepContinuation }
}

/** What a message comes to when the work that it asked for is done. It may ask for more. */
export type StepContinuation = (core: Core, sa: IkeSa, result: CryptoResult) => Step

/** A step that waits for work. */
export function afterWork(work: CryptoWork, next: StepContinuation): Step {
  // biome-ignore lint/suspicious/noThenProperty: nobody awaits a step
  return { job: { work, then: next } }
}

export type Effect =
  | { readonly kind: 'event'; readonly event: SessionEvent }
  /** `outbound`: ahead of what else is for the same packets (where it is left out), behind it, or not at all. */
  | { readonly kind: 'install-child'; readonly child: ChildSa; readonly outbound?: 'first' | 'last' | 'none' }
  | { readonly kind: 'remove-child'; readonly child: ChildSa; readonly reason: string }
  /** The AUTH payload of the other end was verified: who it is, and what the two agreed on. As responder `leases` are taken from the pool. */
  | {
      readonly kind: 'authenticated'
      readonly verified: VerifiedPeer
      readonly isMobike: boolean
      readonly additionalAddresses: readonly string[]
      readonly hasPathChecks: boolean
      readonly addresses: readonly AssignedAddress[]
      readonly leases: readonly AddressOffer[]
    }
  /** TS 24.302: what the gateway says of keep-alives and liveness checks, in milliseconds; `undefined`: nothing. */
  | { readonly kind: 'tunnel-times'; readonly fttKat: number | undefined; readonly livenessPeriod: number | undefined }
  /** More IKE SAs of one identity than limits.maxIkeSasPerIdentity: these give way. */
  | { readonly kind: 'make-room'; readonly supernumerary: readonly IkeSa[] }
  /** IKE SAs of the same identity without a connection, whose addresses are wanted for this one. */
  | { readonly kind: 'close-abandoned'; readonly abandoned: readonly IkeSa[] }
  /** The peer's other addresses, which replace those that it named before (RFC 4555 §3.6). */
  | { readonly kind: 'learn-addresses'; readonly addresses: readonly string[] }
  /** One SA takes another's place, or is not needed (ike/rekeying). */
  | { readonly kind: 'rekeying'; readonly apply: (core: Core, sa: IkeSa) => void }
  /** A request of ours, when the slot is free. */
  | { readonly kind: 'request'; readonly plan: RequestPlan }
  /** The SA is authenticated on both sides. */
  | { readonly kind: 'established' }
  /** N(INITIAL_CONTACT): whatever else this identity had here is gone (RFC 7296 §2.4). */
  | { readonly kind: 'forget-others' }
  /** `byPeer`: they deleted it. */
  | { readonly kind: 'close'; readonly reason: string; readonly byPeer: boolean }
  /** Tell the peer by a Delete of the IKE SA, with a Notify that says why where there is one, then close. */
  | { readonly kind: 'delete'; readonly reason: string; readonly notifyType?: number }

/** What a message proved to be, for the connection that brought it (T-LIFE-13, T-LIFE-18). */
export type Verdict = 'valid' | 'ignored' | 'unparsable' | 'unauthentic'
