/** What the core is told: peers (the PAD of RFC 4301 §4.4.3), limits and timers. Text addresses, octets for secrets, milliseconds for times. */
import type { EapMachine } from '@underpass/eap'
import type { AeadProvider } from '@underpass/esp-crypto'
import type { FramingProfileName, RandomSource } from './contract.ts'

export interface SessionConfig {
  readonly peers: readonly PeerConfig[]
  readonly limits: Limits
  readonly timers: Timers
  /** Makes the ESP ciphers; `nobleProvider` of esp-crypto runs everywhere. */
  readonly aeadProvider: AeadProvider
  /** Makes our end of one EAP conversation (RFC 7296 §2.16), by `EapAuthentication.name`; absent: no peer has one. `random` is the core's. */
  readonly createEapMachine?: (name: string, random: RandomSource) => EapMachine
  /** Whether IKE_SA_INIT requests from unknown addresses are answered. */
  readonly acceptsPeers: boolean
  /** Of the TCP acknowledgements of one connection that wait behind each other only the last is sent (RFC 3449 §5.2.1). Off by default. */
  readonly thinsAcks?: boolean
  /** What tokens for quick crash detection are made of (RFC 6290 §5.1): 32 octets or more that outlive the process; absent: none are made. */
  readonly crashSecret?: Uint8Array
  /** This core's share of a gateway whose IKE SAs are spread over several cores; absent where it is the only one. */
  readonly shard?: Shard
}

/** `index` of `count`, from 0. */
export interface Shard {
  readonly index: number
  readonly count: number
}

/** RFC 7296 §3.5. */
export interface Identity {
  readonly idType: number
  readonly data: Uint8Array
}

export interface PeerConfig {
  readonly name: string
  readonly localId: Identity
  /** `undefined`: any identity that proves itself as this peer has to. */
  readonly remoteId: Identity | undefined
  readonly auth: PeerAuthentication
  readonly ikeProposals: readonly IkeSuite[]
  readonly espProposals: readonly EspSuite[]
  /** Where to dial and how, in order; absent for a peer that only calls us. */
  readonly dial: DialConfig | undefined
  /** What is on our side and on theirs, in CIDR or range text ('10.2.0.0/24', '::/0'), as configured before narrowing. */
  readonly localSubnets: readonly string[] | 'virtual'
  readonly remoteSubnets: readonly string[] | 'virtual'
  /** Initiator: ask for an inner address of these families (CP, RFC 7296 §2.19). */
  readonly requestAddresses: readonly ('ipv4' | 'ipv6')[]
  /** Initiator: ask for the P-CSCFs of an IMS, too (RFC 7651). */
  readonly requestsPCscf?: boolean
  /** Responder: what to hand out. */
  readonly pool: PoolConfig | undefined
  /** Responder: from where it may call, and at which addresses of ours, in CIDR or range text; absent: from anywhere, at any. */
  readonly remoteAddresses?: readonly string[]
  readonly localAddresses?: readonly string[]
  readonly replayWindow: number
  /** Responder: other addresses of ours that an initiator may move to (RFC 4555 §3.4). */
  readonly additionalAddresses?: readonly string[]
  /** Whether ESP passes by a path is asked of peers that know the question (`ike/path-check.ts`); absent: it is. */
  readonly pathChecks?: boolean
  /** The keep-alive envelope that is sent in the framing 3gpp-ftt, whole. Absent: `00 03 ff`. */
  readonly fttKeepalive?: Uint8Array
  /** A post-quantum preshared key beside what authenticates (RFC 8784). */
  readonly ppk?: Ppk
  /** Offer extended sequence numbers (RFC 4303 §2.2.1) ahead of 32-bit ones. */
  readonly esn: boolean
  /** A key exchange of its own for each Child SA that replaces one, or comes later (RFC 7296 §1.3.1). Absent: 'preferred'. */
  readonly pfs?: 'required' | 'preferred' | 'none'
  /** Absent: `DEFAULT_LIFETIMES`. */
  readonly lifetimes?: Lifetimes
}

/** After which an SA is not used any more; rekeying begins before (RFC 7296 §2.8). Each end has its own. Times in milliseconds. */
export interface Lifetimes {
  readonly ikeSa: number
  readonly childSa: number
  /** Of inner packets, in either direction. */
  readonly childOctets: number
  readonly childPackets: number
  /** The share of a lifetime, 0 to 0.8, within which rekeying begins at random, before the last tenth. */
  readonly jitter: number
}

/** How each end proves who it is (RFC 7296 §2.15); each chooses for itself. */
export interface PeerAuthentication {
  readonly local: LocalAuthentication
  readonly remote: RemoteAuthentication
}

export type LocalAuthentication =
  | SharedKeyAuthentication
  /** `key`: the driver's name for the private key, which never comes here. */
  | { readonly kind: 'signature'; readonly key: string; readonly certificates: readonly CertificatePayload[] }
  | NullAuthentication
  | EapAuthentication
  | EapOnly

export type RemoteAuthentication =
  | SharedKeyAuthentication
  /**
   * `trust`: the driver's name for the anchors and keys that are believed. `requests`: the CERTREQ payloads that ask for what they certify.
   * `authMethods`: the announcements of N(SUPPORTED_AUTH_METHODS) (RFC 9593 §3.2).
   */
  | {
      readonly kind: 'signature'
      readonly trust: string
      readonly requests: readonly CertificateRequest[]
      readonly authMethods: Uint8Array
    }
  | NullAuthentication
  | EapAuthentication
  | EapOnly

/** `secret`: octets, no terminator. */
export interface SharedKeyAuthentication {
  readonly kind: 'shared-key'
  readonly secret: Uint8Array
}

/** RFC 7619: it is nobody in particular. */
export interface NullAuthentication {
  readonly kind: 'null'
}

/** The initiator's, by EAP (RFC 7296 §2.16): `local` of who dials, `remote` of who is called. */
export interface EapAuthentication {
  readonly kind: 'eap'
  /** For `SessionConfig.createEapMachine`. */
  readonly name: string
  /** Methods without an MSK are taken, too: AUTH is by SK_pi and SK_pr then, and others may be in the middle of what the method says. */
  readonly allowsKeyless?: boolean
}

/** The responder's, where EAP proves both ends (RFC 5998): there is no AUTH of its own before EAP. */
export interface EapOnly {
  readonly kind: 'eap-only'
}

/** CERT (RFC 7296 §3.6): end entity first. */
export interface CertificatePayload {
  readonly encoding: number
  readonly data: Uint8Array
}

/** CERTREQ (RFC 7296 §3.7). */
export interface CertificateRequest {
  readonly encoding: number
  readonly authorities: Uint8Array
}

export interface Ppk {
  /** PPK_ID without its type, which is PPK_ID_FIXED (RFC 8784 §5.1). */
  readonly id: Uint8Array
  /** At least 32 octets, to be worth anything (RFC 8784 §6). */
  readonly key: Uint8Array
  /** mandatory_or_not: whether there is no IKE SA without it. */
  readonly isRequired: boolean
}

export interface DialConfig {
  /** IP literal: names are resolved before they come here. */
  readonly address: string
  readonly transports: readonly TransportOption[]
}

export type TransportOption = UdpTransport | StreamTransport

/** Starts on `port` (500 without, anything else with the Non-ESP marker) and moves to `natPort` with IKE_AUTH when a NAT was found (RFC 7296 §2.23). */
export interface UdpTransport {
  readonly transport: 'udp'
  /** IP literal; absent: the peer's. */
  readonly address?: string
  readonly port: number
  readonly natPort: number
}

export interface StreamTransport {
  readonly transport: 'tcp'
  /** IP literal; absent: the peer's. */
  readonly address?: string
  readonly port: number
  readonly framing: FramingProfileName
  /** Somebody else dials the address. */
  readonly isProxied?: boolean
  /** What is around or under the stream, in words that are the driver's and for people: 'tls:443 via http://proxy:3128'. Absent: TCP alone. */
  readonly carrier?: string
}

export interface PoolConfig {
  /** CIDR or 'first-last' ranges, one or two (IPv4, IPv6). */
  readonly ranges: readonly string[]
  readonly dns: readonly string[]
  /** INTERNAL_IP4_SUBNET / INTERNAL_IP6_SUBNET to announce. */
  readonly subnets: readonly string[]
  /** INTERNAL_DNS_DOMAIN (RFC 8598): whose names `dns` is to be asked; with `dns` only. */
  readonly domains?: readonly string[]
  /** P_CSCF_IP4_ADDRESS, P_CSCF_IP6_ADDRESS (RFC 7651). */
  readonly pCscf?: readonly string[]
}

/** One set of IKE algorithms, transform IDs of the registries; the initiator offers them in order. */
export interface IkeSuite {
  readonly encryption: number
  readonly keyLength: number | undefined
  /** `undefined` with an AEAD. */
  readonly integrity: number | undefined
  readonly prf: number
  readonly keyExchange: number
  /** In the order in which they take place; absent: there are none (RFC 9370). */
  readonly additionalKeyExchanges?: readonly AdditionalKeyExchange[]
}

/** An ADDKE transform (RFC 9370 §2.2.1). */
export interface AdditionalKeyExchange {
  /** 1 to 7: of ADDKE1 to ADDKE7. */
  readonly place: number
  readonly method: number
}

export interface EspSuite {
  readonly encryption: number
  readonly keyLength: number | undefined
  readonly integrity: number | undefined
}

/** Each is a configuration key `limits.<name>`, a counter and an event. */
export interface Limits {
  /** Half-open IKE SAs as responder, all together; from it on cookies are asked for over UDP (RFC 7296 §2.6). Below `maxHalfOpen`. */
  readonly cookieThreshold: number
  /** Ask for cookies over TCP too: only against TCP sequence attacks (RFC 9329 §6.3, T-CK-1). */
  readonly cookiesOverTcp: boolean
  readonly maxHalfOpen: number
  readonly maxHalfOpenPerAddress: number
  readonly maxIkeSas: number
  /** IKE SAs of one identity: above it the one without a connection, or else the oldest, gives way to the new one. */
  readonly maxIkeSasPerIdentity: number
  /** Child SAs of one IKE SA; those that replace others do not count. Above it: NO_ADDITIONAL_SAS. */
  readonly maxChildSasPerIkeSa: number
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  /** Octets of one unfinished message that a connection may hold. */
  readonly maxBufferedPerConnection: number
  /** Octets waiting to be sent on one connection before packets are dropped (IKE never is). */
  readonly maxSendQueue: number
  /** Octets of memory for what waits on all connections together; none gets more than an eighth of what is free. */
  readonly maxSendQueues: number
  /** Consecutive frames with an unknown ESP SPI before the connection is closed (RFC 9329 §6.1, T-LIFE-14). */
  readonly maxUnknownSpis: number
  /** Unparsable messages before the connection is closed (T-LIFE-13). */
  readonly maxCorruptFrames: number
  /** Failed ICVs on a known SPI before the connection is closed (T-LIFE-13). */
  readonly maxIcvFailures: number
  readonly maxMessageLength: number
  /** Octets of an IP datagram, headers and all: an IKE message that needs more goes over UDP in fragments (RFC 7383 §2.5.1). At least 256. */
  readonly maxIkeDatagramIpv4: number
  readonly maxIkeDatagramIpv6: number
  /** Of one message that comes in fragments; of more none is kept. */
  readonly maxFragments: number
}

/** Milliseconds. */
export interface Timers {
  /** From accept to the sixth octet of the prefix (T-PFX-7). */
  readonly prefix: number
  /** A responder's half-open IKE SA, and an initiator's whole handshake on one transport. */
  readonly handshake: number
  /**
   * An initiator gives a UDP transport this long alone before the next begins beside it (T-FB-2: at least one retransmission comes first), and
   * no longer than `retransmit` after the network said that a datagram did not get there.
   */
  readonly udpFallback: number
  /** Between the beginnings of streams that race. */
  readonly stagger: number
  /** How long it is remembered that a transport did not get through (T-FB-4). */
  readonly blocked: number
  /** An IKE SA with MOBIKE that came to ride a stream tries UDP after this; the wait doubles, to `maxUdpProbe` (T-PERF-1). */
  readonly udpProbe: number
  readonly maxUdpProbe: number
  /** Between two looks at what UDP loses, while there is traffic; and how long a stream is on trial against it. */
  readonly pathCheck: number
  readonly trial: number
  /** First retransmission over UDP; doubles each time (C-4). */
  readonly retransmit: number
  /** An IKE SA of an initiator that has other transports, too, is given up after three, unless something valid comes. */
  readonly maxRetransmissions: number
  /** No retransmission over TCP (T-RTX-1): an unanswered request ends the connection after this, and the IKE SA `resume` later on another. */
  readonly response: number
  /** Silence before a liveness check (RFC 7296 §2.4). */
  readonly liveness: number
  /** NAT keep-alives over UDP (RFC 3948 §4); never over TCP (T-KA-1). */
  readonly natKeepalive: number
  /** FTT KAT (TS 24.302 F.2.1): handed out to who asks for it, and our own where the gateway names none. Of the framing 3gpp-ftt alone. */
  readonly fttKeepalive: number
  /** A connection without an IKE SA is closed after this (T-LIFE-3); again after an answer that asks for a retry, up to `handshake` (T-ERR-2). */
  readonly idleConnection: number
  /** After COOKIE was asked for (T-CK-2). */
  readonly cookieReply: number
  /** First redial of a lost connection; doubles to `maxRedial`, with jitter (T-LIFE-5). */
  readonly redial: number
  readonly maxRedial: number
  /** An originator goes on redialling for an IKE SA this long before it starts anew. */
  readonly reconnect: number
  /** What is asked first on a new connection, or over UDP after INVALID_IKE_SPI, must be answered within this; else the peer has lost the SA. */
  readonly resume: number
  /** A responder keeps an IKE SA without a connection this long (T-LIFE-4). */
  readonly disconnected: number
  /** How long fragments wait for the rest of their message (RFC 7383 §2.6). */
  readonly reassembly: number
  /** How long a Delete of ours waits for its answer before the SA is gone all the same. */
  readonly deletion: number
  /** How long packets may wait in the long run for a connection that is full, and about the longest round trip of their flows (RFC 8289 §4). */
  readonly queueTarget: number
  readonly queueInterval: number
  /** How long an SA that was replaced waits for the Delete that ends it; then it is ended from here. */
  readonly replaced: number
  /** How long a Child SA that was replaced and deleted opens what is still on its way. */
  readonly drain: number
  /** Before a rekeying that was refused is tried again, and how long TEMPORARY_FAILURE is taken for an answer (RFC 7296 §2.25). */
  readonly rekeyRetry: number
  readonly rekeyGiveUp: number
  /** Before the whole list of transports is tried again. */
  readonly retry: number
  readonly maxRetry: number
}

export const DEFAULT_LIMITS: Limits = {
  cookieThreshold: 100,
  cookiesOverTcp: false,
  maxHalfOpen: 1000,
  maxHalfOpenPerAddress: 64,
  maxIkeSas: 20_000,
  maxIkeSasPerIdentity: 64,
  maxChildSasPerIkeSa: 16,
  maxConnections: 20_000,
  maxConnectionsPerAddress: 256,
  maxBufferedPerConnection: 65_541,
  maxSendQueue: 1_048_576,
  maxSendQueues: 67_108_864,
  maxUnknownSpis: 32,
  maxCorruptFrames: 8,
  maxIcvFailures: 1,
  maxMessageLength: 65_533,
  maxIkeDatagramIpv4: 576,
  maxIkeDatagramIpv6: 1280,
  maxFragments: 256,
}

export const DEFAULT_TIMERS: Timers = {
  prefix: 5_000,
  handshake: 30_000,
  udpFallback: 600,
  stagger: 300,
  blocked: 600_000,
  udpProbe: 60_000,
  maxUdpProbe: 3_600_000,
  pathCheck: 5_000,
  trial: 10_000,
  retransmit: 500,
  maxRetransmissions: 6,
  response: 30_000,
  liveness: 30_000,
  natKeepalive: 20_000,
  fttKeepalive: 20_000,
  idleConnection: 5_000,
  cookieReply: 8_000,
  redial: 250,
  maxRedial: 30_000,
  reconnect: 60_000,
  resume: 3_000,
  disconnected: 600_000,
  reassembly: 30_000,
  deletion: 2_000,
  queueTarget: 5,
  queueInterval: 100,
  replaced: 30_000,
  drain: 5_000,
  rekeyRetry: 10_000,
  rekeyGiveUp: 300_000,
  retry: 1_000,
  maxRetry: 60_000,
}

export const DEFAULT_LIFETIMES: Lifetimes = {
  ikeSa: 14_400_000,
  childSa: 3_600_000,
  childOctets: Number.POSITIVE_INFINITY,
  childPackets: Number.POSITIVE_INFINITY,
  jitter: 0.1,
}
