/**
 * What keeps one peer's tunnel up. One machine at a time does it: its transports race (`racing.ts`); an IKE SA that lost its connection is
 * dialled again (`redialling.ts`); another way is looked for (`mover.ts`); and when the SA is gone all begins anew, after a while.
 */
import type { PeerConfig, TransportOption } from '../config.ts'
import type { Endpoint } from '../contract.ts'
import type { Core } from '../core.ts'
import type { AssignedAddress } from '../events.ts'
import type { IkeSa } from '../ike/ike-sa.ts'
import { attachPath, deleteIkeSa, detachPath } from '../ike/ike-sa-life.ts'
import { declareDead, doubtPath } from '../ike/liveness.ts'
import type { AnsweredCheck } from '../ike/path-check.ts'
import { resend, sendNextRequest } from '../ike/transmission.ts'
import type { Connection } from '../paths/connection.ts'
import { isOn, isToward, type Path } from '../paths/path.ts'
import type { PeerStatus } from '../status.ts'
import { Attempts } from './attempts.ts'
import { withJitter } from './jitter.ts'
import { Mover } from './mover.ts'
import { PathWatch } from './path-watch.ts'
import { Racing } from './racing.ts'
import { type ConnectionLoss, Redialling } from './redialling.ts'
import type { TransportList } from './transport-list.ts'

/** Where it stands. Each state carries what it needs and nothing else. */
type InitiatorState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly racing: Racing }
  /** `since`: when it took this path. `loss`: of the connection before this one, until the peer answers on this one. */
  | { readonly kind: 'up'; readonly sa: IkeSa; readonly index: number; readonly since: number; readonly loss?: ConnectionLoss }
  | { readonly kind: 'redialling'; readonly sa: IkeSa; readonly index: number; readonly redialling: Redialling }
  /** Another way is looked for, while the old one may still serve (RFC 4555). */
  | { readonly kind: 'moving'; readonly sa: IkeSa; readonly index: number; readonly mover: Mover }
  | { readonly kind: 'waiting' }

/** Milliseconds after which a connection has served for a while. */
const SERVED = 10_000

export class Initiator {
  declare readonly timerNames: 'retry' | 'probe' | 'recheck'
  readonly timers: Map<string, unknown> = new Map()
  readonly peer: PeerConfig
  readonly transports: TransportList
  #state: InitiatorState = { kind: 'idle' }
  readonly #attempts = new Attempts()
  readonly #watch: PathWatch
  /** The inner addresses that the peer assigned last. */
  assigned: readonly AssignedAddress[] = []
  #rounds = 0
  /** Times in a row that UDP was tried in vain from a stream. */
  #probes = 0

  constructor(peer: PeerConfig, transports: TransportList) {
    this.peer = peer
    this.transports = transports
    this.#watch = new PathWatch(this, transports)
  }

  /** The command 'initiate'. Nothing happens where the tunnel is up or on its way. */
  start(core: Core): void {
    if (this.#state.kind !== 'idle' && this.#state.kind !== 'waiting') return
    core.timers.clear(this, 'retry')
    const racing = new Racing(this, this.transports, this.#attempts)
    this.#state = { kind: 'connecting', racing }
    racing.begin(core)
  }

  /** The command 'terminate': tell the other end, stay down. */
  stop(core: Core): void {
    const state = this.#state
    this.#state = { kind: 'idle' }
    core.timers.clearAll(this)
    this.#watch.pause(core)
    if (state.kind === 'connecting') return state.racing.stop(core)
    if (state.kind === 'moving') {
      state.mover.stop(core)
      // What is out has to be answered before a Delete may follow.
      resend(core, state.sa)
    }
    if (state.kind === 'redialling') state.redialling.stop(core, 'terminated')
    if ('sa' in state) deleteIkeSa(core, state.sa.series.current, 'terminated')
  }

  /** The command 'set-transports': for what is begun from now on. What has not come to anything yet is begun anew. */
  setTransports(core: Core, transports: readonly TransportOption[]): void {
    const state = this.#state
    if (!this.transports.offer(transports)) return
    if (state.kind === 'connecting') state.racing.beginAnew(core, 'the gateway has other addresses')
    else if (state.kind === 'moving' && state.mover.looksForAny) {
      state.mover.stop(core)
      this.#move(core, state.sa, state.index, 'the gateway has other addresses')
    }
  }

  connectionOpened(core: Core, connection: Connection): void {
    const state = this.#state
    if (state.kind === 'connecting') state.racing.connectionOpened(core, connection)
    else if (state.kind === 'moving') state.mover.connectionOpened(core, connection)
    else if (state.kind === 'redialling') state.redialling.connectionOpened(core, connection)
  }

  connectionClosed(core: Core, connection: Connection, reason: string): void {
    const state = this.#state
    if (state.kind === 'connecting') state.racing.connectionClosed(core, connection, reason)
    else if (state.kind === 'redialling') state.redialling.connectionClosed(core, connection, reason)
    else if (state.kind === 'moving') state.mover.connectionClosed(core, connection)
    else if (state.kind === 'up' && isOn(state.sa.path, connection)) {
      detachPath(core, state.sa)
      // An unanswered request waits for the next connection, not for a clock.
      core.timers.clear(state.sa, 'response')
      const isSudden = core.now - state.since >= SERVED
      const before = state.sa.isResuming ? state.loss : undefined
      const loss = before ?? { since: core.now, isSudden, tries: 0, fruitless: 0 }
      this.#redial(core, state, before && connection.isForeign ? { ...before, fruitless: before.fruitless - 1 } : loss, reason)
    }
  }

  /** A valid answer came by `arrival`. 'unacceptable': it refuses the addresses of UPDATE_SA_ADDRESSES (RFC 4555 §3.5). */
  answeredBy(core: Core, sa: IkeSa, arrival: Path, verdict: AnsweredCheck | 'unacceptable' | undefined): void {
    if (this.#state.kind === 'moving' && this.#state.sa === sa) this.#state.mover.answeredBy(core, arrival, verdict)
  }

  pathChecked(core: Core, sa: IkeSa, check: AnsweredCheck): void {
    this.#watch.checked(core, sa, check)
  }

  initSent(core: Core, sa: IkeSa): void {
    if (this.#state.kind === 'connecting') this.#state.racing.initSent(core, sa)
  }

  keysReady(core: Core, sa: IkeSa): void {
    if (this.#state.kind === 'connecting') this.#state.racing.keysReady(core, sa)
  }

  pathForIkeAuth(sa: IkeSa, path: Path): Path {
    return this.#state.kind === 'connecting' ? this.#state.racing.pathForIkeAuth(sa, path) : path
  }

  /**
   * A datagram did not get to `remote` (to anybody, where that is not known). Nothing protects that word (RFC 7296 §2.4, C-8): it ends
   * nothing that is up, and during IKE_SA_INIT it shortens the wait for the next transport.
   */
  datagramFailed(core: Core, remote: Endpoint | undefined, reason: string): void {
    const state = this.#state
    if (state.kind === 'up' && isToward(state.sa.path, remote)) doubtPath(core, state.sa)
    else if (state.kind === 'connecting') state.racing.datagramFailed(core, remote, reason)
  }

  childInstalled(core: Core, sa: IkeSa): void {
    if (this.#state.kind === 'connecting') this.#state.racing.childInstalled(core, sa)
  }

  /** The peer took the last Child SA away: an IKE SA alone carries nothing, start over. */
  childrenGone(core: Core, sa: IkeSa, reason: string): void {
    if (sa.state.kind === 'ESTABLISHED' && reason === 'deleted by the peer') deleteIkeSa(core, sa, 'the peer deleted the last Child SA')
  }

  /** The IKE SA is another now, the same in all that concerns its path. */
  rekeyed(old: IkeSa, sa: IkeSa): void {
    const state = this.#state
    if (!('sa' in state) || state.sa !== old) return
    this.#state = { ...state, sa }
    if (state.kind === 'redialling') state.redialling.sa = sa
    if (state.kind === 'moving') state.mover.sa = sa
    this.#watch.rekeyed(old, sa)
  }

  ikeSaClosed(core: Core, sa: IkeSa, why: string): void {
    const state = this.#state
    if (state.kind === 'connecting') return state.racing.ikeSaClosed(core, sa, why)
    if (!('sa' in state) || state.sa !== sa) return
    if (state.kind === 'moving') state.mover.stop(core)
    if (state.kind === 'redialling') state.redialling.stop(core, why)
    this.#wait(core)
  }

  /** What was known of the network before is not known of this one, and another way is looked for before the old one has shown that it is none (T-MOB-1). */
  networkChanged(core: Core, network: string): void {
    const state = this.#state
    this.transports.enter(network)
    this.#watch.forget()
    this.#probes = 0
    if (state.kind === 'waiting') this.start(core)
    else if (state.kind === 'connecting') state.racing.beginAnew(core, 'the network changed')
    else if (state.kind === 'moving') state.mover.beginAnew(core)
    else if (state.kind === 'redialling') state.redialling.hasten(core)
    else if (state.kind === 'up' && state.sa.state.kind === 'ESTABLISHED') {
      if (state.sa.isMobike) this.#move(core, state.sa, state.index, 'the network changed')
      else doubtPath(core, state.sa)
    }
  }

  /**
   * Over UDP nothing is answered, nothing comes any more, and there is another transport: another way is looked for, or all begins anew
   * where the peer has no MOBIKE (RFC 9329 §5.1, §7.1, §9), instead of waiting for the last repetition. Answers whether it does.
   */
  leaveSilentPath(core: Core, sa: IkeSa, reason: string): boolean {
    const state = this.#state
    const isOurs = state.kind === 'up' && state.sa === sa && sa.state.kind === 'ESTABLISHED'
    if (!isOurs || sa.transport !== 'udp' || this.transports.length < 2) return false
    if (sa.isMobike) {
      this.transports.block(core, state.index, 'silent')
      this.#move(core, sa, state.index, reason)
    } else this.#startAnew(core, sa, reason)
    return true
  }

  /**
   * Nothing answers on a connection: it is given up, and its SA asks once more on another (RFC 9329 §6.2, T-RTX-2). Where that is as silent, other
   * ways are looked for. Answers whether something is tried; else the peer is dead, as it is where it says that it has lost the SA.
   */
  leaveSilentConnection(core: Core, sa: IkeSa, reason: string): boolean {
    const state = this.#state
    const isOurs = state.kind === 'up' && state.sa === sa && sa.state.kind === 'ESTABLISHED'
    if (!isOurs || sa.path?.transport !== 'tcp') return false
    if (!sa.isResuming) {
      core.closeConnection(sa.path.connection, 'reset', reason)
      return true
    }
    const hasLostIt = sa.suspectedAt !== undefined && sa.suspectedAt >= sa.resumedAt!
    if (hasLostIt || !sa.isMobike || this.transports.length < 2) return false
    this.#move(core, sa, state.index, reason)
    return true
  }

  /** RFC 4555 §3.4, §3.6: of this IKE SA, which may be with another machine than the one before it. */
  learnAddresses(core: Core, sa: IkeSa, addresses: readonly string[]): void {
    if (this.transports.learn(addresses)) core.event({ kind: 'additional-addresses', peer: this.peer.name, ikeSa: sa.id, addresses })
  }

  /** One has a Child SA. `hasStrayIkeAuth`: the peer may still get the IKE_AUTH of one that was dropped. */
  raceWon(core: Core, sa: IkeSa, index: number, hasStrayIkeAuth: boolean): void {
    this.#rounds = 0
    this.#probes = 0
    this.assigned = sa.addresses
    this.learnAddresses(core, sa, sa.additionalAddresses)
    this.#settle(core, sa, index)
    // Its INITIAL_CONTACT would have ended this SA at a peer that goes by the order of arrival: that is found out soon.
    if (hasStrayIkeAuth) core.timers.set(this, 'recheck', core.now + core.config.timers.resume)
  }

  raceLost(core: Core): void {
    this.#wait(core)
  }

  /** There is a connection again. T-RTX-2: the request that waits goes out again, the very same octets; then a fresh one moves the path (T-LIFE-12). */
  redialled(core: Core, sa: IkeSa, index: number, connection: Connection, loss: ConnectionLoss): void {
    this.#state = { kind: 'up', sa, index, since: core.now, loss }
    sa.resumedAt = core.now
    attachPath(core, sa, connection.path)
    this.#watch.begin(core, sa, index)
    sa.owesPathProbe = true
    resend(core, sa)
    sendNextRequest(core, sa)
  }

  redialledInVain(core: Core, sa: IkeSa, index: number, reason: string): void {
    this.#move(core, sa, index, reason)
  }

  /** The mover has come to its end: the SA has the path of this transport. */
  moved(core: Core, sa: IkeSa, from: number, to: number): void {
    this.transports.unblock(core, to)
    if (to !== from) this.#attempts.moved(this.transports.nameOf(to))
    this.#settle(core, sa, to)
  }

  /** UDP is no good, for a while or at all. */
  leaveForStream(core: Core, sa: IkeSa, index: number, reason: string): void {
    this.#move(core, sa, index, reason, 'stream')
  }

  /** A stream was no better. */
  returnToUdp(core: Core, sa: IkeSa): void {
    const state = this.#state
    if (state.kind === 'up' && state.sa === sa) this.#probe(core)
  }

  /** There is no way, or the peer does not go on with the SA. */
  wayLost(core: Core, sa: IkeSa, reason: string): void {
    this.#startAnew(core, sa, reason)
  }

  /** T-PERF-1: UDP is favoured, so one that rides a stream asks for it now and then, and seldom where it is long in vain. */
  probeLater(core: Core): void {
    const state = this.#state
    if (state.kind !== 'up') return
    const { sa, index } = state
    if (sa.transport === 'udp' || !sa.isMobike || !this.transports.hasUdpBefore(index)) {
      core.timers.clear(this, 'probe')
      return
    }
    const { udpProbe, maxUdpProbe } = core.config.timers
    const wait = withJitter(core, Math.min(maxUdpProbe, udpProbe * 2 ** Math.min(this.#probes++, 16)))
    core.timers.set(this, 'probe', Math.max(core.now + wait, this.#watch.streamUntil))
  }

  onTimer(core: Core, name: Initiator['timerNames']): void {
    const state = this.#state
    if (name === 'retry' && state.kind === 'waiting') this.start(core)
    else if (name === 'probe') this.#probe(core)
    else if (name === 'recheck' && state.kind === 'up') doubtPath(core, state.sa)
  }

  status(now: number): PeerStatus {
    const { kind } = this.#state
    const quality = kind === 'up' ? this.#watch.status() : undefined
    return {
      name: this.peer.name,
      state: kind === 'redialling' || kind === 'moving' ? 'waiting' : kind,
      ...(quality && { quality }),
      attempts: this.#attempts.list,
      blocked: this.transports.blocked(now),
    }
  }

  #settle(core: Core, sa: IkeSa, index: number): void {
    this.#state = { kind: 'up', sa, index, since: core.now }
    this.#watch.begin(core, sa, index)
    this.probeLater(core)
  }

  #redial(core: Core, { sa, index }: { readonly sa: IkeSa; readonly index: number }, loss: ConnectionLoss, reason: string): void {
    this.#watch.pause(core)
    const redialling = new Redialling(this, this.transports, sa, index, loss)
    this.#state = { kind: 'redialling', sa, index, redialling }
    redialling.redialLater(core, reason)
  }

  #move(core: Core, sa: IkeSa, from: number, reason: string, lookFor: 'any' | 'udp' | 'stream' = 'any'): void {
    const state = this.#state
    // UDP that has served for long was not taken in vain.
    if (state.kind === 'up' && sa.transport === 'udp' && core.now - state.since >= core.config.timers.blocked) this.#probes = 0
    core.timers.clear(this, 'probe')
    this.#watch.pause(core)
    const index = this.transports.renew(from)
    const mover = new Mover({ initiator: this, transports: this.transports, sa, index, lookFor })
    this.#state = { kind: 'moving', sa, index, mover }
    mover.begin(core, reason)
  }

  #startAnew(core: Core, sa: IkeSa, reason: string): void {
    this.#state = { kind: 'idle' }
    core.timers.clearAll(this)
    this.#watch.pause(core)
    declareDead(core, sa.series.current, reason)
    this.start(core)
  }

  #probe(core: Core): void {
    const state = this.#state
    if (state.kind !== 'up' || state.sa.state.kind !== 'ESTABLISHED') return
    // What is out is answered first.
    if (state.sa.window.outstanding) core.timers.set(this, 'probe', core.now + core.config.timers.resume)
    else this.#move(core, state.sa, state.index, 'UDP is tried again', 'udp')
  }

  #wait(core: Core): void {
    const { retry, maxRetry } = core.config.timers
    const inMilliseconds = withJitter(core, Math.min(maxRetry, retry * 2 ** Math.min(this.#rounds, 16)))
    this.#rounds++
    this.#state = { kind: 'waiting' }
    core.timers.clearAll(this)
    this.#watch.pause(core)
    core.timers.set(this, 'retry', core.now + inMilliseconds)
    core.event({ kind: 'retry-scheduled', peer: this.peer.name, round: this.#rounds, inMilliseconds })
  }
}
