/**
 * One TCP connection as the core sees it: its stream's deframer, what waits to be sent, which IKE SAs ride it. It outlives
 * none of them and they outlive it (RFC 9329 §6.1).
 */
import { Deframer, frameIke, STREAM_PREFIX } from '@underpass/tcp-framing'
import type { ChildSa } from '../child/child-sa.ts'
import type { SessionConfig } from '../config.ts'
import type { ConnectionId, Endpoint, FramingProfileName, Output, TcpRole } from '../contract.ts'
import type { IkeSa } from '../ike/ike-sa.ts'
import { concat } from '../octets.ts'
import type { Initiator } from '../peers/initiator.ts'
import type { FlowQueues } from '../queue/flow-queues.ts'
import type { ConnectionStatus } from '../status.ts'
import type { Path } from './path.ts'

/** What waits counts as this many octets at least: an array is an object, too. */
const LEAST = 256

/** The core, which knows the time of the input in hand. */
interface Clock {
  readonly now: number
}

export class Connection {
  declare readonly timerNames: 'prefix' | 'idle' | 'keepalive'
  readonly timers: Map<string, unknown> = new Map()
  readonly id: ConnectionId
  readonly role: TcpRole
  readonly framing: FramingProfileName
  /** See `StreamTransport`. */
  readonly carrier: string | undefined
  readonly deframer: Deframer
  local: Endpoint
  remote: Endpoint
  /** Between `open-connection` and `connection-opened` there is no stream yet. */
  isOpen: boolean
  /** The IKE SAs whose sending path this is. */
  readonly ikeSas: Set<IkeSa> = new Set()
  /** When the last IKE SA left it, or when the prefix came: from then on it is waited for one. */
  idleSince: number | undefined
  /** Consecutive frames with an SPI that nobody has here (T-LIFE-14). */
  unknownSpis = 0
  corruptFrames = 0
  icvFailures = 0
  /** Something came by it, and a message that is one by its form. */
  hasOctets = false
  hasMessages = false
  /** IKE messages that came while no IKE SA was established on it. */
  strangeMessages = 0
  /** When something last left by it; of a connection that has to be kept open, see `ftt-keepalive.ts`. */
  lastSentAt: number | undefined
  /** Whose connection this is, where we opened it. */
  initiator: Initiator | undefined
  /** Who else has IKE SAs on it, see `shared-connection.ts`. */
  readonly sharers: Set<Initiator> = new Set()
  /** What was dialled, where we opened it: `remote` may come to be a proxy. */
  dialled: { readonly address: string; readonly port: number; readonly carrier: string | undefined } | undefined

  /** Inner packets whose turn has not come; made with the first. */
  waiting: FlowQueues<ChildSa> | undefined
  /** The driver was asked to say when all is taken. */
  isFlowAsked = false

  readonly #ikeQueue: Uint8Array[] = []
  #queuedIkeOctets = 0
  /** Octets of ESP that leave in one go. */
  #burst = Number.POSITIVE_INFINITY
  #spent = 0
  #turn = 0
  #isBlocked = false
  #hasSaidFull = false
  #owesPrefix: boolean
  #clock: Clock | undefined

  constructor(
    options: {
      id: ConnectionId
      role: TcpRole
      framing: FramingProfileName
      local: Endpoint
      remote: Endpoint
      isOpen: boolean
      carrier?: string | undefined
    },
    config: SessionConfig,
  ) {
    this.id = options.id
    this.role = options.role
    this.framing = options.framing
    this.carrier = options.carrier
    this.local = options.local
    this.remote = options.remote
    this.isOpen = options.isOpen
    this.deframer = new Deframer(options.framing, { role: options.role, maxBuffered: config.limits.maxBufferedPerConnection })
    this.#owesPrefix = options.role === 'originator' && options.framing === 'rfc9329'
  }

  /** The path that this connection is; one object, so that runs of packets on it are told by identity. */
  readonly path: Path = { transport: 'tcp', connection: this }

  opened(local: Endpoint, remote: Endpoint, clock: Clock): void {
    // A time for each write is an object for each: of the one framing that asks when the last one was.
    if (this.framing === '3gpp-ftt') this.#clock = clock
    this.local = local
    this.remote = remote
    this.isOpen = true
  }

  get hasEstablished(): boolean {
    for (const sa of this.ikeSas) if (!sa.isHalfOpen) return true
    return false
  }

  /** What came by it is no message at all: somebody else answers here, which says nothing of the peer. */
  get isForeign(): boolean {
    return this.hasOctets && !this.hasMessages
  }

  get isBlocked(): boolean {
    return this.#isBlocked
  }

  get queuedIkeOctets(): number {
    return this.#queuedIkeOctets
  }

  /** Whether ESP may be written: the socket takes more, and it was not yet given all that it gets in one go. */
  get hasRoom(): boolean {
    return !this.#isBlocked && this.#spent < this.#burst
  }

  /**
   * Whether an inner packet has to wait: for the socket, or for those that came before it. `turn`: a number of the input that brought it;
   * at its beginning the socket is known to have taken what came before.
   */
  mustWait(turn: number): boolean {
    if (this.#turn !== turn) this.#spent = 0
    this.#turn = turn
    return !this.hasRoom || (this.waiting !== undefined && !this.waiting.isEmpty)
  }

  /** Octets of ESP frames that are to leave. */
  spend(octets: number): void {
    this.#spent += octets
  }

  /** Whether packets that found no room are news: once for each time that the socket was full. */
  noteFull(): boolean {
    const isNews = !this.#hasSaidFull
    this.#hasSaidFull = true
    return isNews
  }

  /** IKE is never dropped, and goes ahead of ESP that waits. The prefix leaves in one write with the first message. */
  sendIke(message: Uint8Array, emit: (output: Output) => void): void {
    const isFirst = this.#owesPrefix && !this.#isBlocked
    const frame = frameIke(this.framing, message, { prefix: isFirst })
    if (isFirst) this.#owesPrefix = false
    if (!this.#isBlocked) return this.#emit(frame, emit)
    this.#ikeQueue.push(frame)
    this.#queuedIkeOctets += Math.max(LEAST, frame.length)
  }

  /** Whole frames of ESP, while `hasRoom`. */
  sendEsp(frames: Uint8Array, emit: (output: Output) => void): void {
    this.#write(frames, emit)
  }

  /** A whole envelope, while the socket takes more. */
  sendKeepalive(envelope: Uint8Array, emit: (output: Output) => void): void {
    this.#emit(envelope, emit)
  }

  /** The socket is full: what comes now waits, and IKE overtakes ESP. */
  block(): void {
    this.#isBlocked = true
    this.isFlowAsked = false
  }

  /** The socket has taken all that it was given. What it has no room for would lie there where no other flow can overtake it. */
  drained(room: number, emit: (output: Output) => void): void {
    // One packet at least, or a socket without room would never be full.
    this.#burst = Math.max(1, room)
    this.#isBlocked = false
    this.isFlowAsked = false
    if (this.waiting?.isEmpty !== false) this.#hasSaidFull = false
    this.#spent = 0
    this.sendWaitingIke(emit)
  }

  /** Before the connection is ended: the driver sends what it is given and then the FIN. */
  sendWaitingIke(emit: (output: Output) => void): void {
    if (!this.isOpen || this.#ikeQueue.length === 0) return
    this.#queuedIkeOctets = 0
    this.#write(concat(...this.#ikeQueue.splice(0)), emit)
  }

  status(): ConnectionStatus {
    return {
      connection: this.id,
      role: this.role,
      remote: `${this.remote.address} port ${this.remote.port}`,
      framing: this.framing,
      ...(this.carrier === undefined ? {} : { carrier: this.carrier }),
      ikeSas: [...this.ikeSas].map((sa) => sa.id),
      queuedOctets: this.#queuedIkeOctets + (this.waiting?.octets ?? 0),
    }
  }

  /** The prefix leaves with the first octets, whatever they are (T-PFX-1). */
  #write(frames: Uint8Array, emit: (output: Output) => void): void {
    const bytes = this.#owesPrefix ? concat(STREAM_PREFIX, frames) : frames
    this.#owesPrefix = false
    this.#emit(bytes, emit)
  }

  #emit(bytes: Uint8Array, emit: (output: Output) => void): void {
    if (this.#clock) this.lastSentAt = this.#clock.now
    emit({ kind: 'write-connection', connection: this.id, bytes })
  }
}
