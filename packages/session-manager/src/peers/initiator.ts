/**
 * What keeps one peer's tunnel up: its transports, which race (RFC 9329 §5.1; the rules are in `race.ts`), each with an IKE SA of its own;
 * redialling for an IKE SA that lost its connection (§6.1); starting over when it is gone.
 */
import type { PeerConfig, TransportOption } from '../config.ts'
import type { Endpoint } from '../contract.ts'
import type { Core } from '../core.ts'
import type { IkeSa } from '../ike/ike-sa.ts'
import { sendIkeAuth, sendIkeSaInit } from '../ike/ike-sa-init-engine.ts'
import { attachPath, closeIkeSa, deleteIkeSa, detachPath, resend, sendNextRequest } from '../ike/ike-sa-life.ts'
import { declareDead, doubtPath } from '../ike/liveness.ts'
import type { Connection } from '../paths/connection.ts'
import { isToward, type Path } from '../paths/path.ts'
import type { PeerStatus } from '../status.ts'
import { Attempts, describeTransport, progressWords } from './attempts.ts'
import { newIkeSa, openStream, startIkeSa } from './dial.ts'
import type { ConnectionLoss, InitiatorState, RacingSa, Redialling } from './initiator-state.ts'
import { Mover } from './mover.ts'
import { nextMove, type Racer } from './race.ts'

/** Connections that were opened for an IKE SA and died unanswered: more than this, and the peer has lost the SA. */
const MAX_FRUITLESS = 3

export class Initiator {
  declare readonly timerNames: 'race' | 'retry' | 'redial' | 'probe'
  readonly timers: Map<string, unknown> = new Map()
  readonly peer: PeerConfig
  readonly #address: string
  readonly #transports: readonly TransportOption[]
  #state: InitiatorState = { kind: 'idle' }
  readonly #attempts = new Attempts()
  #rounds = 0
  /** Times in a row that UDP was tried in vain from a stream. */
  #probes = 0
  /** Until when it is remembered of a transport that it did not get through (T-FB-4). */
  readonly #blockedUntil = new Map<number, number>()

  constructor(peer: PeerConfig, address: string, transports: readonly TransportOption[]) {
    this.peer = peer
    this.#address = address
    this.#transports = transports
  }

  /** The command 'initiate'. Nothing happens where the tunnel is up or on its way. */
  start(core: Core): void {
    if (this.#state.kind !== 'idle' && this.#state.kind !== 'waiting') return
    core.timers.clear(this, 'retry')
    this.#attempts.clear()
    this.#state = { kind: 'connecting', racers: [], next: 0 }
    this.#race(core)
  }

  /** The command 'terminate': tell the other end, stay down. */
  stop(core: Core): void {
    const state = this.#state
    this.#state = { kind: 'idle' }
    core.timers.clearAll(this)
    if (state.kind === 'moving') {
      state.mover.stop(core)
      // What is out has to be answered before a Delete may follow.
      resend(core, state.sa)
    }
    if (state.kind === 'redialling' && state.connection) core.closeConnection(state.connection, 'reset', 'terminated')
    if ('sa' in state) deleteIkeSa(core, state.sa, 'terminated')
    else if (state.kind === 'connecting') for (const { sa } of state.racers) deleteIkeSa(core, sa, 'terminated')
  }

  connectionOpened(core: Core, connection: Connection): void {
    const state = this.#state
    if (state.kind === 'connecting') {
      const racer = state.racers.find(({ sa }) => isOn(sa, connection))
      if (racer) sendIkeSaInit(core, racer.sa)
      return
    }
    if (state.kind === 'moving') return state.mover.connectionOpened(core, connection)
    if (state.kind !== 'redialling' || state.connection !== connection) return
    this.#state = { kind: 'up', sa: state.sa, index: state.index, loss: { ...state.loss, fruitless: state.loss.fruitless + 1 } }
    state.sa.resumedAt = core.now
    core.timers.clear(this, 'redial')
    attachPath(core, state.sa, connection.path)
    // T-RTX-2: the request that waits goes out again, the very same octets; then a fresh one moves the path (T-LIFE-12).
    state.sa.owesPathProbe = true
    resend(core, state.sa)
    sendNextRequest(core, state.sa)
  }

  connectionClosed(core: Core, connection: Connection, reason: string): void {
    const state = this.#state
    if (state.kind === 'connecting') {
      const racer = state.racers.find(({ sa }) => isOn(sa, connection))
      if (racer && !this.#reopen(core, racer, connection))
        closeIkeSa(core, racer.sa, connection.isOpen ? `the connection was closed: ${reason}` : reason, false)
      return
    }
    if (state.kind === 'up' && isOn(state.sa, connection)) {
      detachPath(core, state.sa)
      // An unanswered request waits for the next connection, not for a clock.
      core.timers.clear(state.sa, 'response')
      const isFruitless = state.loss !== undefined && state.sa.isResuming
      return this.#redialLater(core, state, isFruitless ? state.loss : { since: core.now, tries: 0, fruitless: 0 }, reason)
    }
    if (state.kind === 'redialling' && state.connection === connection) this.#redialLater(core, state, state.loss, reason)
    else if (state.kind === 'moving') state.mover.connectionClosed(core, connection)
  }

  /** A valid answer came by `arrival`. */
  answeredBy(core: Core, sa: IkeSa, arrival: Path): void {
    if (this.#state.kind === 'moving' && this.#state.sa === sa) this.#state.mover.answeredBy(core, arrival)
  }

  /** The first IKE_SA_INIT of an attempt left: from now on it may be answered. */
  initSent(core: Core, sa: IkeSa): void {
    const racer = this.#racerOf(sa)
    if (racer === undefined) return
    racer.sentAt = core.now
    this.#race(core)
  }

  /** IKE_SA_INIT was answered and the keys are there: IKE_AUTH goes when its turn comes. */
  keysReady(core: Core, sa: IkeSa): void {
    if (this.#racerOf(sa)) this.#race(core)
  }

  /** RFC 7296 §2.23: with IKE_AUTH to the NAT traversal port, where ESP goes too. */
  pathForIkeAuth(sa: IkeSa, path: Path): Path {
    const option = this.#transports[this.#racerOf(sa)?.index ?? -1]
    if (path.transport !== 'udp' || option?.transport !== 'udp') return path
    return { ...path, remote: { address: path.remote.address, port: option.natPort } }
  }

  /**
   * A datagram did not get to `remote` (to anybody, where that is not known). Nothing protects that word (RFC 7296 §2.4, C-8): it ends
   * nothing that is up, and during IKE_SA_INIT it shortens the wait for the next transport, where there is one.
   */
  datagramFailed(core: Core, remote: Endpoint | undefined, reason: string): void {
    const state = this.#state
    if (state.kind === 'up' && isToward(state.sa.path, remote)) return doubtPath(core, state.sa)
    if (state.kind !== 'connecting') return
    for (const racer of state.racers) {
      const { sa } = racer
      if (sa.state.kind !== 'IKE_SA_INIT_SENT' || !isToward(sa.path, remote)) continue
      racer.failure = reason
      // Nothing is cut short for it where there is no other; it is told should no answer come.
      if (state.next === this.#transports.length) continue
      // T-FB-2: one repetition comes first. The two together have as long for an answer as the first alone would have had, however often
      // the word is repeated: anyone can forge it.
      const { retransmit } = core.config.timers
      const wasRepeated = isRepeated(sa)
      if (!wasRepeated) core.timers.hasten(sa, 'retransmit', core.now + retransmit / 2)
      racer.hopeUntil = Math.min(racer.hopeUntil ?? Number.POSITIVE_INFINITY, core.now + (wasRepeated ? retransmit / 2 : retransmit))
    }
    this.#race(core)
  }

  /**
   * Over UDP nothing is answered, nothing comes any more, and there is another transport: another way is looked for, or all begins anew
   * where the peer has no MOBIKE (RFC 9329 §5.1, §7.1, §9), instead of waiting for the last repetition. Answers whether it does.
   */
  leaveSilentPath(core: Core, sa: IkeSa, reason: string): boolean {
    const state = this.#state
    const isOurs = state.kind === 'up' && state.sa === sa && sa.state.kind === 'ESTABLISHED'
    if (!isOurs || sa.transport !== 'udp' || this.#transports.length < 2) return false
    if (sa.isMobike) {
      this.#blockedUntil.set(state.index, core.now + core.config.timers.blocked)
      this.#move(core, sa, state.index, reason)
    } else this.#startAnew(core, sa, reason)
    return true
  }

  #startAnew(core: Core, sa: IkeSa, reason: string): void {
    this.#state = { kind: 'idle' }
    declareDead(core, sa, reason)
    this.start(core)
  }

  /** T-PERF-1: UDP is favoured, so one that rides a stream asks for it now and then, and seldom where it is long in vain. */
  #probeLater(core: Core, sa: IkeSa, index: number): void {
    const hasBetter = this.#transports.slice(0, index).some(({ transport }) => transport === 'udp')
    if (sa.transport === 'udp' || !hasBetter || !sa.isMobike) {
      this.#probes = 0
      return
    }
    const { udpProbe, maxUdpProbe } = core.config.timers
    core.timers.set(this, 'probe', core.now + withJitter(core, Math.min(maxUdpProbe, udpProbe * 2 ** Math.min(this.#probes++, 16))))
  }

  #probe(core: Core): void {
    const state = this.#state
    if (state.kind !== 'up' || state.sa.state.kind !== 'ESTABLISHED') return
    // What is out is answered first.
    if (state.sa.window.outstanding) core.timers.set(this, 'probe', core.now + core.config.timers.resume)
    else this.#move(core, state.sa, state.index, 'UDP is tried again', 'udp')
  }

  #move(core: Core, sa: IkeSa, index: number, reason: string, lookFor: 'any' | 'udp' = 'any'): void {
    core.timers.clear(this, 'redial')
    core.timers.clear(this, 'probe')
    const options = {
      initiator: this,
      sa,
      address: this.#address,
      transports: this.#transports,
      index,
      lookFor,
      isBlocked: (one: number) => lookFor === 'any' && this.#isBlocked(core, one),
      onMoved: (later: Core, to: number) => {
        this.#blockedUntil.delete(to)
        this.#state = { kind: 'up', sa, index: to }
        if (to !== index) this.#attempts.moved(to, describeTransport(this.#transports[to]!))
        this.#probeLater(later, sa, to)
      },
      onLost: (later: Core, why: string) => this.#startAnew(later, sa, why),
    }
    this.#state = { kind: 'moving', sa, index, mover: new Mover(core, options, reason) }
  }

  /** What was known of transports is forgotten, and another way looked for before the old one has shown that it is none (T-MOB-1). */
  networkChanged(core: Core): void {
    const state = this.#state
    this.#blockedUntil.clear()
    this.#probes = 0
    if (state.kind === 'waiting') return this.start(core)
    if (state.kind === 'moving') return state.mover.beginAnew(core)
    if (state.kind === 'redialling') {
      if (state.connection === undefined) core.timers.hasten(this, 'redial', core.now)
      return
    }
    if (state.kind === 'connecting') {
      // What they asked may have left by what is no way any more.
      for (const racer of state.racers) this.#leave(core, racer, 'the network changed')
      this.#state = { kind: 'idle' }
      return this.start(core)
    }
    if (state.kind !== 'up' || state.sa.state.kind !== 'ESTABLISHED') return
    if (state.sa.isMobike) this.#move(core, state.sa, state.index, 'the network changed')
    else doubtPath(core, state.sa)
  }

  /** The race is over: protected messages have gone both ways. The others are left without a word. */
  childInstalled(core: Core, sa: IkeSa): void {
    const state = this.#state
    const winner = this.#racerOf(sa)
    if (state.kind !== 'connecting' || winner === undefined) return
    core.timers.clear(this, 'race')
    const { index } = winner
    this.#state = { kind: 'up', sa, index }
    this.#rounds = 0
    this.#blockedUntil.delete(index)
    for (const loser of state.racers) {
      if (loser === winner) continue
      if (loser.index < index) this.#blockedUntil.set(loser.index, core.now + core.config.timers.blocked)
      this.#leave(core, loser, this.#wordsFor(core, loser))
    }
    const transport = describeTransport(this.#transports[index]!)
    core.event({ kind: 'transport-chosen', peer: this.peer.name, transport, reason: this.#attempts.chosen(index) })
    this.#probes = 0
    this.#probeLater(core, sa, index)
  }

  /** The peer took the last Child SA away: an IKE SA alone carries nothing, start over. */
  childrenGone(core: Core, sa: IkeSa, reason: string): void {
    if (sa.state.kind === 'ESTABLISHED' && reason === 'deleted by the peer') deleteIkeSa(core, sa, 'the peer deleted the last Child SA')
  }

  ikeSaClosed(core: Core, sa: IkeSa, why: string): void {
    const state = this.#state
    const racer = this.#racerOf(sa)
    if (state.kind === 'connecting' && racer) return this.#racerClosed(core, racer, why)
    if (!('sa' in state) || state.sa !== sa) return
    core.timers.clear(this, 'redial')
    if (state.kind === 'moving') state.mover.stop(core)
    if (state.kind === 'redialling' && state.connection) core.closeConnection(state.connection, 'reset', why)
    this.#wait(core)
  }

  onTimer(core: Core, name: Initiator['timerNames']): void {
    const state = this.#state
    if (name === 'retry' && state.kind === 'waiting') this.start(core)
    else if (name === 'race') this.#race(core)
    else if (name === 'probe') this.#probe(core)
    else if (name === 'redial' && state.kind === 'redialling') {
      if (state.connection) core.closeConnection(state.connection, 'reset', `not open within ${this.#redialPatience(core, state.sa)} ms`)
      else this.#redial(core, state)
    }
  }

  status(): PeerStatus {
    const { kind } = this.#state
    return { name: this.peer.name, state: kind === 'redialling' || kind === 'moving' ? 'waiting' : kind, attempts: this.#attempts.list }
  }

  /** Does what is to be done now, and looks again when there may be more. */
  #race(core: Core): void {
    for (;;) {
      const state = this.#state
      if (state.kind !== 'connecting') return
      const { racers, next } = state
      if (racers.length === 0 && next === this.#transports.length) return this.#wait(core)
      const move = nextMove({
        now: core.now,
        racers: racers.map(asRacer),
        count: this.#transports.length,
        next,
        isBlocked: (index) => this.#isBlocked(core, index),
        times: { headStart: core.config.timers.udpFallback, stagger: core.config.timers.stagger },
      })
      switch (move.kind) {
        case 'begin':
          this.#begin(core, move.index)
          break
        case 'authenticate': {
          const racer = racers.find(({ index }) => index === move.index)!
          racer.authenticatesSince = core.now
          sendIkeAuth(core, racer.sa)
          break
        }
        case 'drop': {
          const racer = racers.find(({ index }) => index === move.index)!
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
    const state = this.#state
    if (state.kind !== 'connecting') return
    const option = this.#transports[index]!
    const transport = describeTransport(option)
    const reason = this.#reasonFor(core, index, state.racers)
    const sa = newIkeSa(core, this, option)
    this.#state = { kind: 'connecting', racers: [...state.racers, { sa, index, begunAt: core.now, reopened: 0 }], next: index + 1 }
    this.#attempts.begin(index, transport, reason)
    core.event({ kind: 'transport-tried', peer: this.peer.name, transport, reason })
    startIkeSa(core, sa, this, this.#address, option)
  }

  /** T-FB-1: without knowledge of this network, UDP goes first; the configured order says so. */
  #reasonFor(core: Core, index: number, racers: readonly RacingSa[]): string {
    if (index === 0) return 'first in the configured order'
    const before = describeTransport(this.#transports[index - 1]!)
    const last = racers.find((racer) => racer.index === index - 1)
    if (last === undefined) return `${before} failed: ${this.#attempts.list.at(-1)?.reason ?? 'it was given up'}`
    return this.#isBlocked(core, index - 1)
      ? `${before} did not get through lately, and is tried beside it`
      : `${before}: ${this.#wordsFor(core, last)}; it goes on beside it`
  }

  #racerClosed(core: Core, racer: RacingSa, why: string): void {
    const reason = why === 'no answer' ? this.#wordsFor(core, racer) : why
    const { isIkeAuthAnswered } = racer.sa
    this.#forget(core, racer, reason)
    const state = this.#state
    if (state.kind !== 'connecting') return
    // A peer that answered IKE_AUTH and said no says no on every transport.
    if (!isIkeAuthAnswered) return this.#race(core)
    for (const other of state.racers) this.#leave(core, other, 'the peer refused us on another')
    this.#wait(core)
  }

  /** It is over before it has come to anything. What the peer has of it goes by itself. */
  #leave(core: Core, racer: RacingSa, reason: string): void {
    this.#forget(core, racer, reason)
    closeIkeSa(core, racer.sa, reason, false)
  }

  #forget(core: Core, racer: RacingSa, reason: string): void {
    const state = this.#state
    if (state.kind === 'connecting') this.#state = { ...state, racers: state.racers.filter((other) => other !== racer) }
    this.#attempts.failed(racer.index, reason)
    const transport = describeTransport(this.#transports[racer.index]!)
    const afterMilliseconds = Math.round(core.now - racer.begunAt)
    core.event({ kind: 'transport-failed', peer: this.peer.name, transport, reason, afterMilliseconds })
  }

  #wordsFor(core: Core, racer: RacingSa): string {
    return progressWords(racer.sa, core.now - (racer.authenticatesSince ?? racer.begunAt), racer.failure)
  }

  #racerOf(sa: IkeSa): RacingSa | undefined {
    return this.#state.kind === 'connecting' ? this.#state.racers.find((racer) => racer.sa === sa) : undefined
  }

  #isBlocked(core: Core, index: number): boolean {
    return (this.#blockedUntil.get(index) ?? Number.NEGATIVE_INFINITY) > core.now
  }

  /** T-LIFE-5: back-off with jitter, and not for ever. */
  #redialLater(core: Core, state: { readonly sa: IkeSa; readonly index: number }, loss: ConnectionLoss, reason: string): void {
    const { redial, maxRedial, reconnect } = core.config.timers
    const lasted = core.now - loss.since
    // It was dialled at once, and in vain: there may be another way.
    if (loss.tries > 0 && this.#canMove(state.sa)) return this.#move(core, state.sa, state.index, reason)
    if (lasted >= reconnect) return closeIkeSa(core, state.sa, `no connection for ${lasted} ms: ${reason}`, false)
    if (loss.fruitless >= MAX_FRUITLESS)
      return closeIkeSa(
        core,
        state.sa,
        `${loss.fruitless} new connections were opened and none was answered on: the peer does not go on with this IKE SA`,
        false,
      )
    const inMilliseconds = withJitter(core, Math.min(maxRedial, redial * 2 ** loss.tries))
    this.#state = { kind: 'redialling', sa: state.sa, index: state.index, loss: { ...loss, tries: loss.tries + 1 }, connection: undefined }
    core.timers.set(this, 'redial', core.now + inMilliseconds)
    core.event({ kind: 'reconnecting', peer: this.peer.name, ikeSa: state.sa.id, inMilliseconds, reason })
  }

  #redial(core: Core, state: Redialling): void {
    const option = this.#transports[state.index]
    if (option?.transport !== 'tcp') return
    this.#state = { ...state, connection: openStream(core, this, this.#address, option) }
    core.timers.set(this, 'redial', core.now + this.#redialPatience(core, state.sa))
  }

  /** Where nothing answers the attempt it is not waited for longer than a handshake, and not as long where there are others. */
  #redialPatience(core: Core, sa: IkeSa): number {
    const { handshake, resume } = core.config.timers
    return this.#canMove(sa) ? Math.min(resume, handshake) : handshake
  }

  #canMove(sa: IkeSa): boolean {
    return sa.isMobike && this.#transports.length > 1
  }

  /** A responder may ask for another group or a cookie and close: the repetition goes by a new connection (T-CK-4). Once for each. */
  #reopen(core: Core, racer: RacingSa, connection: Connection): boolean {
    const { sa } = racer
    const option = this.#transports[racer.index]
    const repeats = 'offer' in sa.state && connection.isOpen && sa.state.offer.repetitions > racer.reopened
    if (!repeats || option?.transport !== 'tcp') return false
    if (sa.state.kind === 'IKE_SA_INIT_SENT')
      sa.state = { kind: 'KE_INITIATED', offer: sa.state.offer, publicValue: sa.state.publicValue, secret: sa.state.secret }
    racer.reopened++
    attachPath(core, sa, openStream(core, this, this.#address, option).path)
    return true
  }

  #wait(core: Core): void {
    const { retry, maxRetry } = core.config.timers
    const inMilliseconds = withJitter(core, Math.min(maxRetry, retry * 2 ** Math.min(this.#rounds, 16)))
    this.#rounds++
    this.#state = { kind: 'waiting' }
    core.timers.clear(this, 'race')
    core.timers.set(this, 'retry', core.now + inMilliseconds)
    core.event({ kind: 'retry-scheduled', peer: this.peer.name, round: this.#rounds, inMilliseconds })
  }
}

/** As the rules see it. */
function asRacer({ sa, index, begunAt, sentAt, authenticatesSince, hopeUntil }: RacingSa): Racer {
  const { transport } = sa
  if (authenticatesSince !== undefined) return { index, transport, stage: 'authenticating', since: authenticatesSince }
  if (sa.state.kind === 'KEYS_READY') return { index, transport, stage: 'ready', since: begunAt }
  const since = transport === 'udp' ? (sentAt ?? Number.POSITIVE_INFINITY) : begunAt
  // What was said of a request that a cookie has answered since is not said of the one that is out now: that has its full time.
  const isDoubted = hopeUntil !== undefined && isRepeated(sa)
  return { index, transport, stage: 'asking', since, ...(isDoubted ? { hopeUntil } : {}) }
}

function isOn(sa: IkeSa, connection: Connection): boolean {
  return sa.path?.transport === 'tcp' && sa.path.connection === connection
}

/** T-FB-2: IKE_SA_INIT went out more than once. */
function isRepeated(sa: IkeSa): boolean {
  return sa.state.kind === 'IKE_SA_INIT_SENT' && sa.state.transmissions > 1
}

/** 80 % to 120 %, so that many clients do not come back in step. */
function withJitter(core: Core, milliseconds: number): number {
  return Math.round(milliseconds * (0.8 + (0.4 * core.random(1)[0]!) / 255))
}
