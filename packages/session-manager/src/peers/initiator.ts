/**
 * What keeps one peer's tunnel up: its transports in order, each with an IKE SA of its own (a fallback starts a new
 * IKE_SA_INIT, RFC 9329 §5.1, T-FB-3); redialling for an IKE SA that lost its connection (§6.1); starting over when it is gone.
 */
import type { PeerConfig, StreamTransport, TransportOption } from '../config.ts'
import type { Endpoint } from '../contract.ts'
import type { Core } from '../core.ts'
import { IkeSa } from '../ike/ike-sa.ts'
import { NONCE_LENGTH } from '../ike/ike-sa-init.ts'
import { freshIkeSpi, sendIkeSaInit, startKeyExchange } from '../ike/ike-sa-init-engine.ts'
import { attachPath, closeIkeSa, deleteIkeSa, detachPath, resend, sendNextRequest } from '../ike/ike-sa-life.ts'
import { declareDead, doubtPath } from '../ike/liveness.ts'
import { ikeOffer } from '../ike/proposals.ts'
import { Connection } from '../paths/connection.ts'
import { isToward, type Path } from '../paths/path.ts'
import type { PeerStatus } from '../status.ts'
import { Attempts, describeTransport, fallbackReason } from './attempts.ts'
import type { Connecting, ConnectionLoss, InitiatorState, Redialling } from './initiator-state.ts'

/** Connections that were opened for an IKE SA and died unanswered: more than this, and the peer has lost the SA. */
const MAX_FRUITLESS = 3

export class Initiator {
  declare readonly timerNames: 'fallback' | 'retry' | 'redial'
  readonly timers: Map<string, unknown> = new Map()
  readonly peer: PeerConfig
  readonly #address: string
  readonly #transports: readonly TransportOption[]
  #state: InitiatorState = { kind: 'idle' }
  readonly #attempts = new Attempts()
  #rounds = 0

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
    // T-FB-1: without knowledge of this network, UDP goes first; the configured order says so.
    this.#tryTransport(core, 0, 'first in the configured order')
  }

  /** The command 'terminate': tell the other end, stay down. */
  stop(core: Core): void {
    const state = this.#state
    this.#state = { kind: 'idle' }
    core.timers.clearAll(this)
    if (state.kind === 'redialling' && state.connection) core.closeConnection(state.connection, 'reset', 'terminated')
    if ('sa' in state) deleteIkeSa(core, state.sa, 'terminated')
  }

  connectionOpened(core: Core, connection: Connection): void {
    const state = this.#state
    if (state.kind === 'connecting') return sendIkeSaInit(core, state.sa)
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
    if (state.kind === 'connecting' && isOn(state.sa, connection) && this.#reopen(core, state, connection)) return
    if (state.kind === 'connecting' && isOn(state.sa, connection))
      return closeIkeSa(core, state.sa, connection.isOpen ? `the connection was closed: ${reason}` : reason, false)
    if (state.kind === 'up' && isOn(state.sa, connection)) {
      detachPath(core, state.sa)
      // An unanswered request waits for the next connection, not for a clock.
      core.timers.clear(state.sa, 'response')
      const isFruitless = state.loss !== undefined && state.sa.isResuming
      return this.#redialLater(core, state, isFruitless ? state.loss : { since: core.now, tries: 0, fruitless: 0 }, reason)
    }
    if (state.kind === 'redialling' && state.connection === connection) this.#redialLater(core, state, state.loss, reason)
  }

  /** IKE_SA_INIT was answered: IKE_AUTH gets as long again before a half-open block is assumed (T-FB-2). */
  initAnswered(core: Core, sa: IkeSa): void {
    if (this.#state.kind === 'connecting' && this.#state.sa === sa && core.timers.has(this, 'fallback'))
      core.timers.set(this, 'fallback', core.now + core.config.timers.udpFallback)
  }

  /** RFC 7296 §2.23: with IKE_AUTH to the NAT traversal port, where ESP goes too. */
  pathForIkeAuth(path: Path): Path {
    const option = 'index' in this.#state ? this.#transports[this.#state.index] : undefined
    if (path.transport !== 'udp' || option?.transport !== 'udp') return path
    return { ...path, remote: { address: path.remote.address, port: option.natPort } }
  }

  /**
   * A datagram did not get to `remote` (to anybody, where that is not known). Nothing protects that word (RFC 7296 §2.4, C-8): it ends
   * nothing that is up, and during IKE_SA_INIT it shortens the wait for the next transport, where there is one.
   */
  datagramFailed(core: Core, remote: Endpoint | undefined, reason: string): void {
    const state = this.#state
    if (!('sa' in state) || !isToward(state.sa.path, remote)) return
    const { sa } = state
    if (state.kind === 'up') return doubtPath(core, sa)
    if (state.kind !== 'connecting' || sa.state.kind !== 'IKE_SA_INIT_SENT') return
    if (!this.#hasNext(state.index)) {
      // Nothing is cut short for it; it is told should no answer come.
      this.#state = { ...state, failure: reason }
      return
    }
    // T-FB-2: one repetition comes first. The two together have as long for an answer as the first alone would have had, however often
    // the word is repeated: anyone can forge it.
    const { retransmit } = core.config.timers
    const wasRepeated = isRepeated(sa)
    this.#state = { ...state, failure: reason }
    if (!wasRepeated) core.timers.hasten(sa, 'retransmit', core.now + retransmit / 2)
    core.timers.hasten(this, 'fallback', core.now + (wasRepeated ? retransmit / 2 : retransmit))
  }

  /**
   * Over UDP nothing is answered, nothing comes any more, and there is another transport: all begins anew with the first of the list
   * (RFC 9329 §5.1, §9) instead of waiting for the last repetition. Answers whether it does.
   */
  leaveSilentPath(core: Core, sa: IkeSa, reason: string): boolean {
    const state = this.#state
    const isOurs = state.kind === 'up' && state.sa === sa && sa.state.kind === 'ESTABLISHED'
    if (!isOurs || sa.transport !== 'udp' || this.#transports.length < 2) return false
    this.#state = { kind: 'idle' }
    declareDead(core, sa, reason)
    this.start(core)
    return true
  }

  childInstalled(core: Core, sa: IkeSa): void {
    const state = this.#state
    if (state.kind !== 'connecting' || state.sa !== sa) return
    core.timers.clear(this, 'fallback')
    this.#state = { kind: 'up', sa, index: state.index }
    this.#rounds = 0
    const transport = describeTransport(this.#transports[state.index]!)
    core.event({ kind: 'transport-chosen', peer: this.peer.name, transport, reason: this.#attempts.chosen() })
  }

  /** The peer took the last Child SA away: an IKE SA alone carries nothing, start over. */
  childrenGone(core: Core, sa: IkeSa, reason: string): void {
    if (sa.state.kind === 'ESTABLISHED' && reason === 'deleted by the peer') deleteIkeSa(core, sa, 'the peer deleted the last Child SA')
  }

  ikeSaClosed(core: Core, sa: IkeSa, why: string): void {
    const state = this.#state
    if (!('sa' in state) || state.sa !== sa) return
    const failure = state.kind === 'connecting' ? state.failure : undefined
    const reason = why === 'no answer' && failure !== undefined ? fallbackReason(core, sa, failure) : why
    core.timers.clear(this, 'fallback')
    core.timers.clear(this, 'redial')
    if (state.kind !== 'connecting') {
      if (state.kind === 'redialling' && state.connection) core.closeConnection(state.connection, 'reset', reason)
      return this.#wait(core)
    }
    this.#attempts.failed(reason)
    core.event({
      kind: 'transport-failed',
      peer: this.peer.name,
      transport: describeTransport(this.#transports[state.index]!),
      reason,
      afterMilliseconds: core.now - state.since,
    })
    // A peer that answered IKE_AUTH and said no says no on every transport.
    if (sa.isIkeAuthAnswered || !this.#hasNext(state.index)) return this.#wait(core)
    this.#tryTransport(core, state.index + 1, `${describeTransport(this.#transports[state.index]!)} failed: ${reason}`)
  }

  onTimer(core: Core, name: Initiator['timerNames']): void {
    const state = this.#state
    if (name === 'retry' && state.kind === 'waiting') this.start(core)
    else if (name === 'redial' && state.kind === 'redialling') {
      if (state.connection) core.closeConnection(state.connection, 'reset', `not open within ${core.config.timers.handshake} ms`)
      else this.#redial(core, state)
    } else if (name === 'fallback' && state.kind === 'connecting') this.#fallBack(core, state)
  }

  status(): PeerStatus {
    const { kind } = this.#state
    return { name: this.peer.name, state: kind === 'redialling' ? 'waiting' : kind, attempts: this.#attempts.list }
  }

  #fallBack(core: Core, state: Connecting): void {
    const { sa, since, failure } = state
    const fullTime = since + core.config.timers.udpFallback
    // The failure was said of a request that was answered since, by a cookie for one: the one that is out now has its full time.
    if (failure !== undefined && core.now < fullTime && !isRepeated(sa)) {
      core.timers.set(this, 'fallback', fullTime)
      return
    }
    closeIkeSa(core, sa, fallbackReason(core, sa, failure), false)
  }

  #tryTransport(core: Core, index: number, reason: string): void {
    const option = this.#transports[index]!
    const transport = describeTransport(option)
    const suites = this.peer.ikeProposals
    const offer = {
      proposals: ikeOffer(suites),
      nonce: core.random(NONCE_LENGTH),
      method: suites[0]!.keyExchange,
      refusedMethods: [],
      cookie: undefined,
      natMismatch: option.transport === 'udp' ? core.random(20) : undefined,
      repetitions: 0,
    }
    const remote = { address: this.#address, port: option.port }
    const sa = new IkeSa({
      role: 'initiator',
      transport: option.transport,
      initiatorSpi: freshIkeSpi(core),
      responderSpi: 0n,
      state: { kind: 'KE_INITIATE', offer },
      path: undefined,
      now: core.now,
    })
    sa.peer = this.peer
    sa.initiator = this
    core.ikeSas.set(sa.localSpi, sa)
    this.#state = { kind: 'connecting', sa, index, since: core.now, reopened: 0 }
    this.#attempts.begin(transport, reason)
    core.event({ kind: 'transport-tried', peer: this.peer.name, transport, reason })
    core.timers.set(sa, 'handshake', core.now + core.config.timers.handshake)
    if (option.transport === 'udp') {
      attachPath(core, sa, { transport: 'udp', local: { address: remote.address.includes(':') ? '::' : '0.0.0.0', port: 0 }, remote })
      if (this.#hasNext(index)) core.timers.set(this, 'fallback', core.now + core.config.timers.udpFallback)
    } else attachPath(core, sa, this.#open(core, option).path)
    startKeyExchange(core, sa, offer)
  }

  #open(core: Core, option: StreamTransport): Connection {
    const remote = { address: this.#address, port: option.port }
    const connection = new Connection(
      { id: core.nextConnectionId(), role: 'originator', framing: option.framing, local: { address: '', port: 0 }, remote, isOpen: false },
      core.config,
    )
    connection.initiator = this
    core.connections.set(connection.id, connection)
    const { framing, carrier } = option
    core.emit({ kind: 'open-connection', connection: connection.id, remote, framing, ...(carrier === undefined ? {} : { carrier }) })
    return connection
  }

  /** T-LIFE-5: back-off with jitter, and not for ever. */
  #redialLater(core: Core, state: { readonly sa: IkeSa; readonly index: number }, loss: ConnectionLoss, reason: string): void {
    const { redial, maxRedial, reconnect } = core.config.timers
    const lasted = core.now - loss.since
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
    this.#state = { ...state, connection: this.#open(core, option) }
    // Where nothing answers the attempt it is not waited for longer than a handshake.
    core.timers.set(this, 'redial', core.now + core.config.timers.handshake)
  }

  /** A responder may ask for another group or a cookie and close: the repetition goes by a new connection (T-CK-4). Once for each. */
  #reopen(core: Core, state: Connecting, connection: Connection): boolean {
    const { sa } = state
    const option = this.#transports[state.index]
    const repeats = 'offer' in sa.state && connection.isOpen && sa.state.offer.repetitions > state.reopened
    if (!repeats || option?.transport !== 'tcp') return false
    if (sa.state.kind === 'IKE_SA_INIT_SENT')
      sa.state = { kind: 'KE_INITIATED', offer: sa.state.offer, publicValue: sa.state.publicValue, secret: sa.state.secret }
    this.#state = { ...state, reopened: state.reopened + 1 }
    attachPath(core, sa, this.#open(core, option).path)
    return true
  }

  #wait(core: Core): void {
    const { retry, maxRetry } = core.config.timers
    const inMilliseconds = withJitter(core, Math.min(maxRetry, retry * 2 ** Math.min(this.#rounds, 16)))
    this.#rounds++
    this.#state = { kind: 'waiting' }
    core.timers.set(this, 'retry', core.now + inMilliseconds)
    core.event({ kind: 'retry-scheduled', peer: this.peer.name, round: this.#rounds, inMilliseconds })
  }

  /** Another transport is in the list behind this one. */
  #hasNext(index: number): boolean {
    return index + 1 < this.#transports.length
  }
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
