/**
 * The TCP connections by number, from accept or `open-connection` to their end, and the limits on them (RFC 9329 §6.1, §10). An IKE SA
 * outlives its connections: with one of them goes its stream, never an SA.
 */
import type { ConnectionId, Input } from '../contract.ts'
import type { Core } from '../core.ts'
import { detachPath } from '../ike/ike-sa-life.ts'
import { limitedAs } from '../ip-address.ts'
import type { Initiator } from '../peers/initiator.ts'
import { Connection } from './connection.ts'
import { keepaliveDue } from './ftt-keepalive.ts'

export class ConnectionTable {
  readonly byId: Map<ConnectionId, Connection> = new Map()
  /** Accepted connections by what counts as the address that they came from. */
  readonly #accepted = new Map<string, number>()

  opened(core: Core, input: Extract<Input, { kind: 'connection-opened' }>): void {
    const { local, remote, role } = input
    const connection = role === 'originator' ? this.byId.get(input.connection) : this.#accept(core, input)
    if (!connection) return core.emit({ kind: 'close-connection', connection: input.connection, how: 'reset' })
    connection.opened(local, remote, core)
    core.event({ kind: 'connection-opened', connection: connection.id, local, remote, role, ...carrierOf(connection) })
    for (const initiator of initiatorsOf(connection)) initiator.connectionOpened(core, connection)
  }

  /** Ours to close: the driver will not report it. The IKE SAs on it stay (T-LIFE-4). */
  close(core: Core, connection: Connection, how: 'end' | 'reset', reason: string): void {
    if (!this.byId.has(connection.id)) return
    // IKE that waits for the socket goes out before the FIN: it may be our Delete, or the answer to theirs.
    if (how === 'end') connection.sendWaitingIke(core.emit)
    core.emit({ kind: 'close-connection', connection: connection.id, how })
    this.#forget(core, connection, reason)
  }

  /** The driver's news that it is gone. */
  closed(core: Core, id: ConnectionId, reason: string): void {
    const connection = this.byId.get(id)
    if (connection) this.#forget(core, connection, reason)
  }

  onTimer(core: Core, connection: Connection, name: Connection['timerNames']): void {
    if (name === 'prefix') {
      core.count('limit-prefix')
      core.event({ kind: 'limit-reached', limit: 'prefix', remote: connection.remote })
      return this.close(core, connection, 'reset', `the prefix did not come within ${core.config.timers.prefix} ms`)
    }
    if (name === 'keepalive') return keepaliveDue(core, connection)
    if (connection.ikeSas.size > 0) return
    core.count('limit-idleConnection')
    this.close(core, connection, 'end', 'no IKE SA uses it')
  }

  /** `undefined`: a limit is in the way. */
  #accept(
    core: Core,
    { connection: id, framing, local, remote, carrier }: Extract<Input, { kind: 'connection-opened' }>,
  ): Connection | undefined {
    const limit = this.#limitReached(core, remote.address)
    if (limit) {
      core.count(`limit-${limit}`)
      core.event({ kind: 'limit-reached', limit, remote })
      return undefined
    }
    const connection = new Connection({ id, role: 'responder', framing, local, remote, isOpen: true, carrier }, core.config)
    this.byId.set(id, connection)
    const limited = limitedAs(remote.address)
    this.#accepted.set(limited, (this.#accepted.get(limited) ?? 0) + 1)
    core.timers.set(connection, 'prefix', core.now + core.config.timers.prefix)
    return connection
  }

  #limitReached(core: Core, address: string): string | undefined {
    const { maxConnections, maxConnectionsPerAddress } = core.config.limits
    if (this.byId.size >= maxConnections) return 'maxConnections'
    return (this.#accepted.get(limitedAs(address)) ?? 0) >= maxConnectionsPerAddress ? 'maxConnectionsPerAddress' : undefined
  }

  /** SAs stay; a part of a message that the stream left behind goes with the deframer (T-LIFE-4, T-LIFE-9). */
  #forget(core: Core, connection: Connection, reason: string): void {
    this.byId.delete(connection.id)
    core.timers.clearAll(connection)
    connection.deframer.reset()
    // The next connection gets what comes then: what waited is old by that time.
    const lost = connection.waiting?.clear() ?? 0
    if (lost > 0) core.count('queue-lost', lost)
    if (connection.role === 'responder') this.#forgetAddress(limitedAs(connection.remote.address))
    const { id, remote, role } = connection
    core.event({ kind: 'connection-closed', connection: id, remote, role, ...carrierOf(connection), reason })
    for (const initiator of initiatorsOf(connection)) initiator.connectionClosed(core, connection, reason)
    for (const sa of [...connection.ikeSas]) {
      detachPath(core, sa)
      // An unanswered request waits for the next connection, not for a clock.
      core.timers.clear(sa, 'response')
      if (sa.series.role !== 'responder' || !sa.isCurrent) continue
      const { disconnected, idleConnection } = core.config.timers
      // Half open, it may be one of several that its initiator tried at once: it goes on by a new connection soon, or not at all.
      if (sa.isHalfOpen) core.timers.hasten(sa, 'handshake', core.now + idleConnection)
      else core.timers.set(sa, 'disconnected', core.now + disconnected)
    }
  }

  #forgetAddress(limited: string): void {
    const left = (this.#accepted.get(limited) ?? 1) - 1
    if (left > 0) this.#accepted.set(limited, left)
    else this.#accepted.delete(limited)
  }
}

function carrierOf({ carrier }: Connection): { carrier?: string } {
  return carrier === undefined ? {} : { carrier }
}

function initiatorsOf({ initiator, sharers }: Connection): Set<Initiator> {
  return new Set(initiator ? [initiator, ...sharers] : sharers)
}
