/** What the driver is given: everything it touches outside the core. Structural, so that the transports need not know of it. */
import type { CryptoResult, CryptoWork, DatagramKind, Endpoint, FramingProfileName, Input, Output, PacketBatch } from '../contract.ts'
import type { SessionStatus } from '../status.ts'

/** The core: `SessionManager`, or anything that keeps its contract. */
export interface DrivenCore {
  handleInput(input: Input, now: number): void
  pollOutput(): Output
  inspect(now: number): SessionStatus
}

export interface Clock {
  /** Milliseconds, monotonic, with fractions where the runtime has them. */
  now(): number
  /** Calls `wake` once, when `now()` reaches the time or before (timers round, and have a longest wait). Returns what cancels it. */
  schedule(atMilliseconds: number, wake: () => void): () => void
}

/** A TUN device as @underpass/tun-device makes them. */
export interface TunPort {
  /** The batch is lent for the call. `onError`: the interface is gone. */
  start(onPackets: (batch: PacketBatch) => void, onError?: (error: Error) => void): void
  pause(): void
  /** Done with the buffer on return. */
  write(batch: PacketBatch): void
}

/** An open connection as @underpass/tls-transport makes them. */
export interface StreamPort {
  readonly local: Endpoint
  readonly remote: Endpoint
  /** Of one that was accepted: what is around it, in words for people: 'tls:443'. Absent: TCP alone. */
  readonly carrier?: string
  /** The octets are lent for the call. False: they are queued, and so should the next be; `onDrain` follows. */
  write(bytes: Uint8Array): boolean
  /** Octets that it would take now without queueing them. Absent: it cannot tell. */
  readonly room?: number
  /** FIN after what is queued. */
  end(): void
  /** RST, at once. */
  reset(): void
}

export interface StreamHandlers {
  /** Lent for the call. */
  onData(bytes: Uint8Array): void
  onDrain(): void
  /** FIN from the other end. */
  onEnd(): void
  onClose(error?: Error): void
}

export interface PendingStream {
  readonly opened: Promise<StreamPort>
  /** Gives the attempt up; `opened` may then settle either way. */
  cancel(): void
}

export interface DatagramPort {
  /** `local` chooses the socket by its port; port 0 means any. */
  send(local: Endpoint, remote: Endpoint, message: DatagramKind, bytes: Uint8Array): void
  /** ESP packets to one place. */
  sendBatch(local: Endpoint, remote: Endpoint, batch: PacketBatch): void
}

export interface DriverPorts {
  readonly clock: Clock
  readonly tun?: TunPort
  /** `carrier`: of the transport that is dialled, as it was configured. */
  connect(remote: Endpoint, framing: FramingProfileName, handlers: StreamHandlers, carrier?: string): PendingStream
  readonly datagrams: DatagramPort
  /** IP packets for which another core may have a Child SA. The batch is lent for the call. */
  unmatched?(batch: PacketBatch): void
  /** May throw or reject: the core then hears 'failed'. */
  crypto(work: CryptoWork): CryptoResult | Promise<CryptoResult>
}

/** What went wrong beside the protocol. A fatal one has stopped the driver. Port failures are told once per port, then only counted. */
export interface DriverFailure {
  readonly code: 'CORE_FAILED' | 'COMMAND_REFUSED' | 'LISTENER_FAILED' | 'TUN_FAILED' | 'DATAGRAM_FAILED' | 'ACCEPT_FAILED'
  readonly isFatal: boolean
  readonly error: unknown
}
