/** What the core tells people and apps. A closed union; no secret is ever in it. */
import type { Endpoint } from './contract.ts'

/** How an SA's packets travel. `carrier`: what is around a stream, see `StreamTransport`; of one that was accepted 'tls:443' or none. */
export type PathDescription =
  | { readonly transport: 'udp'; readonly local: Endpoint; readonly remote: Endpoint }
  | { readonly transport: 'tcp'; readonly local: Endpoint; readonly remote: Endpoint; readonly framing: string; readonly carrier?: string }

export type SessionEvent =
  /** The initiator starts on one of its transports. `reason` says why this one, in words. */
  | { readonly kind: 'transport-tried'; readonly peer: string; readonly transport: string; readonly reason: string }
  | {
      readonly kind: 'transport-failed'
      readonly peer: string
      readonly transport: string
      readonly reason: string
      readonly afterMilliseconds: number
    }
  | { readonly kind: 'transport-chosen'; readonly peer: string; readonly transport: string; readonly reason: string }
  /** What was made of a path, and by which numbers. */
  | ({ readonly kind: 'path-judged'; readonly peer: string; readonly ikeSa: string; readonly transport: string } & PathJudgement)
  /** What `remember-transport` is to be given where this network is met again (T-FB-4). 0: it got through. */
  | {
      readonly kind: 'transport-remembered'
      readonly peer: string
      readonly network: string
      readonly transport: string
      readonly blockedForMilliseconds: number
      /** IKE_SA_INIT was answered, and IKE_AUTH or ESP never passed. */
      readonly isHalfWay?: boolean
    }
  /**
   * Nothing is left to try, or the tunnel is lost: the whole list is tried again in `inMilliseconds`. `round`: 1 for the first wait since
   * the tunnel was last up.
   */
  | { readonly kind: 'retry-scheduled'; readonly peer: string; readonly round: number; readonly inMilliseconds: number }
  | {
      readonly kind: 'ike-sa-established'
      readonly ikeSa: string
      readonly peer: string
      readonly role: 'initiator' | 'responder'
      readonly localId: string
      readonly remoteId: string
      /** Of the initiator, where EAP has shown who it is: whom to account for (RFC 7296 §2.16). */
      readonly eapIdentity?: string
      readonly proposal: string
      readonly path: PathDescription
      /** Where the configuration has a `shard`: our own SPI, whether INITIAL_CONTACT came with it, and when its IKE_SA_INIT did. */
      readonly localSpi?: string
      readonly isInitialContact?: boolean
      readonly begunMillisecondsAgo?: number
    }
  | {
      readonly kind: 'addresses-assigned'
      readonly ikeSa: string
      readonly peer: string
      readonly addresses: readonly AssignedAddress[]
      readonly dns: readonly string[]
      readonly subnets: readonly string[]
      /** Whose names `dns` is to be asked (RFC 8598). */
      readonly domains: readonly string[]
      /** P-CSCFs (RFC 7651). */
      readonly pCscf: readonly string[]
    }
  | {
      readonly kind: 'child-sa-installed'
      readonly ikeSa: string
      readonly peer: string
      readonly inboundSpi: string
      readonly outboundSpi: string
      readonly proposal: string
      readonly localTs: readonly string[]
      readonly remoteTs: readonly string[]
    }
  /** The new one is there; the old one goes when it is drained. `by`: who asked. */
  | {
      readonly kind: 'child-sa-rekeyed'
      readonly ikeSa: string
      readonly peer: string
      readonly by: 'us' | 'peer'
      readonly formerInboundSpi: string
      readonly inboundSpi: string
    }
  /** `ikeSa` has taken the place of `formerIkeSa`, of which nothing more is heard. The SPIs of our own where the configuration has a `shard`. */
  | {
      readonly kind: 'ike-sa-rekeyed'
      readonly ikeSa: string
      readonly formerIkeSa: string
      readonly peer: string
      readonly by: 'us' | 'peer'
      readonly localSpi?: string
      readonly formerLocalSpi?: string
    }
  /** It is tried again after a while; what is not rekeyed in time ends. */
  | {
      readonly kind: 'rekey-failed'
      readonly ikeSa: string
      readonly peer: string
      readonly what: 'ike-sa' | 'child-sa'
      readonly detail: string
    }
  | {
      readonly kind: 'child-sa-removed'
      readonly ikeSa: string
      readonly peer: string
      readonly inboundSpi: string
      readonly reason: string
    }
  | {
      readonly kind: 'ike-sa-closed'
      readonly ikeSa: string
      readonly peer: string
      readonly reason: string
      readonly byPeer: boolean
      /** Where the configuration has a `shard`. */
      readonly localSpi?: string
      /** INITIAL_CONTACT ended it: where the peer is now, and where it was. */
      readonly cameAnew?: { readonly from: Endpoint; readonly before: Endpoint | undefined }
    }
  /** One line that names the identities and no secret. `remote`: who was refused; a responder's only. */
  | {
      readonly kind: 'authentication-failed'
      readonly ikeSa: string
      readonly localId: string
      readonly remoteId: string
      readonly detail: string
      readonly remote?: Endpoint
    }
  /** `remote`: who was refused; a responder's only, whose `ikeSa` and `peer` are empty where IKE_SA_INIT was refused. */
  | {
      readonly kind: 'handshake-failed'
      readonly ikeSa: string
      readonly peer: string
      readonly detail: string
      readonly notify?: string
      readonly remote?: Endpoint
    }
  | {
      readonly kind: 'connection-opened'
      readonly connection: number
      readonly local: Endpoint
      readonly remote: Endpoint
      readonly role: 'originator' | 'responder'
      /** See `PathDescription`. */
      readonly carrier?: string
    }
  | {
      readonly kind: 'connection-closed'
      readonly connection: number
      readonly remote: Endpoint
      readonly role: 'originator' | 'responder'
      readonly carrier?: string
      readonly reason: string
    }
  | {
      readonly kind: 'reconnecting'
      readonly peer: string
      readonly ikeSa: string
      readonly inMilliseconds: number
      readonly reason: string
    }
  | {
      readonly kind: 'path-moved'
      readonly ikeSa: string
      readonly peer: string
      readonly from: PathDescription
      readonly to: PathDescription
    }
  /** Initiator: where else the responder is, all of it (RFC 4555 §3.4, §3.6): the SA may move there. Said where it is news. */
  | { readonly kind: 'additional-addresses'; readonly peer: string; readonly ikeSa: string; readonly addresses: readonly string[] }
  | { readonly kind: 'liveness'; readonly ikeSa: string; readonly peer: string; readonly result: 'alive' | 'dead' }
  /** A named limit of the configuration was met; `limit` is its key in `Limits`, or 'prefix' of `Timers`. */
  | { readonly kind: 'limit-reached'; readonly limit: string; readonly remote: Endpoint | undefined }
  /** Something a peer sent was refused or dropped; counted too. For the debug log. */
  | { readonly kind: 'dropped'; readonly what: string; readonly remote: Endpoint | undefined; readonly detail: string }

export interface PathJudgement {
  /**
   * 'esp-blocked': IKE passes and ESP does not; 'esp-silent': nothing has come back by ESP. 'try-stream': UDP loses much, and a stream is tried.
   * Then 'stay-on-stream', as it carries clearly more, or 'return-to-udp'. 'no-other-way': a stream would be better, and there is none.
   */
  readonly decision: 'esp-blocked' | 'esp-silent' | 'try-stream' | 'stay-on-stream' | 'return-to-udp' | 'no-other-way'
  /** Shares of ESP packets, 0 to 1. */
  readonly lossIn?: number
  readonly lossOut?: number
  readonly roundTripMilliseconds?: number
  /** Inner octets, both ways together; before: by UDP. */
  readonly octetsPerSecond?: number
  readonly octetsPerSecondBefore?: number
}

export interface AssignedAddress {
  readonly address: string
  readonly prefixLength: number
}
