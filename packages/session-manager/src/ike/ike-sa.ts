/** An IKE SA: the only mutable holder of the IKE machine. Its state carries what that state needs and nothing else. */
import type { EapGrant, EapMachine } from '@underpass/eap'
import type { Payload, Proposal } from '@underpass/ike-codec'
import type { IkeKeys } from '@underpass/ike-crypto'
import type { ChildSa } from '../child/child-sa.ts'
import { Traffic } from '../child/traffic.ts'
import type { Identity, IkeSuite, PeerConfig } from '../config.ts'
import type { AssignedAddress, PathDescription } from '../events.ts'
import type { Path } from '../paths/path.ts'
import type { Initiator } from '../peers/initiator.ts'
import type { FragmentSet } from './fragmentation.ts'
import { MessageWindow } from './message-window.ts'
import type { NatFindings } from './nat-detection.ts'
import type { PathChecks } from './path-check.ts'
import type { Protection } from './protection.ts'
import type { Creation } from './rekeying/creation.ts'
import type { PeerSignatures } from './signature-support.ts'

/** What an initiator has put into its IKE_SA_INIT so far. */
export interface InitOffer {
  readonly proposals: readonly Proposal[]
  readonly nonce: Uint8Array
  readonly method: number
  /** Methods tried before, so that INVALID_KE_PAYLOAD cannot go round in circles. */
  readonly refusedMethods: readonly number[]
  readonly cookie: Uint8Array | undefined
  /** UDP: goes in the place of the source's NAT detection hash, the same in each repetition (C-12, C-27). */
  readonly natMismatch: Uint8Array | undefined
  /** Notifies that announce what the offer needs, the same in each repetition. */
  readonly extensions: readonly Payload[]
  /** Answers that asked for a repetition (COOKIE, INVALID_KE_PAYLOAD): bounded. */
  readonly repetitions: number
}

/** What AUTH signs: both first messages as they were on the wire, and both nonces (RFC 7296 §2.15). */
export interface InitRecord {
  readonly request: Uint8Array
  readonly response: Uint8Array
  readonly initiatorNonce: Uint8Array
  readonly responderNonce: Uint8Array
  /** How many IKE_INTERMEDIATE exchanges are done, and what they come to: IntAuth_i and IntAuth_r (RFC 9242 §3.3.2). */
  readonly intermediate?: { readonly exchanges: number; readonly initiator: Uint8Array; readonly responder: Uint8Array }
}

/** What an initiator asked for in IKE_AUTH. */
export interface ChildOffer {
  readonly inboundSpi: number
  readonly proposals: readonly Proposal[]
}

/** What an EAP conversation came to. */
export interface EapProof {
  readonly kind: 'eap-proof'
  /** `undefined`: the method makes none, and SK_pi and SK_pr are in its place. */
  readonly msk: Uint8Array | undefined
  /** That the method has shown, safe to print. */
  readonly eapIdentity: string
  /** What the user is given by a server elsewhere. */
  readonly grant: EapGrant | undefined
}

/** An initiator's conversation. */
export interface EapDialogue {
  readonly record: InitRecord
  readonly child: ChildOffer
  readonly remoteId: Identity
  readonly machine: EapMachine
}

/** A responder's conversation. `asked`: the first IKE_AUTH request, which is answered when EAP is over. */
export interface EapTrial {
  readonly record: InitRecord
  readonly peer: PeerConfig
  readonly remoteId: Identity
  readonly asked: readonly Payload[]
  readonly machine: EapMachine
  /** Without a signature of ours (RFC 5998). */
  readonly isEapOnly: boolean
}

export interface IkeSaInitSent {
  readonly kind: 'IKE_SA_INIT_SENT'
  readonly offer: InitOffer
  readonly publicValue: Uint8Array
  readonly secret: Uint8Array
  readonly request: Uint8Array
  transmissions: number
}

export type IkeSaState =
  | { readonly kind: 'KE_INITIATE'; readonly offer: InitOffer }
  | { readonly kind: 'KE_INITIATED'; readonly offer: InitOffer; readonly publicValue: Uint8Array; readonly secret: Uint8Array }
  | IkeSaInitSent
  /** `sent`: where to go back to if the public value turns out to be no good (K-2). */
  | { readonly kind: 'KE_COMPLETE'; readonly record: InitRecord; readonly suite: IkeSuite; readonly sent: IkeSaInitSent }
  /** IKE_AUTH waits for leave: another transport's may be under way. */
  | { readonly kind: 'KEYS_READY'; readonly record: InitRecord }
  /** A key pair for an additional key exchange is being made: IKE_INTERMEDIATE follows. */
  | { readonly kind: 'INTERMEDIATE_KE_INITIATE'; readonly record: InitRecord }
  | {
      readonly kind: 'IKE_INTERMEDIATE_SENT'
      readonly record: InitRecord
      readonly publicValue: Uint8Array
      readonly secret: Uint8Array
    }
  /** Our AUTH payload is being made: the request follows. */
  | { readonly kind: 'AUTH_MAKE'; readonly record: InitRecord }
  | { readonly kind: 'IKE_AUTH_SENT'; readonly record: InitRecord; readonly child: ChildOffer }
  /** IKE_AUTH is out without AUTH, which asks for EAP (RFC 7296 §2.16). */
  | { readonly kind: 'EAP_ASKED'; readonly record: InitRecord; readonly child: ChildOffer }
  | ({ readonly kind: 'EAP_SENT' } & EapDialogue)
  /** EAP has ended well, and AUTH is out. */
  | {
      readonly kind: 'EAP_AUTH_SENT'
      readonly record: InitRecord
      readonly child: ChildOffer
      readonly remoteId: Identity
      readonly proof: EapProof
    }
  | {
      readonly kind: 'KE_RESPOND'
      readonly request: Uint8Array
      readonly initiatorNonce: Uint8Array
      readonly proposal: Proposal
      readonly suite: IkeSuite
      readonly clear: readonly Payload[]
    }
  /** The responder: additional key exchanges are due before IKE_AUTH. */
  | { readonly kind: 'IKE_INTERMEDIATE_EXPECTED'; readonly record: InitRecord }
  | { readonly kind: 'IKE_SA_INIT_ANSWERED'; readonly record: InitRecord }
  /** The responder: EAP goes on (RFC 7296 §2.16). */
  | ({ readonly kind: 'EAP_EXPECTED' } & EapTrial)
  /** The responder has said EAP-Success: AUTH has to follow. */
  | ({ readonly kind: 'EAP_AUTH_EXPECTED'; readonly proof: EapProof } & Omit<EapTrial, 'machine'>)
  /** Only there to say AUTHENTICATION_FAILED again over UDP; no message is expected. */
  | { readonly kind: 'IKE_AUTH_REFUSED' }
  | { readonly kind: 'ESTABLISHED' }
  /** `reason`: why, for people. */
  | { readonly kind: 'DELETING'; readonly reason: string }
  | { readonly kind: 'CLOSED' }

/** Of a responder: IKE_SA_INIT is answered, and IKE_AUTH has not come. */
export function isInitAnswered(
  state: IkeSaState,
): state is Extract<IkeSaState, { kind: 'IKE_INTERMEDIATE_EXPECTED' | 'IKE_SA_INIT_ANSWERED' }> {
  return state.kind === 'IKE_INTERMEDIATE_EXPECTED' || state.kind === 'IKE_SA_INIT_ANSWERED'
}

/** Does the peer hear us where it is (RFC 4555 §3.7)? */
interface Routability {
  /** The address that is asked. */
  readonly unproven: string | undefined
  /** Each address that it came to was proven in time. */
  readonly isTrusted: boolean
  readonly isEspHeld: boolean
}

/** IKE SAs that rekeying made one of another. They have one path, and the current one has the Child SAs (RFC 7296 §2.8). */
export interface Series {
  /** Of the first: it stays the initiator of RFC 4555 and the TCP Originator, whoever rekeys (T-ROLE-1). */
  readonly role: 'initiator' | 'responder'
  readonly members: Set<IkeSa>
  current: IkeSa
  /** What passed by Child SAs that are gone. */
  readonly past: Traffic
}

export class IkeSa {
  declare readonly timerNames:
    | 'retransmit'
    | 'response'
    | 'handshake'
    | 'liveness'
    | 'nat-keepalive'
    | 'disconnected'
    | 'rekey'
    | 'expire'
    | 'replaced'
    | 'routability'
    | 'reassembly'
    | 'session'
  readonly timers: Map<string, unknown> = new Map()
  /** The original initiator of the IKE SA keeps this role whoever sends a request (RFC 7296 §2.2): who asked for this one, by IKE_SA_INIT or by rekeying. */
  readonly role: 'initiator' | 'responder'
  /** T-APP-4: an IKE SA stays on the transport that it is on, until MOBIKE takes it to another. */
  transport: 'udp' | 'tcp'
  readonly initiatorSpi: bigint
  responderSpi: bigint
  readonly window: MessageWindow
  /** Both ends announced IKEV2_FRAGMENTATION_SUPPORTED (RFC 7383 §2.3). */
  isFragmenting = false
  /** Both ends announced USE_PPK (RFC 8784 §3). */
  usesPpk = false
  /** What the keys were before a PPK was mixed in. */
  withoutPpk: Pick<IkeKeys, 'skd' | 'skpi' | 'skpr'> | undefined
  /** What has come of a message in fragments, of the other end's requests and of its responses. */
  readonly fragments: { request: FragmentSet | undefined; response: FragmentSet | undefined } = { request: undefined, response: undefined }
  readonly series: Series
  readonly children: Set<ChildSa> = new Set()
  /** Replaced and deleted, they still open what is on its way. */
  readonly draining: Set<ChildSa> = new Set()
  /** What we make by CREATE_CHILD_SA. */
  readonly creations: Set<Creation> = new Set()
  /** Answered by us, and not yet seen to be known to the other end: nothing is asked on it. */
  isUnconfirmed = false
  /** Since when TEMPORARY_FAILURE is all that comes back (RFC 7296 §2.25). */
  refusedSince: number | undefined
  /** The pool's addresses that this SA holds as responder. */
  leases: Uint8Array[] = []
  state: IkeSaState
  /** `undefined` while there is no connection. */
  path: Path | undefined
  /** The path before this one, for people. */
  lastPath: PathDescription | undefined
  peer: PeerConfig | undefined
  /** Whose attempt this is, on the initiator's side. */
  initiator: Initiator | undefined
  suite: IkeSuite | undefined
  protection: Protection | undefined
  remoteId: Identity | undefined
  /** By EAP, safe to print: who it is, whatever `remoteId` says. */
  eapIdentity: string | undefined
  /** When it has to be made anew, whatever is rekeyed (RFC 2865 §5.27). */
  sessionEndsAt: number | undefined
  nat: NatFindings | undefined
  /** What the peer said in IKE_SA_INIT that it can verify. */
  peerSignatures: PeerSignatures = { hashAlgorithms: undefined, authMethods: undefined }
  addresses: readonly AssignedAddress[] = []
  /** When its IKE_SA_INIT was made, or came. */
  readonly begunAt: number
  establishedAt: number | undefined
  /** INITIAL_CONTACT came with its IKE_AUTH (RFC 7296 §2.4). */
  isInitialContact = false
  /** FTT KAT and the period of liveness checks, as the gateway assigned them (TS 24.302); milliseconds, `undefined`: our own. */
  fttKat: number | undefined
  livenessPeriod: number | undefined
  /** When the last message of theirs proved valid, IKE or ESP. */
  lastInboundAt: number
  /** After a redial: UPDATE_SA_ADDRESSES or an empty INFORMATIONAL is owed, so that the responder learns the new path (T-LIFE-12). */
  owesPathProbe = false
  /** Both ends speak MOBIKE (RFC 4555 §3.2). */
  isMobike = false
  /** Other addresses of the peer, in text (RFC 4555 §3.4). */
  additionalAddresses: readonly string[] = []
  /** Of the peer's, the newest first: with one of them it says that it has lost this SA (RFC 6290). */
  crashTokens: readonly Uint8Array[] = []
  /** As responder: `return-routability.ts`. */
  routability: Routability = { unproven: undefined, isTrusted: true, isEspHeld: false }
  /** Both ends know them. */
  pathChecks: PathChecks | undefined
  /** When a connection was opened again for this SA: nothing valid has come by it while `lastInboundAt` is older. */
  resumedAt: number | undefined
  /** When something unprotected last said that the peer has lost this SA (RFC 7296 §2.21.4). */
  suspectedAt: number | undefined
  /** When the network last said that a datagram to the peer did not get there. */
  doubtedAt: number | undefined
  /** The peer's IKE_AUTH response came and was authentic: what is wrong now is not the transport's fault. */
  isIkeAuthAnswered = false
  /** Of the last IKE_AUTH request that came. */
  ikeAuthMessageId = 1
  /** A request that came while the IKE_AUTH response was looked at. */
  earlyRequest: { readonly octets: Uint8Array; readonly arrival: Path } | undefined
  /** The last unauthenticated refusal of IKE_SA_INIT, for the message to people if nothing better comes (T-ERR-1). */
  refusal: string | undefined

  constructor(options: {
    role: 'initiator' | 'responder'
    transport: 'udp' | 'tcp'
    initiatorSpi: bigint
    responderSpi: bigint
    state: IkeSaState
    path: Path | undefined
    now: number
    /** Of the one that this is to replace. */
    series?: Series
  }) {
    this.role = options.role
    this.transport = options.transport
    this.initiatorSpi = options.initiatorSpi
    this.responderSpi = options.responderSpi
    this.window = new MessageWindow(options.series ? 'rekeyed' : options.role)
    this.series = options.series ?? { role: options.role, members: new Set(), current: this, past: new Traffic() }
    this.series.members.add(this)
    this.state = options.state
    this.path = options.path
    this.begunAt = options.now
    this.lastInboundAt = options.now
  }

  /** For events and status: the initiator's SPI, which exists from the first message on. */
  get id(): string {
    return formatIkeSpi(this.initiatorSpi)
  }

  get localSpi(): bigint {
    return this.role === 'initiator' ? this.initiatorSpi : this.responderSpi
  }

  /** It has the Child SAs of its series: it is not about to replace one, nor replaced itself. */
  get isCurrent(): boolean {
    return this.series.current === this
  }

  get isHalfOpen(): boolean {
    return this.state.kind !== 'ESTABLISHED' && this.state.kind !== 'DELETING' && this.state.kind !== 'CLOSED'
  }

  /** A new connection is up and the peer has not answered on it yet. */
  get isResuming(): boolean {
    return this.resumedAt !== undefined && this.lastInboundAt < this.resumedAt
  }

  get peerName(): string {
    return this.peer?.name ?? ''
  }
}

export function formatIkeSpi(spi: bigint): string {
  return spi.toString(16).padStart(16, '0')
}
