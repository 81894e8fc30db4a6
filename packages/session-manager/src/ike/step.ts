/** What a handler of an exchange answers: it sends nothing and installs nothing itself, `ike-engine.ts` applies the step. */
import type { Payload } from '@underpass/ike-codec'
import type { ChildSa } from '../child/child-sa.ts'
import type { SessionEvent } from '../events.ts'
import type { IkeSaState } from './ike-sa.ts'

export interface Step {
  readonly to?: IkeSaState
  /** Done before the reply leaves, in order. */
  readonly effects?: readonly Effect[]
  /** The payloads of the response, for a request. Every authenticated request in the window gets one. */
  readonly reply?: readonly Payload[]
  /** Done after the reply has left. */
  readonly afterReply?: readonly Effect[]
}

export type Effect =
  | { readonly kind: 'event'; readonly event: SessionEvent }
  | { readonly kind: 'install-child'; readonly child: ChildSa }
  | { readonly kind: 'remove-child'; readonly child: ChildSa; readonly reason: string }
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
