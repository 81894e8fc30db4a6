/**
 * The core of Underpass: IKEv2 (RFC 7296) and ESP (RFC 4303) over UDP and over TCP (RFC 9329) as a deterministic function of
 * inputs, time and randomness. Pure: everything below this line of the package opens no socket and reads no clock.
 *
 * The rooms, in the order in which a packet passes them; none calls an earlier one:
 *
 *   wire → TUN   1. deframe            tcp-framing, paths/connection.ts
 *                2. ESP in             data-path/inbound.ts
 *                3. IKE in             ike/ike-engine.ts → ike/transitions.ts → the exchange's file
 *                4. TUN batch          data-path/tun-batch.ts
 *   TUN → wire   5. SPD, seal, frame   data-path/outbound.ts
 *   by itself    6. timers             ike/ike-sa-timers.ts, peers/initiator.ts
 */

import type { ChildSa } from './child/child-sa.ts'
import { Spd } from './child/spd.ts'
import type { SessionConfig } from './config.ts'
import type { Command, ConnectionId, CryptoWork, Input, Output, RandomSource } from './contract.ts'
import type { Core, JobContinuation, Timed } from './core.ts'
import { receiveEsp } from './data-path/inbound.ts'
import { Outbound } from './data-path/outbound.ts'
import { TunBatch } from './data-path/tun-batch.ts'
import type { SessionEvent } from './events.ts'
import { CookieJar } from './ike/cookie.ts'
import { HalfOpenTable } from './ike/half-open-table.ts'
import { handleIkeMessage } from './ike/ike-engine.ts'
import { IkeSa } from './ike/ike-sa.ts'
import { deleteIkeSa, detachPath, sendRequest } from './ike/ike-sa-life.ts'
import { onIkeSaTimer } from './ike/ike-sa-timers.ts'
import { buildChildSaDelete, buildLivenessCheck } from './ike/informational.ts'
import { describeSession } from './inspection.ts'
import { Connection } from './paths/connection.ts'
import { AddressPool } from './peers/address-pool.ts'
import { Initiator } from './peers/initiator.ts'
import { SessionError } from './session-error.ts'
import type { Counters, SessionStatus } from './status.ts'
import { describeEspSuite, describeIkeSuite, isEspSuite, isIkeSuite } from './suites.ts'
import { TimerQueue } from './timer-queue.ts'

/** Unprotected answers to strangers in one second. */
const STRANGERS_PER_SECOND = 10

/** Octets of IKE that every implementation must take (RFC 7296 §2), which a connection must then be able to hold. */
const SMALLEST_BUFFER = 1280

/** RFC 9329 §3. */
const LONGEST_MESSAGE = 65_533

export class SessionManager implements Core {
  readonly config: SessionConfig
  readonly random: RandomSource
  readonly timers: TimerQueue<Timed> = new TimerQueue()
  readonly ikeSas: Map<bigint, IkeSa> = new Map()
  readonly halfOpen: HalfOpenTable = new HalfOpenTable()
  readonly sad: Map<number, ChildSa> = new Map()
  readonly spd: Spd = new Spd()
  readonly connections: Map<ConnectionId, Connection> = new Map()
  readonly initiators: Map<string, Initiator> = new Map()
  readonly pools: Map<string, AddressPool> = new Map()
  readonly cookies: CookieJar
  readonly counters: Counters = {}
  readonly #outputs: Output[] = []
  readonly #jobs = new Map<number, { readonly sa: IkeSa; readonly then: JobContinuation }>()
  readonly #tun = new TunBatch()
  readonly #outbound = new Outbound()
  readonly #perAddress = new Map<string, number>()
  #now = 0
  #nextOutput = 0
  #nextJob = 1
  #nextConnection = 2
  #strangers = { second: 0, count: 0 }
  #isTunPaused = false

  /** Throws `SessionError` 'INVALID_CONFIG' where the configuration contradicts itself. */
  constructor(config: SessionConfig, random: RandomSource) {
    checkConfig(config)
    this.config = config
    this.random = random
    this.cookies = new CookieJar(random)
    for (const peer of config.peers) {
      // Peers that name one pool share it: users of one connection, each with a secret of his own.
      const sharer = config.peers.find((other) => other.pool !== undefined && other.pool === peer.pool)
      if (peer.pool && sharer) this.pools.set(peer.name, this.pools.get(sharer.name) ?? new AddressPool(peer.pool.ranges))
      if (peer.dial) this.initiators.set(peer.name, new Initiator(peer, peer.dial.address, peer.dial.transports))
    }
  }

  get now(): number {
    return this.#now
  }

  /** One input at `now` (milliseconds, monotonic). Drain `pollOutput` to 'wait-until' before the next. Throws `SessionError` of blame 'caller' or 'bug' only. */
  handleInput(input: Input, now: number): void {
    this.#now = now
    this.#tun.begin()
    switch (input.kind) {
      case 'connection-bytes':
        this.#receiveStream(input.connection, input.bytes)
        break
      case 'tun-packets':
        this.#outbound.send(this, input.batch)
        this.#applyBackPressure()
        break
      case 'datagram':
        this.#receiveDatagram(input)
        break
      case 'connection-opened':
        this.#connectionOpened(input)
        break
      case 'connection-closed':
        this.#connectionClosed(input.connection, input.detail === '' ? input.reason : input.detail)
        break
      case 'connection-flow':
        this.#connectionFlow(input.connection, input.state)
        break
      case 'crypto-result':
        this.#finishJob(input.job, input)
        break
      case 'command':
        this.#obey(input.command)
        break
      case 'timeout':
        break
      default:
        throw new SessionError('INVARIANT', 'caller', `not an input: ${JSON.stringify(input satisfies never)}`)
    }
    this.#fireTimers()
    this.#tun.flush(this.emit)
  }

  /** The next thing to do. 'wait-until' is the last: everything is drained. */
  pollOutput(): Output {
    const output = this.#outputs[this.#nextOutput]
    if (output !== undefined) {
      this.#nextOutput++
      return output
    }
    this.#outputs.length = 0
    this.#nextOutput = 0
    return { kind: 'wait-until', time: this.timers.nextAt() }
  }

  /** A picture of now, for people; changes nothing. */
  inspect(now: number): SessionStatus {
    return describeSession(this, now)
  }

  readonly emit = (output: Output): void => {
    this.#outputs.push(output)
  }

  event(event: SessionEvent): void {
    this.emit({ kind: 'event', event })
  }

  count(counter: string, by: number = 1): void {
    this.counters[counter] = (this.counters[counter] ?? 0) + by
  }

  startJob(work: CryptoWork, sa: IkeSa, then: JobContinuation): void {
    const job = this.#nextJob++
    this.#jobs.set(job, { sa, then })
    this.emit({ kind: 'crypto-job', job, work })
  }

  nextConnectionId(): ConnectionId {
    const id = this.#nextConnection
    this.#nextConnection += 2
    return id
  }

  mayAnswerStranger(): boolean {
    const second = Math.floor(this.#now / 1000)
    if (this.#strangers.second !== second) this.#strangers = { second, count: 0 }
    return this.#strangers.count++ < STRANGERS_PER_SECOND
  }

  /** Ours to close: the driver will not report it. The IKE SAs on it stay (T-LIFE-4). */
  closeConnection(connection: Connection, how: 'end' | 'reset', reason: string): void {
    if (!this.connections.has(connection.id)) return
    // IKE that waits for the socket goes out before the FIN: it may be our Delete, or the answer to theirs.
    if (how === 'end') connection.sendWaitingIke(this.emit)
    this.emit({ kind: 'close-connection', connection: connection.id, how })
    this.#forgetConnection(connection, reason)
  }

  #receiveStream(id: ConnectionId, bytes: Uint8Array): void {
    const connection = this.connections.get(id)
    if (!connection) return
    const { deframer } = connection
    const arrival = connection.path
    deframer.push(bytes)
    for (;;) {
      const result = deframer.next()
      if (deframer.isPrefixComplete && this.timers.has(connection, 'prefix')) this.#prefixComplete(connection)
      if (result === 'need-more') return
      if (result === 'fatal') return this.#closeCorrupt(connection, deframer.fatalReason ?? 'corrupt')
      if (result === 'esp') this.#judge(connection, receiveEsp(this, this.#tun, deframer.buffer, deframer.offset, deframer.length, arrival))
      else if (result === 'ike')
        this.#judge(
          connection,
          handleIkeMessage(this, deframer.buffer.subarray(deframer.offset, deframer.offset + deframer.length), arrival),
        )
      else this.#judge(connection, 'unparsable')
      if (!this.connections.has(id)) return
      // Who asks and never reads loses the connection: IKE is not dropped, so this is what bounds it.
      if (connection.queuedIkeOctets > this.config.limits.maxSendQueue) return this.#limitClose(connection, 'maxSendQueue')
    }
  }

  /** RFC 9329 §6.1: what a connection brought decides whether it stays (T-LIFE-13, T-LIFE-14). */
  #judge(connection: Connection, verdict: 'valid' | 'ignored' | 'unparsable' | 'unauthentic' | 'unknown-spi'): void {
    const { limits } = this.config
    switch (verdict) {
      case 'valid':
        connection.unknownSpis = 0
        connection.corruptFrames = 0
        return
      case 'ignored':
        return
      case 'unknown-spi':
        if (++connection.unknownSpis >= limits.maxUnknownSpis) this.#limitClose(connection, 'maxUnknownSpis')
        return
      case 'unparsable':
        if (++connection.corruptFrames >= limits.maxCorruptFrames) this.#limitClose(connection, 'maxCorruptFrames')
        return
      case 'unauthentic':
        if (++connection.icvFailures >= limits.maxIcvFailures) this.#limitClose(connection, 'maxIcvFailures')
        return
      default:
        return verdict satisfies never
    }
  }

  #receiveDatagram(input: Extract<Input, { kind: 'datagram' }>): void {
    if (input.message === 'keepalive') return this.count('nat-keepalives-in')
    const arrival = { transport: 'udp', local: input.local, remote: input.remote } as const
    if (input.message === 'esp') receiveEsp(this, this.#tun, input.bytes, 0, input.bytes.length, arrival)
    else handleIkeMessage(this, input.bytes, arrival)
  }

  #connectionOpened(input: Extract<Input, { kind: 'connection-opened' }>): void {
    if (input.role === 'originator') {
      const connection = this.connections.get(input.connection)
      if (!connection) return this.emit({ kind: 'close-connection', connection: input.connection, how: 'reset' })
      connection.opened(input.local, input.remote)
      this.event({ kind: 'connection-opened', connection: connection.id, local: input.local, remote: input.remote, role: 'originator' })
      return connection.initiator?.connectionOpened(this, connection)
    }
    const limit = this.#connectionLimit(input.remote.address)
    if (limit) {
      this.count(`limit-${limit}`)
      this.event({ kind: 'limit-reached', limit, remote: input.remote })
      return this.emit({ kind: 'close-connection', connection: input.connection, how: 'reset' })
    }
    const connection = new Connection(
      { id: input.connection, role: 'responder', framing: input.framing, local: input.local, remote: input.remote, isOpen: true },
      this.config,
    )
    this.connections.set(connection.id, connection)
    this.#perAddress.set(input.remote.address, (this.#perAddress.get(input.remote.address) ?? 0) + 1)
    this.timers.set(connection, 'prefix', this.#now + this.config.timers.prefix)
    this.event({ kind: 'connection-opened', connection: connection.id, local: input.local, remote: input.remote, role: 'responder' })
  }

  #connectionLimit(address: string): string | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.config.limits
    if (this.connections.size >= maxConnections) return 'maxConnections'
    return (this.#perAddress.get(address) ?? 0) >= maxConnectionsPerAddress ? 'maxConnectionsPerAddress' : undefined
  }

  /** T-LIFE-3: from now on an IKE SA must come, or the connection goes. */
  #prefixComplete(connection: Connection): void {
    this.timers.clear(connection, 'prefix')
    if (connection.ikeSas.size === 0) this.timers.set(connection, 'idle', this.#now + this.config.timers.idleConnection)
  }

  #connectionClosed(id: ConnectionId, reason: string): void {
    const connection = this.connections.get(id)
    if (connection) this.#forgetConnection(connection, reason)
  }

  /** SAs stay; a part of a message that the stream left behind goes with the deframer (T-LIFE-4, T-LIFE-9). */
  #forgetConnection(connection: Connection, reason: string): void {
    this.connections.delete(connection.id)
    this.timers.clearAll(connection)
    connection.deframer.reset()
    if (connection.role === 'responder') this.#forgetAddress(connection.remote.address)
    this.event({ kind: 'connection-closed', connection: connection.id, remote: connection.remote, reason })
    connection.initiator?.connectionClosed(this, connection, reason)
    for (const sa of [...connection.ikeSas]) {
      detachPath(this, sa)
      // An unanswered request waits for the next connection, not for a clock.
      this.timers.clear(sa, 'response')
      if (sa.role === 'responder' && !sa.isHalfOpen) this.timers.set(sa, 'disconnected', this.#now + this.config.timers.disconnected)
    }
    this.#applyBackPressure()
  }

  #forgetAddress(address: string): void {
    const left = (this.#perAddress.get(address) ?? 1) - 1
    if (left > 0) this.#perAddress.set(address, left)
    else this.#perAddress.delete(address)
  }

  #connectionFlow(id: ConnectionId, state: 'blocked' | 'drained'): void {
    const connection = this.connections.get(id)
    if (!connection) return
    if (state === 'blocked') connection.block()
    else connection.drain(this.emit)
    this.#applyBackPressure()
  }

  /** Where one connection carries all that the TUN reads, not reading is the queue; where many do, each drops its own. */
  #applyBackPressure(): void {
    const blocked =
      this.connections.size === 1 &&
      [...this.connections.values()].some((connection) => connection.isBlocked && connection.role === 'originator')
    if (blocked === this.#isTunPaused) return
    this.#isTunPaused = blocked
    this.emit({ kind: 'tun-flow', state: blocked ? 'pause' : 'resume' })
  }

  #closeCorrupt(connection: Connection, reason: string): void {
    if (reason === 'TOO_LONG' || reason === 'BUFFER_FULL') return this.#limitClose(connection, 'maxBufferedPerConnection')
    this.count(`connection-${reason.toLowerCase().replaceAll('_', '-')}`)
    this.closeConnection(connection, 'reset', reason)
  }

  #limitClose(connection: Connection, limit: string): void {
    this.count(`limit-${limit}`)
    this.event({ kind: 'limit-reached', limit, remote: connection.remote })
    this.closeConnection(connection, 'reset', `limit ${limit}`)
  }

  #finishJob(id: number, input: Extract<Input, { kind: 'crypto-result' }>): void {
    const job = this.#jobs.get(id)
    this.#jobs.delete(id)
    if (job && job.sa.state.kind !== 'CLOSED') job.then(this, job.sa, input.result)
  }

  #obey(command: Command): void {
    const peer = command.peer
    if (peer !== undefined && !this.config.peers.some((known) => known.name === peer))
      throw new SessionError('UNKNOWN_PEER', 'caller', `no peer is named "${peer}"`)
    const ofPeer = [...this.ikeSas.values()].filter((sa) => peer === undefined || sa.peerName === peer)
    switch (command.kind) {
      case 'initiate': {
        const initiator = this.initiators.get(command.peer)
        if (!initiator) throw new SessionError('INVALID_CONFIG', 'caller', `peer "${command.peer}" has no address to dial`)
        return initiator.start(this)
      }
      case 'terminate':
        for (const initiator of this.initiators.values()) if (peer === undefined || initiator.peer.name === peer) initiator.stop(this)
        for (const sa of ofPeer) deleteIkeSa(this, sa, 'terminated')
        return
      case 'check-liveness':
        for (const sa of ofPeer) if (sa.state.kind === 'ESTABLISHED') sendRequest(this, sa, buildLivenessCheck())
        return
      case 'delete-child':
        for (const sa of ofPeer)
          if (sa.state.kind === 'ESTABLISHED' && sa.children.size > 0) sendRequest(this, sa, buildChildSaDelete([...sa.children]))
        return
      default:
        return command satisfies never
    }
  }

  #fireTimers(): void {
    for (let due = this.timers.takeDue(this.#now); due; due = this.timers.takeDue(this.#now)) {
      const { owner, name } = due
      if (owner instanceof IkeSa) onIkeSaTimer(this, owner, name as IkeSa['timerNames'])
      else if (owner instanceof Initiator) owner.onTimer(this, name as Initiator['timerNames'])
      else this.#onConnectionTimer(owner, name as Connection['timerNames'])
    }
  }

  #onConnectionTimer(connection: Connection, name: Connection['timerNames']): void {
    if (name === 'prefix') {
      this.count('limit-prefix')
      this.event({ kind: 'limit-reached', limit: 'prefix', remote: connection.remote })
      return this.closeConnection(connection, 'reset', `the prefix did not come within ${this.config.timers.prefix} ms`)
    }
    if (connection.ikeSas.size > 0) return
    this.count('limit-idleConnection')
    this.closeConnection(connection, 'end', 'no IKE SA uses it')
  }
}

function checkConfig(config: SessionConfig): void {
  checkNumbers(config)
  const names = new Set<string>()
  for (const peer of config.peers) {
    const refuse = (why: string): never => {
      throw new SessionError('INVALID_CONFIG', 'caller', `peer "${peer.name}": ${why}`)
    }
    if (names.has(peer.name)) refuse('the name is taken')
    names.add(peer.name)
    if (peer.psk.length === 0) refuse('the shared secret is empty')
    if (peer.ikeProposals.length === 0) refuse('no IKE proposal')
    if (peer.espProposals.length === 0) refuse('no ESP proposal')
    for (const suite of peer.ikeProposals) if (!isIkeSuite(suite)) refuse(`"${describeIkeSuite(suite)}" cannot protect an IKE SA`)
    for (const suite of peer.espProposals) if (!isEspSuite(suite)) refuse(`"${describeEspSuite(suite)}" cannot protect ESP`)
    if (peer.dial && peer.dial.transports.length === 0) refuse('no transport')
    if (peer.localSubnets === 'virtual' && peer.requestAddresses.length === 0)
      refuse('its own side is virtual, but no inner address is asked for')
    if (peer.remoteSubnets === 'virtual' && !peer.pool) refuse('the other side is virtual, but there is no pool to take its address from')
  }
}

/** A wait of 0 would never end, NaN never come; the framing has limits of its own. */
function checkNumbers({ limits, timers }: SessionConfig): void {
  const refuse = (what: string): never => {
    throw new SessionError('INVALID_CONFIG', 'caller', what)
  }
  for (const [name, value] of Object.entries(timers))
    if (name === 'maxRetransmissions' ? !(value >= 0) : !(value > 0)) refuse(`timers.${name} is ${value}, which is not above 0`)
  for (const [name, value] of Object.entries(limits))
    if (typeof value === 'number' && !(value >= 0)) refuse(`limits.${name} is ${value}, which is below 0`)
  if (limits.maxBufferedPerConnection < SMALLEST_BUFFER)
    refuse(`limits.maxBufferedPerConnection is ${limits.maxBufferedPerConnection}, an IKE message needs ${SMALLEST_BUFFER}`)
  if (limits.maxMessageLength > LONGEST_MESSAGE)
    refuse(`limits.maxMessageLength is ${limits.maxMessageLength}, a frame holds ${LONGEST_MESSAGE} (RFC 9329 §3)`)
}
