/** What `SessionManager.inspect()` answers: plain data for people, `status` commands and tests. */
import type { AssignedAddress, PathDescription } from './events.ts'

export interface SessionStatus {
  readonly peers: readonly PeerStatus[]
  readonly ikeSas: readonly IkeSaStatus[]
  readonly connections: readonly ConnectionStatus[]
  readonly halfOpen: number
  readonly counters: Counters
}

export interface PeerStatus {
  readonly name: string
  /** 'idle': not asked to be up. 'connecting', 'up', 'waiting' (between attempts). Responders: 'up' while an IKE SA is. */
  readonly state: 'idle' | 'connecting' | 'up' | 'waiting'
  /** What the path was measured to be, where it is UDP and the peer knows path checks. */
  readonly quality?: PathQuality
  readonly attempts: readonly { readonly transport: string; readonly outcome: 'pending' | 'chosen' | 'failed'; readonly reason: string }[]
  /** What is remembered not to get through on this network, and for how long yet (T-FB-4). */
  readonly blocked?: readonly { readonly transport: string; readonly forMilliseconds: number }[]
}

export interface PathQuality {
  /** Shares of ESP packets, 0 to 1. */
  readonly lossIn: number
  readonly lossOut: number
  readonly roundTripMilliseconds: number
  /** Inner octets, both ways together. */
  readonly octetsPerSecond: number
}

export interface IkeSaStatus {
  readonly id: string
  readonly peer: string
  readonly role: 'initiator' | 'responder'
  readonly state: string
  readonly initiatorSpi: string
  readonly responderSpi: string
  readonly localId: string
  readonly remoteId: string
  /** Of the initiator, where EAP has shown who it is (RFC 7296 §2.16). */
  readonly eapIdentity?: string
  readonly proposal: string
  readonly path: PathDescription | undefined
  readonly addresses: readonly AssignedAddress[]
  readonly children: readonly ChildSaStatus[]
  readonly establishedMillisecondsAgo: number | undefined
  /** A request of ours was repeated and is not answered, and nothing valid has come for so long. */
  readonly silentForMilliseconds?: number
  /** Which of several workers has it, from 0. The core knows of none. */
  readonly worker?: number
}

export interface ChildSaStatus {
  readonly inboundSpi: string
  readonly outboundSpi: string
  readonly proposal: string
  readonly localTs: readonly string[]
  readonly remoteTs: readonly string[]
  readonly packetsIn: number
  readonly octetsIn: number
  readonly packetsOut: number
  readonly octetsOut: number
}

export interface ConnectionStatus {
  readonly connection: number
  readonly role: 'originator' | 'responder'
  readonly remote: string
  readonly framing: string
  /** See `PathDescription`. */
  readonly carrier?: string
  readonly ikeSas: readonly string[]
  readonly queuedOctets: number
  /** Which of several workers has it: each counts its connections by itself. */
  readonly worker?: number
}

/** Every number that only grows; the names are the keys of `status --json`. */
export interface Counters {
  [name: string]: number
}
