/**
 * What goes into the core and what comes out of it. The core is a deterministic function of these inputs, of `now` and of
 * the injected randomness: it opens no socket, reads no clock and awaits nothing. Hand in one input, then drain
 * `pollOutput()` until it answers `wait-until`; only then hand in the next.
 */
import type { EapWork, EapWorkResult } from '@underpass/eap'
import type { CertificatePayload, Identity, TransportOption } from './config.ts'
import type { SessionEvent } from './events.ts'
import type { ShardCommand } from './shard.ts'

/** An IP address in text (no brackets, no zone) and a port. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** Names one TCP connection for its life. The core chooses numbers for connections it opens (even), the driver for accepted ones (odd). */
export type ConnectionId = number

/** RFC 9329 §1.2: who opened the TCP connection. Not the same as who initiated the IKE SA, nor who sends a request. */
export type TcpRole = 'originator' | 'responder'

export type FramingProfileName = 'rfc9329' | 'pauly-03' | '3gpp-ftt'

/**
 * IP packets in one buffer. Packet i is `buffer[offsets[i], offsets[i] + lengths[i])`, for i below `count`. The `tailroom` octets behind
 * each (none, where it is left out) are free: who is lent the batch may write to them.
 */
export interface PacketBatch {
  readonly buffer: Uint8Array
  readonly offsets: Uint32Array
  readonly lengths: Uint32Array
  readonly count: number
  readonly tailroom?: number
}

/** What a UDP datagram holds, as RFC 3948 §2 tells them apart. The driver adds and removes the Non-ESP marker. */
export type DatagramKind = 'ike' | 'esp' | 'keepalive'

export type Input =
  /** A connection that the core asked for is up, or (role 'responder') one was accepted by a listener. */
  | {
      readonly kind: 'connection-opened'
      readonly connection: ConnectionId
      readonly role: TcpRole
      readonly local: Endpoint
      readonly remote: Endpoint
      readonly framing: FramingProfileName
      /** Of one that was accepted: what is around it, in words for people: 'tls:443'. */
      readonly carrier?: string
    }
  /** Octets of the stream, in order. Lent: the core is done with them before `handleInput` returns. */
  | { readonly kind: 'connection-bytes'; readonly connection: ConnectionId; readonly bytes: Uint8Array }
  /** The connection is gone (FIN, RST, failure to open). `detail` is for people. Never sent twice for one connection. */
  | {
      readonly kind: 'connection-closed'
      readonly connection: ConnectionId
      readonly reason: 'end' | 'reset' | 'failed'
      readonly detail: string
    }
  /** The driver's socket took no more octets at once: it holds what it did not take. */
  | { readonly kind: 'connection-flow'; readonly connection: ConnectionId; readonly state: 'blocked' }
  /** It has taken what it held, or, asked by `report-flow`, holds nothing. `room`: octets that it would take now; absent: more than anybody has. */
  | { readonly kind: 'connection-flow'; readonly connection: ConnectionId; readonly state: 'drained'; readonly room?: number }
  /** A datagram, its Non-ESP marker already taken off. Lent. */
  | {
      readonly kind: 'datagram'
      readonly local: Endpoint
      readonly remote: Endpoint
      readonly message: DatagramKind
      readonly bytes: Uint8Array
    }
  /** ESP packets that came from one place in datagrams of their own, in order. Lent. */
  | { readonly kind: 'esp-datagrams'; readonly local: Endpoint; readonly remote: Endpoint; readonly batch: PacketBatch }
  /**
   * A datagram did not get there: an ICMP error, or a send that the system refused. A hint that nothing protects (RFC 7296 §2.4).
   * `remote`: to whom, `undefined` where the socket does not say. `reason` is for people.
   */
  | { readonly kind: 'datagram-failed'; readonly local: Endpoint; readonly remote: Endpoint | undefined; readonly reason: string }
  /** IP packets that the TUN device read. Lent. `isHandedOver`: by another core, which had no Child SA for them; they go no further. */
  | { readonly kind: 'tun-packets'; readonly batch: PacketBatch; readonly isHandedOver?: boolean }
  /**
   * An address, an interface or a route of ours came or went: what was known of ways to a peer may be so no more. `network`: by what it
   * would be known again.
   */
  | { readonly kind: 'network-changed'; readonly network?: string }
  | { readonly kind: 'crypto-result'; readonly job: number; readonly result: CryptoResult }
  | { readonly kind: 'command'; readonly command: Command }
  /** The time that `wait-until` named has come. */
  | { readonly kind: 'timeout' }

export type Output =
  /** `carrier`: of the transport that is dialled, see `StreamTransport`. */
  | {
      readonly kind: 'open-connection'
      readonly connection: ConnectionId
      readonly remote: Endpoint
      readonly framing: FramingProfileName
      readonly carrier?: string
    }
  /** Lent: valid until the next `handleInput`. */
  | { readonly kind: 'write-connection'; readonly connection: ConnectionId; readonly bytes: Uint8Array }
  /** More waits: hand in a `connection-flow`, at once where the socket has taken all that was written so far. */
  | { readonly kind: 'report-flow'; readonly connection: ConnectionId }
  /** 'end': FIN after what was written. 'reset': at once. No `connection-closed` is expected after it. */
  | { readonly kind: 'close-connection'; readonly connection: ConnectionId; readonly how: 'end' | 'reset' }
  /** Lent: valid until the next `handleInput`. `local` is the socket to send from where the core cares (it answers from where it was asked); port 0 means any. */
  | {
      readonly kind: 'send-datagram'
      readonly local: Endpoint
      readonly remote: Endpoint
      readonly message: DatagramKind
      readonly bytes: Uint8Array
    }
  /** ESP packets to one place. Lent: valid until the next `handleInput`. */
  | { readonly kind: 'send-esp-datagrams'; readonly local: Endpoint; readonly remote: Endpoint; readonly batch: PacketBatch }
  /** IP packets for the TUN. Lent: valid until the next `handleInput`. */
  | { readonly kind: 'write-tun'; readonly batch: PacketBatch }
  /** IP packets from the TUN that match no Child SA here, where the configuration has others to ask. Lent: valid until the next `handleInput`. */
  | { readonly kind: 'unmatched-packets'; readonly batch: PacketBatch }
  | { readonly kind: 'crypto-job'; readonly job: number; readonly work: CryptoWork }
  | { readonly kind: 'event'; readonly event: SessionEvent }
  /** All is drained. Hand in `timeout` when the clock reaches `time` (milliseconds, may be Infinity) unless another input comes first. */
  | { readonly kind: 'wait-until'; readonly time: number }

/** Work too slow for the data path (RFC 7296 §2.12): the driver does it elsewhere and hands in a `crypto-result`. */
export type CryptoWork =
  | { readonly kind: 'ke-initiate'; readonly method: number }
  | { readonly kind: 'ke-respond'; readonly method: number; readonly peerPublic: Uint8Array }
  | { readonly kind: 'ke-complete'; readonly method: number; readonly secret: Uint8Array; readonly peerPublic: Uint8Array }

  /**
   * AUTH (RFC 7296 §2.15): `octets` signed with the key of that name. `hashAlgorithms`: of the peer's SIGNATURE_HASH_ALGORITHMS, absent where it sent
   * none; `authMethods`: of its SUPPORTED_AUTH_METHODS.
   */
  | {
      readonly kind: 'sign'
      readonly key: string
      readonly octets: Uint8Array
      readonly hashAlgorithms?: readonly number[]
      readonly authMethods?: Uint8Array
    }
  /** Whether AUTH is of the holder of `identity`, by the first of `trusts` that says so. `certificates`: its CERT payloads. */
  | {
      readonly kind: 'verify-peer'
      readonly trusts: readonly string[]
      readonly identity: Identity
      readonly method: number
      readonly signature: Uint8Array
      readonly octets: Uint8Array
      readonly certificates: readonly CertificatePayload[]
    }
  /** What an EAP method cannot do here (RFC 7296 §2.16). */
  | { readonly kind: 'eap'; readonly work: EapWork }

export type CryptoResult =
  | { readonly kind: 'ke-initiated'; readonly publicValue: Uint8Array; readonly secret: Uint8Array }
  | { readonly kind: 'ke-responded'; readonly publicValue: Uint8Array; readonly sharedSecret: Uint8Array }
  | { readonly kind: 'ke-completed'; readonly sharedSecret: Uint8Array }
  /** `method` and `data` of AUTH. */
  | { readonly kind: 'signed'; readonly method: number; readonly data: Uint8Array }
  | { readonly kind: 'peer-verified'; readonly trust: string }
  | { readonly kind: 'eap'; readonly result: EapWorkResult }
  /** The peer's public value failed its check (RFC 6989), it is not who it says, or the work could not be done. */
  | { readonly kind: 'failed'; readonly detail: string }

export type Command =
  /** Bring the named peer's tunnel up and keep it up. */
  | { readonly kind: 'initiate'; readonly peer: string }
  /** Delete the peer's SAs (all, where no peer is named), tell the other end, and stay down. */
  | { readonly kind: 'terminate'; readonly peer?: string }
  /** Send an empty INFORMATIONAL now (RFC 7296 §2.4). */
  | { readonly kind: 'check-liveness'; readonly peer?: string }
  /** RFC 7296 §1.4.1: delete the Child SAs of the peer, keep the IKE SA. */
  | { readonly kind: 'delete-child'; readonly peer: string }
  /** RFC 7296 §1.3.1: one more Child SA, for the same traffic. */
  | { readonly kind: 'create-child'; readonly peer: string }
  /** RFC 7296 §2.8: now, and not when the lifetime is almost over. `what`: the IKE SA, or its Child SAs. */
  | { readonly kind: 'rekey'; readonly what: 'ike-sa' | 'child-sa'; readonly peer?: string }
  /** What 'transport-remembered' said of a network, perhaps to a process before this one, and what is left of its time. */
  | {
      readonly kind: 'remember-transport'
      readonly peer: string
      readonly network: string
      readonly transport: string
      readonly blockedForMilliseconds: number
      readonly isHalfWay?: boolean
    }
  /** The peer has other addresses, or ports: from the next race or move on. Each has its `address`, where it is not that of `DialConfig`. */
  | { readonly kind: 'set-transports'; readonly peer: string; readonly transports: readonly TransportOption[] }
  | ShardCommand

/** Fresh, unpredictable octets. */
export type RandomSource = (length: number) => Uint8Array
