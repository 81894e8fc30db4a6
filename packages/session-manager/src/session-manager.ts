/**
 * The core of Underpass: IKEv2 (RFC 7296) and ESP (RFC 4303) over UDP and over TCP (RFC 9329) as a deterministic function of
 * inputs, time and randomness. Pure: everything below this line of the package opens no socket and reads no clock.
 *
 * The rooms, in the order in which a packet passes them; none calls an earlier one:
 *
 *   wire → TUN   1. deframe            tcp-framing, paths/stream.ts
 *                2. ESP in             data-path/inbound.ts
 *                3. IKE in             ike/ike-engine.ts → ike/transitions.ts → the exchange's file
 *                4. TUN batch          data-path/tun-batch.ts
 *   TUN → wire   5. SPD, seal, frame   data-path/outbound.ts; data-path/waiting-room.ts → queue/, where the connection is full
 *   by itself    6. timers             ike/ike-sa-timers.ts; peers/initiator.ts → racing.ts, redialling.ts, mover.ts
 *                7. failed datagrams   paths/datagram-failures.ts
 */

import { isUnconfirmed } from './child/child-life.ts'
import { ChildSa } from './child/child-sa.ts'
import { Sad } from './child/sad.ts'
import { Spd } from './child/spd.ts'
import type { SessionConfig } from './config.ts'
import { checkConfig, checkTransports } from './config-check.ts'
import type { Command, ConnectionId, CryptoWork, Input, Output, RandomSource } from './contract.ts'
import type { Core, JobContinuation, Timed } from './core.ts'
import { EarlyEsp } from './data-path/early-esp.ts'
import { receiveEsp } from './data-path/inbound.ts'
import { Outbound } from './data-path/outbound.ts'
import { TunBatch } from './data-path/tun-batch.ts'
import type { SessionEvent } from './events.ts'
import { CookieJar } from './ike/cookie.ts'
import { HalfOpenTable } from './ike/half-open-table.ts'
import { handleIkeMessage } from './ike/ike-engine.ts'
import { IkeSa } from './ike/ike-sa.ts'
import { deleteIkeSa } from './ike/ike-sa-life.ts'
import { onIkeSaTimer } from './ike/ike-sa-timers.ts'
import { buildChildSaDelete, buildLivenessCheck } from './ike/informational-requests.ts'
import { createFurtherChildSa, rekeyChildSa } from './ike/rekeying/child-sa-creation.ts'
import { rekeyIkeSa } from './ike/rekeying/ike-sa-rekeying.ts'
import { onChildSaTimer } from './ike/rekeying/timers.ts'
import { sendRequest } from './ike/transmission.ts'
import { describeSession } from './inspection.ts'
import { Connection } from './paths/connection.ts'
import { ConnectionTable } from './paths/connection-table.ts'
import { DatagramFailures } from './paths/datagram-failures.ts'
import { receiveStream } from './paths/stream.ts'
import { AddressPool } from './peers/address-pool.ts'
import { IdentityTable } from './peers/identity-table.ts'
import { Initiator } from './peers/initiator.ts'
import { TransportList } from './peers/transport-list.ts'
import { SessionError } from './session-error.ts'
import { obeyShardCommand } from './shard.ts'
import type { Counters, SessionStatus } from './status.ts'
import { TimerQueue } from './timer-queue.ts'

/** Unprotected answers to strangers in one second. */
const STRANGERS_PER_SECOND = 10

export class SessionManager implements Core {
  readonly config: SessionConfig
  readonly random: RandomSource
  readonly timers: TimerQueue<Timed> = new TimerQueue()
  readonly ikeSas: Map<bigint, IkeSa> = new Map()
  readonly halfOpen: HalfOpenTable = new HalfOpenTable()
  readonly identities: IdentityTable = new IdentityTable()
  readonly sad: Sad = new Sad()
  readonly spd: Spd = new Spd()
  readonly earlyEsp: EarlyEsp = new EarlyEsp()
  readonly #connectionTable = new ConnectionTable()
  readonly connections: Map<ConnectionId, Connection> = this.#connectionTable.byId
  readonly initiators: Map<string, Initiator> = new Map()
  readonly pools: Map<string, AddressPool> = new Map()
  readonly cookies: CookieJar
  readonly counters: Counters = {}
  /** Only `handleInput` sets it. Read for each packet: a getter's answer would be an object for each. */
  readonly now: number = 0
  readonly #outputs: Output[] = []
  readonly #jobs = new Map<number, { readonly sa: IkeSa; readonly then: JobContinuation }>()
  readonly #tun: TunBatch
  readonly #outbound = new Outbound()
  readonly #datagramFailures = new DatagramFailures()
  #nextOutput = 0
  #nextJob = 1
  #nextConnection = 2
  #strangers = { second: 0, count: 0 }

  /**
   * `allocate` makes the few large buffers that opened packets are written to, for a TUN device that prefers a memory of its own.
   * Throws `SessionError` 'INVALID_CONFIG' where the configuration contradicts itself.
   */
  constructor(config: SessionConfig, random: RandomSource, allocate?: (octets: number) => Uint8Array) {
    checkConfig(config)
    const eap = config.peers.find(({ auth }) => auth.local.kind === 'eap' || auth.remote.kind === 'eap')
    if (eap && !config.createEapMachine)
      throw new SessionError('INVALID_CONFIG', 'caller', `peer "${eap.name}": EAP is asked for, and createEapMachine is absent`)
    this.#tun = new TunBatch(allocate)
    this.config = config
    this.random = random
    this.cookies = new CookieJar(random)
    for (const peer of config.peers) {
      // Peers that name one pool share it: users of one connection, each with a secret of his own.
      const sharer = config.peers.find((other) => other.pool !== undefined && other.pool === peer.pool)
      if (peer.pool && sharer) this.pools.set(peer.name, this.pools.get(sharer.name) ?? new AddressPool(peer.pool.ranges))
      if (peer.dial) this.initiators.set(peer.name, new Initiator(peer, new TransportList(peer.name, peer.dial)))
    }
  }

  /** One input at `now` (milliseconds, monotonic). Drain `pollOutput` to 'wait-until' before the next. Throws `SessionError` of blame 'caller' or 'bug' only. */
  handleInput(input: Input, now: number): void {
    ;(this as { now: number }).now = now
    this.#tun.begin()
    switch (input.kind) {
      case 'connection-bytes':
        this.#receiveStream(input.connection, input.bytes)
        break
      case 'tun-packets':
        this.#outbound.send(this, input.batch, input.isHandedOver === true)
        break
      case 'datagram':
        this.#receiveDatagram(input)
        break
      case 'esp-datagrams':
        this.#receiveEspDatagrams(input)
        break
      case 'datagram-failed':
        this.#datagramFailures.heed(this, input)
        break
      case 'connection-opened':
        this.#connectionTable.opened(this, input)
        break
      case 'connection-closed':
        this.#connectionTable.closed(this, input.connection, input.detail === '' ? input.reason : input.detail)
        break
      case 'connection-flow':
        this.#heedFlow(input)
        break
      case 'crypto-result':
        this.#finishJob(input.job, input)
        break
      case 'command':
        this.#obey(input.command)
        break
      case 'network-changed':
        for (const initiator of this.initiators.values()) initiator.networkChanged(this, input.network ?? '')
        break
      case 'timeout':
        break
      default:
        throw new SessionError('INVARIANT', 'caller', `not an input: ${JSON.stringify(input satisfies never)}`)
    }
    this.#fireTimers()
    for (const { octets, arrival } of this.earlyEsp.take(this)) receiveEsp(this, this.#tun, octets, 0, octets.length, arrival)
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
    const second = Math.floor(this.now / 1000)
    if (this.#strangers.second !== second) this.#strangers = { second, count: 0 }
    return this.#strangers.count++ < STRANGERS_PER_SECOND
  }

  closeConnection(connection: Connection, how: 'end' | 'reset', reason: string): void {
    this.#connectionTable.close(this, connection, how, reason)
  }

  #receiveStream(id: ConnectionId, bytes: Uint8Array): void {
    const connection = this.connections.get(id)
    if (connection) receiveStream(this, this.#tun, connection, bytes)
  }

  #heedFlow(input: Extract<Input, { kind: 'connection-flow' }>): void {
    const connection = this.connections.get(input.connection)
    if (connection === undefined) return
    if (input.state === 'blocked') connection.block()
    else this.#outbound.drain(this, connection, input.room ?? Number.POSITIVE_INFINITY)
  }

  #receiveDatagram(input: Extract<Input, { kind: 'datagram' }>): void {
    if (input.message === 'keepalive') return this.count('nat-keepalives-in')
    const arrival = { transport: 'udp', local: input.local, remote: input.remote } as const
    if (input.message === 'esp') receiveEsp(this, this.#tun, input.bytes, 0, input.bytes.length, arrival)
    else handleIkeMessage(this, input.bytes, arrival)
  }

  #receiveEspDatagrams({ local, remote, batch }: Extract<Input, { kind: 'esp-datagrams' }>): void {
    const arrival = { transport: 'udp', local, remote } as const
    for (let i = 0; i < batch.count; i++) receiveEsp(this, this.#tun, batch.buffer, batch.offsets[i]!, batch.lengths[i]!, arrival)
  }

  #finishJob(id: number, input: Extract<Input, { kind: 'crypto-result' }>): void {
    const job = this.#jobs.get(id)
    this.#jobs.delete(id)
    if (job && job.sa.state.kind !== 'CLOSED') job.then(this, job.sa, input.result)
  }

  #obey(command: Command): void {
    if (command.kind === 'forget' || command.kind === 'make-room') return obeyShardCommand(this, command)
    const peer = command.peer
    if (peer !== undefined && !this.config.peers.some((known) => known.name === peer))
      throw new SessionError('UNKNOWN_PEER', 'caller', `no peer is named "${peer}"`)
    const ofPeer = [...this.ikeSas.values()].filter((sa) => sa.isCurrent && (peer === undefined || sa.peerName === peer))
    switch (command.kind) {
      case 'initiate': {
        const initiator = this.initiators.get(command.peer)
        if (!initiator) throw new SessionError('INVALID_CONFIG', 'caller', `peer "${command.peer}" has no address to dial`)
        return initiator.start(this)
      }
      case 'remember-transport':
        return this.initiators.get(command.peer)?.transports.recall(this, command)
      case 'set-transports':
        checkTransports(command.transports)
        return this.initiators.get(command.peer)?.setTransports(this, command.transports)
      case 'terminate':
        for (const initiator of this.initiators.values()) if (peer === undefined || initiator.peer.name === peer) initiator.stop(this)
        for (const sa of ofPeer) deleteIkeSa(this, sa, 'terminated')
        return
      case 'check-liveness':
        for (const sa of ofPeer) if (sa.state.kind === 'ESTABLISHED') sendRequest(this, sa, buildLivenessCheck())
        return
      case 'delete-child':
        for (const sa of ofPeer)
          if (sa.state.kind === 'ESTABLISHED' && sa.children.size > 0)
            sendRequest(this, sa, buildChildSaDelete([...sa.children].filter((child) => !isUnconfirmed(child))))
        return
      case 'create-child':
        for (const sa of ofPeer) createFurtherChildSa(this, sa)
        return
      case 'rekey':
        for (const sa of ofPeer) {
          if (command.what === 'ike-sa') rekeyIkeSa(this, sa)
          else for (const child of [...sa.children]) rekeyChildSa(this, child)
        }
        return
      default:
        return command satisfies never
    }
  }

  #fireTimers(): void {
    for (let due = this.timers.takeDue(this.now); due; due = this.timers.takeDue(this.now)) {
      const { owner, name } = due
      if (owner instanceof IkeSa) onIkeSaTimer(this, owner, name as IkeSa['timerNames'])
      else if (owner instanceof ChildSa) onChildSaTimer(this, owner, name as ChildSa['timerNames'])
      else if (owner instanceof Connection) this.#connectionTable.onTimer(this, owner, name as Connection['timerNames'])
      else fire(this, owner, name)
    }
  }
}

/** One of an initiator's machines: each is given the names that it set. */
function fire(core: Core, owner: { onTimer(core: Core, name: string): void }, name: string): void {
  owner.onTimer(core, name)
}
