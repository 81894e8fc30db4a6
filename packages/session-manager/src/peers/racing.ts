/**
 * An initiator's transports race (RFC 9329 §5.1; the rules are in `race.ts`), each with an IKE SA of its own, until one has a Child SA or
 * none is left. What comes of it the initiator hears.
 */
import type { Endpoint } from '../contract.ts'
import type { Core } from '../core.ts'
import type { IkeSa } from '../ike/ike-sa.ts'
import { sendIkeAuth, sendIkeSaInit } from '../ike/ike-sa-init-engine.ts'
import { attachPath, closeIkeSa, deleteIkeSa } from '../ike/ike-sa-life.ts'
import type { Connection } from '../paths/connection.ts'
import { isOn, isToward, type Path } from '../paths/path.ts'
import { type Attempts, progressWords } from './attempts.ts'
import { newIkeSa, openStream, startIkeSa } from './dial.ts'
import type { Initiator } from './initiator.ts'
import { MOST_OFTEN, nextMove, type Racer } from './race.ts'
import type { TransportList } from './transport-list.ts'

/** Milliseconds of silence that are evidence: the delay between two attempts (RFC 8305 §5). */
const EVIDENT = 250

/** IKE_SA_INIT was answered, and IKE_AUTH is not out. */
const ANSWERED: readonly IkeSa['state']['kind'][] = ['KE_COMPLETE', 'KEYS_READY', 'INTERMEDIATE_KE_INITIATE', 'AUTH_MAKE']

/** A transport under way, with an IKE SA of its own (T-FB-3). */
interface RacingSa {
  readonly sa: IkeSa
  readonly index: number
  readonly begunAt: number
  /** When its first request left. */
  sentAt?: number
  authenticatesSince?: number
  /** Repetitions of IKE_SA_INIT for which the connection was opened again. */
  reopened: number
  /** A COOKIE came over UDP, which anybody can have written (RFC 7296 §2.6). */
  isCookieInIt?: boolean
  /** What the network said of a datagram of it, and what it gets after that. */
  failure?: string
  hopeUntil?: number
}

export class Racing {
  declare readonly timerNames: 'race' | 'anew'
  readonly timers: Map<string, unknown> = new Map()
  readonly #initiator: Initiator
  readonly #transports: TransportList
  readonly #attempts: Attempts
  /** Those that are under way, in the order of the list. */
  #racers: readonly RacingSa[] = []
  /** The first of the list that was not begun. */
  #next = 0
  #begunAt = 0
  /** Why it is to begin anew. */
  #reason = ''
  #isOver = false
  /** One that was dropped had sent IKE_AUTH, which may still arrive. */
  #hasStrayIkeAuth = false

  constructor(initiator: Initiator, transports: TransportList, attempts: Attempts) {
    this.#initiator = initiator
    this.#transports = transports
    this.#attempts = attempts
  }

  /** At the head of the list. */
  begin(core: Core): void {
    this.#transports.renew()
    this.#attempts.clear()
    this.#next = 0
    this.#begunAt = core.now
    this.#race(core)
  }

  /** What they asked may have left by what is no way any more. News that do not end would have nothing come to its end. */
  beginAnew(core: Core, reason: string): void {
    const { timers } = core
    const soonest = this.#begunAt + MOST_OFTEN
    this.#reason = reason
    if (core.now < soonest) return timers.set(this, 'anew', soonest)
    timers.clear(this, 'anew')
    for (const racer of this.#racers) this.#leave(core, racer, reason)
    this.begin(core)
  }

  /** By command: those who answered IKE_AUTH are told. */
  stop(core: Core): void {
    const racers = this.#end(core)
    for (const { sa } of racers) deleteIkeSa(core, sa, 'terminated')
  }

  connectionOpened(core: Core, connection: Connection): void {
    const racer = this.#racerOn(connection)
    if (racer) sendIkeSaInit(core, racer.sa)
  }

  connectionClosed(core: Core, connection: Connection, reason: string): void {
    const racer = this.#racerOn(connection)
    if (racer === undefined || this.#reopen(core, racer, connection)) return
    closeIkeSa(core, racer.sa, connection.isOpen ? `the connection was closed: ${reason}` : reason, false)
  }

  /** An IKE_SA_INIT of an attempt left: from now on it may be answered. */
  initSent(core: Core, sa: IkeSa): void {
    const racer = this.#racerOf(sa)
    if (racer === undefined) return
    racer.sentAt = core.now
    racer.isCookieInIt = sa.transport === 'udp' && sa.state.kind === 'IKE_SA_INIT_SENT' && sa.state.offer.cookie !== undefined
    this.#race(core)
  }

  /** IKE_SA_INIT was answered and the keys are there: IKE_AUTH goes when its turn comes. */
  keysReady(core: Core, sa: IkeSa): void {
    if (this.#racerOf(sa)) this.#race(core)
  }

  /** RFC 7296 §2.23: with IKE_AUTH to the NAT traversal port, where ESP goes too. */
  pathForIkeAuth(sa: IkeSa, path: Path): Path {
    const racer = this.#racerOf(sa)
    const way = racer && this.#transports.at(racer.index)
    if (path.transport !== 'udp' || way?.transport !== 'udp') return path
    return { ...path, remote: { address: path.remote.address, port: way.natPort } }
  }

  /** A datagram did not get there: it shortens the wait for the next transport, where there is one. */
  datagramFailed(core: Core, remote: Endpoint | undefined, reason: string): void {
    for (const racer of this.#racers) {
      const { sa } = racer
      if (sa.state.kind !== 'IKE_SA_INIT_SENT' || !isToward(sa.path, remote)) continue
      racer.failure = reason
      // Nothing is cut short for it where there is no other; it is told should no answer come.
      if (this.#next === this.#transports.length) continue
      // T-FB-2: one repetition comes first. The two together have as long for an answer as the first alone would have had, however often
      // the word is repeated: anyone can forge it.
      const { retransmit } = core.config.timers
      const wasRepeated = isRepeated(sa)
      if (!wasRepeated) core.timers.hasten(sa, 'retransmit', core.now + retransmit / 2)
      racer.hopeUntil = Math.min(racer.hopeUntil ?? Number.POSITIVE_INFINITY, core.now + (wasRepeated ? retransmit / 2 : retransmit))
    }
    this.#race(core)
  }

  /** The race is over: protected messages have gone both ways. The others are left without a word. */
  childInstalled(core: Core, sa: IkeSa): void {
    const winner = this.#racerOf(sa)
    if (winner === undefined) return
    const { index } = winner
    const losers = this.#end(core).filter((racer) => racer !== winner)
    this.#transports.unblock(core, index)
    for (const loser of losers) {
      if (loser.index < index) this.#remember(core, loser)
      this.#leave(core, loser, this.#wordsFor(core, loser))
    }
    const transport = this.#transports.nameOf(index)
    const reason = this.#attempts.chosen(transport)
    core.event({ kind: 'transport-chosen', peer: this.#initiator.peer.name, transport, reason })
    this.#initiator.raceWon(core, sa, index, this.#hasStrayIkeAuth)
  }

  ikeSaClosed(core: Core, sa: IkeSa, why: string): void {
    const racer = this.#racerOf(sa)
    if (racer === undefined) return
    this.#forget(core, racer, why === 'no answer' ? this.#wordsFor(core, racer) : why)
    // Silence in the middle of EAP is the transport's.
    const isUnanswered = !sa.isIkeAuthAnswered || sa.window.outstanding?.plan.purpose === 'ike-auth'
    // A peer that answered IKE_AUTH and said no says no on every transport; but where the COOKIE was forged it had another request in hand than
    // the one that we signed.
    if (isUnanswered || racer.isCookieInIt === true) return this.#race(core)
    for (const other of this.#racers) this.#leave(core, other, 'the peer refused us on another')
    this.#lose(core)
  }

  onTimer(core: Core, name: Racing['timerNames']): void {
    if (name === 'race') this.#race(core)
    else this.beginAnew(core, this.#reason)
  }

  /** Does what is to be done now, and looks again when there may be more. */
  #race(core: Core): void {
    while (!this.#isOver) {
      if (this.#racers.length === 0 && this.#next === this.#transports.length) return this.#lose(core)
      const move = nextMove({
        now: core.now,
        racers: this.#racers.map(asRacer),
        count: this.#transports.length,
        next: this.#next,
        transportOf: (index) => this.#transports.at(index).transport,
        isBlocked: (index) => this.#transports.isBlocked(core, index),
        isBlockedHalfWay: (index) => this.#transports.isBlockedHalfWay(core, index),
        times: { headStart: core.config.timers.udpFallback, stagger: core.config.timers.stagger },
      })
      switch (move.kind) {
        case 'begin':
          this.#begin(core, move.index)
          break
        case 'authenticate': {
          const racer = this.#racerAt(move.index)
          racer.authenticatesSince = core.now
          sendIkeAuth(core, racer.sa)
          break
        }
        case 'drop': {
          const racer = this.#racerAt(move.index)
          if (racer.authenticatesSince !== undefined) this.#transports.block(core, racer.index, 'half-way')
          this.#leave(core, racer, this.#wordsFor(core, racer))
          break
        }
        case 'wait':
          if (move.until === Number.POSITIVE_INFINITY) core.timers.clear(this, 'race')
          else core.timers.set(this, 'race', move.until)
          return
        default:
          move satisfies never
      }
    }
  }

  #begin(core: Core, index: number): void {
    const way = this.#transports.at(index)
    const transport = this.#transports.nameOf(index)
    const reason = this.#reasonFor(core, index)
    const sa = newIkeSa(core, this.#initiator, way)
    this.#racers = [...this.#racers, { sa, index, begunAt: core.now, reopened: 0 }]
    this.#next = index + 1
    this.#attempts.begin(transport, reason)
    core.event({ kind: 'transport-tried', peer: this.#initiator.peer.name, transport, reason })
    startIkeSa(core, sa, this.#initiator, way)
  }

  /** T-FB-1: without knowledge of this network, UDP goes first; the configured order says so. */
  #reasonFor(core: Core, index: number): string {
    if (index === 0) return 'first in the configured order'
    const before = this.#transports.nameOf(index - 1)
    const last = this.#racers.find((racer) => racer.index === index - 1)
    if (last === undefined) return `${before} failed: ${this.#attempts.list.at(-1)?.reason ?? 'it was given up'}`
    return this.#transports.isBlocked(core, index - 1)
      ? `${before} did not get through lately, and is tried beside it`
      : `${before}: ${this.#wordsFor(core, last)}; it goes on beside it`
  }

  /** A responder may ask for another group or a cookie and close: the repetition goes by a new connection (T-CK-4). Once for each. */
  #reopen(core: Core, racer: RacingSa, connection: Connection): boolean {
    const { sa } = racer
    const way = this.#transports.at(racer.index)
    const repeats = 'offer' in sa.state && connection.isOpen && sa.state.offer.repetitions > racer.reopened
    if (!repeats || way.transport !== 'tcp') return false
    if (sa.state.kind === 'IKE_SA_INIT_SENT')
      sa.state = { kind: 'KE_INITIATED', offer: sa.state.offer, publicValue: sa.state.publicValue, secret: sa.state.secret }
    racer.reopened++
    attachPath(core, sa, openStream(core, this.#initiator, way).path)
    return true
  }

  /** T-FB-4: what had its time and was silent does not get through; what was answered does. One that had no time says nothing. */
  #remember(core: Core, { sa, index, begunAt, sentAt, authenticatesSince }: RacingSa): void {
    const isAnswered = ANSWERED.includes(sa.state.kind)
    // An answer to IKE_SA_INIT is no news of what is blocked half way.
    if (isAnswered && this.#transports.isBlockedHalfWay(core, index)) return
    if (isAnswered) this.#transports.unblock(core, index)
    else if (core.now - (authenticatesSince ?? sentAt ?? begunAt) >= EVIDENT)
      this.#transports.block(core, index, authenticatesSince === undefined ? 'silent' : 'half-way')
  }

  /** It is over before it has come to anything. What the peer has of it goes by itself. */
  #leave(core: Core, racer: RacingSa, reason: string): void {
    this.#hasStrayIkeAuth ||= racer.authenticatesSince !== undefined
    this.#forget(core, racer, reason)
    closeIkeSa(core, racer.sa, reason, false)
  }

  #forget(core: Core, racer: RacingSa, reason: string): void {
    this.#racers = this.#racers.filter((other) => other !== racer)
    const transport = this.#transports.nameOf(racer.index)
    this.#attempts.failed(transport, reason)
    const afterMilliseconds = Math.round(core.now - racer.begunAt)
    core.event({ kind: 'transport-failed', peer: this.#initiator.peer.name, transport, reason, afterMilliseconds })
  }

  #lose(core: Core): void {
    this.#end(core)
    this.#initiator.raceLost(core)
  }

  #end(core: Core): readonly RacingSa[] {
    const racers = this.#racers
    this.#isOver = true
    this.#racers = []
    core.timers.clearAll(this)
    return racers
  }

  #wordsFor(core: Core, racer: RacingSa): string {
    return progressWords(racer.sa, core.now - (racer.authenticatesSince ?? racer.begunAt), racer.failure)
  }

  #racerOf(sa: IkeSa): RacingSa | undefined {
    return this.#racers.find((racer) => racer.sa === sa)
  }

  #racerOn(connection: Connection): RacingSa | undefined {
    return this.#racers.find(({ sa }) => isOn(sa.path, connection))
  }

  #racerAt(index: number): RacingSa {
    return this.#racers.find((racer) => racer.index === index)!
  }
}

/** As the rules see it. */
function asRacer({ sa, index, begunAt, sentAt, authenticatesSince, hopeUntil }: RacingSa): Racer {
  const { transport } = sa
  // An EAP conversation shows that IKE_AUTH gets through, and takes its time.
  if (authenticatesSince !== undefined)
    return { index, transport, stage: 'authenticating', since: sa.isIkeAuthAnswered ? Number.POSITIVE_INFINITY : authenticatesSince }
  if (sa.state.kind === 'KEYS_READY') return { index, transport, stage: 'ready', since: begunAt }
  const since = transport === 'udp' ? (sentAt ?? Number.POSITIVE_INFINITY) : begunAt
  // What was said of a request that a cookie has answered since is not said of the one that is out now: that has its full time.
  const isDoubted = hopeUntil !== undefined && isRepeated(sa)
  return { index, transport, stage: 'asking', since, ...(isDoubted ? { hopeUntil } : {}) }
}

/** T-FB-2: IKE_SA_INIT went out more than once. */
function isRepeated(sa: IkeSa): boolean {
  return sa.state.kind === 'IKE_SA_INIT_SENT' && sa.state.transmissions > 1
}
