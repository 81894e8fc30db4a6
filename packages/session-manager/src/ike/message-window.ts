/**
 * Message IDs of one IKE SA (RFC 7296 §2.2, §2.3): one slot for the request we wait for, one for the request we answered
 * last. Two windows of one, apart from the SA's state: a peer's request may come while ours is out (C-6).
 */
import type { Payload } from '@underpass/ike-codec'
import type { ChildSa } from '../child/child-sa.ts'
import type { Path } from '../paths/path.ts'
import type { Creation } from './rekeying/creation.ts'

/** A request to send when the slot is free. */
export interface RequestPlan {
  readonly purpose:
    | 'ike-auth'
    | 'liveness'
    | 'update-sa-addresses'
    | 'path-check'
    | 'return-routability'
    | 'delete-ike-sa'
    | 'delete-child'
    | 'create-child-sa'
  readonly exchangeType: number
  /** Of a return routability check: the address that is to answer. */
  readonly address?: string
  readonly payloads: readonly Payload[]
  /** That a Delete names. */
  readonly children?: readonly ChildSa[]
  /** Of CREATE_CHILD_SA. */
  readonly creation?: Creation
}

export interface OutstandingRequest {
  readonly plan: RequestPlan
  readonly messageId: number
  /** Bit-identical on each transmission (C-2). */
  readonly bytes: Uint8Array
  transmissions: number
}

/** A request whose answer is being worked out. */
export interface PendingRequest {
  readonly request: Uint8Array
  /** From where it came last: there the answer is waited for. */
  arrival: Path
}

export class MessageWindow {
  /** Requests that wait for the slot, in order. */
  readonly waiting: RequestPlan[] = []
  outstanding: OutstandingRequest | undefined
  pending: PendingRequest | undefined
  #nextRequest: number
  #expectedRequest: number
  #answered: { readonly request: Uint8Array; readonly response: Uint8Array } | undefined

  /** After IKE_SA_INIT (Message ID 0) the initiator's next request is 1; the responder's first of its own is 0. Rekeyed, both begin at 0 (§2.18, C-24). */
  constructor(role: 'initiator' | 'responder' | 'rekeyed') {
    this.#nextRequest = role === 'initiator' ? 1 : 0
    this.#expectedRequest = role === 'responder' ? 1 : 0
  }

  takeMessageId(): number {
    return this.#nextRequest++
  }

  /** What a request's Message ID makes of it. */
  placeOf(messageId: number): 'new' | 'pending' | 'repeated' | 'outside' {
    if (messageId === this.#expectedRequest) return this.pending ? 'pending' : 'new'
    return messageId === this.#expectedRequest - 1 && this.#answered !== undefined ? 'repeated' : 'outside'
  }

  /** The cached response, where these octets are the request that it answered (C-3). */
  responseTo(request: Uint8Array, isEqual: (a: Uint8Array, b: Uint8Array) => boolean): Uint8Array | undefined {
    return this.#answered && isEqual(this.#answered.request, request) ? this.#answered.response : undefined
  }

  /** The request is answered: the window moves on and remembers the pair. Both arrays are kept. */
  answer(request: Uint8Array, response: Uint8Array): void {
    this.pending = undefined
    this.#answered = { request, response }
    this.#expectedRequest++
  }
}
