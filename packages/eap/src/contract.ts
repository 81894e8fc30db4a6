/** One end of one EAP conversation (RFC 3748), for whoever carries its packets: no clock, no I/O, no randomness of its own. */

/** Every call answers with what is to be done next. */
export interface EapMachine {
  /** The server's first Request; a peer answers 'ignore'. */
  start(): EapStep
  /** `packet` is lent. */
  receive(packet: Uint8Array): EapStep
  /** With the result of the work that the last step asked for. */
  resume(result: EapWorkResult): EapStep
  /** Overwrites what it keeps that is secret. May be called again. */
  close(): void
}

export type EapStep =
  | { readonly kind: 'send'; readonly packet: Uint8Array }
  /** Not possible here: the result goes to `resume`. */
  | { readonly kind: 'work'; readonly work: EapWork }
  /** RFC 3748: silently discarded; `reason` is for people. */
  | { readonly kind: 'ignore'; readonly reason: string }
  /** `packet`: the server's EAP-Success. `msk`: 64 octets (RFC 5247), undefined where the method makes none; overwritten by `close`. */
  | {
      readonly kind: 'success'
      readonly packet?: Uint8Array
      readonly msk?: Uint8Array
      readonly identity: string
      readonly method: number
      readonly grant?: EapGrant
    }
  /** `packet`: the server's EAP-Failure. */
  | { readonly kind: 'failure'; readonly packet?: Uint8Array; readonly reason: string }

/** RFC 3579: the server is elsewhere. `state`: of the last Access-Challenge. */
export interface EapWork {
  readonly kind: 'relay'
  readonly packet: Uint8Array
  readonly identity: string
  readonly state?: Uint8Array
}

export type EapWorkResult =
  | {
      readonly kind: 'relay'
      readonly outcome: 'challenge' | 'accept' | 'reject'
      readonly packet: Uint8Array
      readonly state?: Uint8Array
      readonly msk?: Uint8Array
      readonly identity?: string
      readonly grant?: EapGrant
    }
  | { readonly kind: 'failed'; readonly detail: string }

/** What a server that is elsewhere gives the user (RFC 2865 §5.8, §5.27). */
export interface EapGrant {
  /** Of 4 or 16 octets: what it is to have, and no other. */
  readonly addresses: readonly Uint8Array[]
  /** Seconds, after which it has to come anew. */
  readonly sessionTimeout: number | undefined
}

/** Fresh, unpredictable octets. */
export type EapRandom = (length: number) => Uint8Array
