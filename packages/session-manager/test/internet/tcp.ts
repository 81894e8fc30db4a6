/**
 * TCP of a host, segment by segment (RFC 9293): handshake, octets in order, acknowledgements, retransmission with back-off (RFC 6298),
 * slow start, fast retransmission and recovery (RFC 5681, RFC 6582), path MTU (RFC 1191), FIN and RST, and the errors that a program sees.
 * There is no window of the receiver: who reads here, reads at once. Nor TIME-WAIT: no port is used again as soon as that.
 */
import type { Endpoint } from '../../src/index.ts'
import { type Clock, type IcmpError, type IpPacket, NOTHING, rstFor, type Segment, spanOf, textOf } from './packet.ts'
import type { Chance } from './random.ts'

export interface StreamHandlers {
  onOpen(): void
  onBytes(bytes: Uint8Array): void
  /** All that did not fit is in the buffer now. */
  onDrain(): void
  /** Once, and not after `end` or `reset`. 'end': a FIN came; what was written still goes. */
  onClose(reason: 'end' | 'reset' | 'failed', detail: string): void
}

/** The connections of one host. */
export class TcpStack {
  readonly #sockets = new Map<string, TcpSocket>()
  readonly clock: Clock
  readonly chance: Chance
  readonly send: (packet: IpPacket) => void
  /** Who takes a connection to `local`; `undefined`: nobody, and it is refused. */
  readonly #listener: (local: Endpoint) => ((socket: TcpSocket) => StreamHandlers) | undefined

  constructor(
    clock: Clock,
    chance: Chance,
    send: (packet: IpPacket) => void,
    listener: (local: Endpoint) => ((socket: TcpSocket) => StreamHandlers) | undefined = () => undefined,
  ) {
    this.clock = clock
    this.chance = chance
    this.send = send
    this.#listener = listener
  }

  get size(): number {
    return this.#sockets.size
  }

  connect(local: Endpoint, remote: Endpoint, handlers: StreamHandlers): TcpSocket {
    const socket = new TcpSocket(this, local, remote, handlers, undefined)
    this.#sockets.set(keyOf(local, remote), socket)
    return socket
  }

  knows({ source, destination }: IpPacket): boolean {
    return this.#sockets.has(keyOf(destination, source))
  }

  receive({ source, destination }: IpPacket, segment: Segment): void {
    const known = this.#sockets.get(keyOf(destination, source))
    if (known) return known.receive(segment)
    if (segment.flag === 'rst') return
    const accept = segment.flag === 'syn' && segment.ack === undefined ? this.#listener(destination) : undefined
    if (!accept) return this.send(rstFor(destination, source, segment.ack ?? 0, segment.seq + spanOf(segment)))
    const socket = new TcpSocket(this, destination, source, undefined, { accept, seq: segment.seq })
    this.#sockets.set(keyOf(destination, source), socket)
  }

  receiveError(error: IcmpError): void {
    this.#sockets.get(keyOf(error.about.source, error.about.destination))?.receiveError(error)
  }

  /** The program ends: RST for all. */
  resetAll(): void {
    for (const socket of [...this.#sockets.values()]) socket.reset()
  }

  /** The machine loses its power. */
  forgetAll(): void {
    for (const socket of [...this.#sockets.values()]) socket.vanish()
  }

  forget({ local, remote }: TcpSocket): void {
    this.#sockets.delete(keyOf(local, remote))
  }
}

interface Sent {
  seq: number
  readonly flag: 'syn' | 'fin' | 'none'
  bytes: Uint8Array
  sentAt: number
  transmissions: number
}

/** Of IPv4 over Ethernet. */
const MSS = 1_460
/** Octets that the system takes before it says that it is full. */
const BUFFER = 131_072
/** RFC 6298, with the least of common systems. */
const FIRST_RTO = 1_000
const LEAST_RTO = 200
const MOST_RTO = 120_000
/** As common systems have them: two minutes for a connection to open, a quarter of an hour for an answer on one that is. */
const MAX_SYNS = 7
const MAX_TRANSMISSIONS = 16
const MAX_OF_AN_ORPHAN = 9
const FIN_WAIT = 60_000
/** RFC 5681 §3.1, RFC 6928. */
const FIRST_WINDOW = 10

export class TcpSocket {
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly #stack: TcpStack
  readonly #accept: ((socket: TcpSocket) => StreamHandlers) | undefined
  /** `undefined`: nobody hears of it any more, or not yet. */
  #handlers: StreamHandlers | undefined
  #state: 'syn-sent' | 'syn-received' | 'open' | 'gone'
  #isEnded = false
  #hasPeerEnded = false
  /** What was not acknowledged, in order; the first `#inFlight` of them went out. */
  readonly #queue: Sent[] = []
  #inFlight = 0
  #queuedOctets = 0
  #hasSaidFull = false
  #next: number
  #mss = MSS
  #window = FIRST_WINDOW
  #threshold = Number.POSITIVE_INFINITY
  /** In recovery until this number is acknowledged. */
  #recovery: number | undefined
  #repeatedAcks = 0
  #acked: number
  #roundTrip: { smoothed: number; variation: number } | undefined
  #backOff = 0
  #deadline = Number.POSITIVE_INFINITY
  #isTimerSet = false
  #expected = 0
  readonly #early = new Map<number, Segment>()

  constructor(
    stack: TcpStack,
    local: Endpoint,
    remote: Endpoint,
    handlers: StreamHandlers | undefined,
    accepted: { accept: (socket: TcpSocket) => StreamHandlers; seq: number } | undefined,
  ) {
    this.#stack = stack
    this.local = local
    this.remote = remote
    this.#handlers = handlers
    this.#accept = accepted?.accept
    this.#state = accepted ? 'syn-received' : 'syn-sent'
    if (accepted) this.#expected = accepted.seq + 1
    this.#next = 1_000_000 + stack.chance.below(1_000_000_000)
    this.#acked = this.#next
    this.#enqueue('syn', NOTHING)
  }

  /** Whether there is room for more; where there is none `onDrain` says when there is. What is written is taken all the same. */
  write(bytes: Uint8Array): boolean {
    if (this.#state === 'gone' || this.#isEnded) return true
    for (let at = 0; at < bytes.length; at += this.#mss) this.#enqueue('none', bytes.slice(at, at + this.#mss))
    if (this.#queuedOctets > BUFFER) this.#hasSaidFull = true
    return !this.#hasSaidFull
  }

  get room(): number {
    return Math.max(0, BUFFER - this.#queuedOctets)
  }

  /** FIN after what was written; nothing more is read. */
  end(): void {
    if (this.#state === 'gone' || this.#isEnded) return
    if (this.#state === 'syn-sent') return this.reset()
    this.#handlers = undefined
    this.#isEnded = true
    this.#enqueue('fin', NOTHING)
  }

  reset(): void {
    if (this.#state === 'gone') return
    if (this.#state !== 'syn-sent') this.#stack.send(rstFor(this.local, this.remote, this.#sentUpTo(), this.#expected))
    this.vanish()
  }

  vanish(): void {
    this.#handlers = undefined
    this.#state = 'gone'
    this.#deadline = Number.POSITIVE_INFINITY
    this.#stack.forget(this)
  }

  receive(segment: Segment): void {
    const { flag, ack, seq, bytes } = segment
    if (this.#state === 'syn-sent') return this.#receiveInSynSent(segment)
    if (flag === 'rst') {
      if (seq >= this.#expected && seq <= this.#expected + 65_535) this.#lost('reset', 'connection reset by peer')
      return
    }
    if (flag === 'syn') return this.#acknowledge()
    if (ack !== undefined) this.#heedAck(ack, segment)
    if (this.#isGone() || (bytes.length === 0 && flag !== 'fin')) return
    // Who closed reads no more.
    if (this.#isEnded && !this.#hasPeerEnded && bytes.length > 0 && seq >= this.#expected) return this.reset()
    this.#early.set(seq, segment)
    this.#deliver()
    if (!this.#isGone()) this.#acknowledge()
  }

  /** RFC 5461: an attempt to connect fails by it; a connection that is open does not. */
  receiveError({ type, mtu }: IcmpError): void {
    if (type === 'too big') {
      this.#mss = Math.max(88, (mtu ?? 576) - 40)
      this.#cutToSize()
      for (const sent of this.#queue.slice(0, this.#inFlight)) this.#transmit(sent)
    } else if (this.#state === 'syn-sent') this.#lost('failed', type)
  }

  #receiveInSynSent({ flag, ack, seq }: Segment): void {
    if (ack !== this.#queue[0]!.seq + 1) {
      if (flag !== 'rst' && ack !== undefined) this.#stack.send(rstFor(this.local, this.remote, ack))
      return
    }
    if (flag === 'rst') return this.#lost('failed', 'connection refused')
    if (flag !== 'syn') return
    this.#expected = seq + 1
    this.#state = 'open'
    this.#takeAck(ack)
    this.#acknowledge()
    this.#handlers?.onOpen()
  }

  #heedAck(ack: number, segment: Segment): void {
    if (this.#state === 'syn-received' && ack === this.#queue[0]!.seq + 1) {
      this.#state = 'open'
      this.#handlers = this.#accept!(this)
      this.#takeAck(ack)
      this.#handlers?.onOpen()
    } else if (ack > this.#acked) this.#takeAck(ack)
    else if (ack === this.#acked && this.#inFlight > 0 && spanOf(segment) === 0) this.#takeRepeatedAck()
  }

  #takeAck(ack: number): void {
    this.#acked = ack
    this.#repeatedAcks = 0
    let newest: Sent | undefined
    while (this.#queue[0] && this.#queue[0].transmissions > 0 && this.#queue[0].seq + lengthOfSent(this.#queue[0]) <= ack) {
      newest = this.#queue.shift()!
      this.#inFlight = Math.max(0, this.#inFlight - 1)
      this.#queuedOctets -= newest.bytes.length
    }
    // Karn: what went out twice tells nothing.
    if (newest?.transmissions === 1) this.#measure(this.#stack.clock.now - newest.sentAt)
    if (newest) this.#backOff = 0
    if (this.#recovery !== undefined && ack < this.#recovery && this.#queue[0]) this.#transmit(this.#queue[0])
    else {
      this.#recovery = undefined
      // RFC 5681 §3.1: that of a SYN opens nothing.
      if (newest?.flag !== 'syn') this.#window += this.#window < this.#threshold ? 1 : 1 / this.#window
    }
    this.#setDeadline()
    this.#sendMore()
    if (this.#hasSaidFull && this.#queuedOctets <= BUFFER) {
      this.#hasSaidFull = false
      this.#handlers?.onDrain()
    }
    this.#closeWhereDone()
  }

  /** RFC 5681 §3.2. */
  #takeRepeatedAck(): void {
    if (++this.#repeatedAcks !== 3 || this.#recovery !== undefined) return
    this.#recovery = this.#sentUpTo()
    this.#threshold = Math.max(2, this.#inFlight / 2)
    this.#window = this.#threshold
    this.#transmit(this.#queue[0]!)
    this.#setDeadline()
  }

  #deliver(): void {
    for (;;) {
      const segment = this.#takeEarly()
      if (!segment) return
      const { flag, bytes, seq } = segment
      const fresh = bytes.subarray(this.#expected - seq)
      this.#expected += fresh.length + (flag === 'fin' ? 1 : 0)
      if (fresh.length > 0) this.#handlers?.onBytes(fresh)
      if (flag !== 'fin' || this.#hasPeerEnded) continue
      this.#hasPeerEnded = true
      this.#handlers?.onClose('end', 'closed by the other end')
      // Nobody acknowledges the last FIN of a connection that is gone.
      if (this.#isEnded && this.#queue.length === 0) this.#acknowledge()
      this.#closeWhereDone()
    }
  }

  /** The next in order, or one that has the next octet in it, as what was cut anew may. */
  #takeEarly(): Segment | undefined {
    for (const [seq, segment] of this.#early) {
      const end = seq + spanOf(segment)
      if (seq > this.#expected) continue
      this.#early.delete(seq)
      if (end > this.#expected) return segment
    }
    return undefined
  }

  #acknowledge(): void {
    this.#stack.send(this.#packet({ seq: this.#sentUpTo(), flag: 'none', bytes: NOTHING }))
  }

  #enqueue(flag: Sent['flag'], bytes: Uint8Array): void {
    this.#queue.push({ seq: this.#next, flag, bytes, sentAt: 0, transmissions: 0 })
    this.#next += bytes.length + (flag === 'none' ? 0 : 1)
    this.#queuedOctets += bytes.length
    this.#sendMore()
  }

  #sendMore(): void {
    while (this.#inFlight < this.#queue.length && this.#inFlight < this.#window) {
      // Nothing but the SYN goes before it is answered.
      if (this.#state !== 'open' && this.#inFlight > 0) return
      this.#transmit(this.#queue[this.#inFlight++]!)
      if (this.#deadline === Number.POSITIVE_INFINITY) this.#setDeadline()
    }
  }

  #transmit(sent: Sent): void {
    sent.transmissions++
    sent.sentAt = this.#stack.clock.now
    this.#stack.send(this.#packet(sent))
  }

  #packet({ seq, flag, bytes }: { seq: number; flag: Segment['flag']; bytes: Uint8Array }): IpPacket {
    const ack = this.#state === 'syn-sent' ? undefined : this.#expected
    return { source: this.local, destination: this.remote, body: { protocol: 'tcp', seq, ack, flag, bytes } }
  }

  #setDeadline(): void {
    this.#deadline = this.#inFlight === 0 ? Number.POSITIVE_INFINITY : this.#stack.clock.now + this.#timeout()
    this.#setTimer()
  }

  /** One timer at a time, which looks again where the deadline has moved. */
  #setTimer(): void {
    if (this.#isTimerSet || this.#deadline === Number.POSITIVE_INFINITY) return
    this.#isTimerSet = true
    this.#stack.clock.later(this.#deadline - this.#stack.clock.now, () => {
      this.#isTimerSet = false
      if (this.#deadline <= this.#stack.clock.now) this.#onTimeout()
      else this.#setTimer()
    })
  }

  #onTimeout(): void {
    const first = this.#queue[0]!
    const limit = first.flag === 'syn' ? MAX_SYNS : this.#isEnded ? MAX_OF_AN_ORPHAN : MAX_TRANSMISSIONS
    if (first.transmissions >= limit) return this.#lost(this.#state === 'syn-sent' ? 'failed' : 'reset', 'timed out')
    this.#backOff++
    this.#threshold = Math.max(2, this.#inFlight / 2)
    this.#window = 1
    this.#recovery = this.#sentUpTo()
    this.#repeatedAcks = 0
    // All that is out counts as lost, and goes out again as the window opens.
    this.#inFlight = 1
    this.#transmit(first)
    this.#setDeadline()
  }

  #timeout(): number {
    const { smoothed, variation } = this.#roundTrip ?? { smoothed: FIRST_RTO, variation: 0 }
    return Math.min(MOST_RTO, Math.max(LEAST_RTO, Math.round(smoothed + 4 * variation)) * 2 ** this.#backOff)
  }

  #measure(time: number): void {
    const { smoothed, variation } = this.#roundTrip ?? { smoothed: time, variation: time / 2 }
    this.#roundTrip = { smoothed: 0.875 * smoothed + 0.125 * time, variation: 0.75 * variation + 0.25 * Math.abs(smoothed - time) }
  }

  /** The number after all that went out. */
  #sentUpTo(): number {
    const last = this.#queue.findLast((sent) => sent.transmissions > 0)
    return last ? last.seq + lengthOfSent(last) : this.#acked
  }

  #cutToSize(): void {
    for (let i = 0; i < this.#queue.length; i++) {
      const sent = this.#queue[i]!
      if (sent.bytes.length <= this.#mss) continue
      const rest: Sent = { ...sent, seq: sent.seq + this.#mss, bytes: sent.bytes.subarray(this.#mss) }
      sent.bytes = sent.bytes.subarray(0, this.#mss)
      this.#queue.splice(i + 1, 0, rest)
      if (i < this.#inFlight) this.#inFlight++
    }
  }

  /** Both have ended and know it; or we have, and wait a while for the other. */
  #closeWhereDone(): void {
    if (!this.#isEnded || this.#queue.length > 0 || this.#state === 'gone') return
    if (this.#hasPeerEnded) return this.vanish()
    this.#stack.clock.later(FIN_WAIT, () => {
      if (this.#state !== 'gone') this.vanish()
    })
  }

  #isGone(): boolean {
    return this.#state === 'gone'
  }

  #lost(reason: 'reset' | 'failed', detail: string): void {
    const handlers = this.#handlers
    this.vanish()
    handlers?.onClose(reason, detail)
  }
}

function lengthOfSent({ flag, bytes }: Sent): number {
  return bytes.length + (flag === 'none' ? 0 : 1)
}

function keyOf(local: Endpoint, remote: Endpoint): string {
  return `${textOf(local)} ${textOf(remote)}`
}
