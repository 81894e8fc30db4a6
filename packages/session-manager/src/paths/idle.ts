/** How long a connection may stay that no IKE SA uses, and again after each answer that asks for a retry (RFC 9329 §6.1, §6.3, §6.4). */
import type { Core } from '../core.ts'
import type { Connection } from './connection.ts'

/** No IKE SA uses the connection from now on (T-LIFE-3). */
export function becameIdle(core: Core, connection: Connection): void {
  connection.idleSince = core.now
  core.timers.set(connection, 'idle', core.now + core.config.timers.idleConnection)
}

/** An answer that makes no IKE SA has left: a retry has `patience` to come, all of them together as long as a handshake (T-ERR-2, T-CK-2). */
export function awaitRetry(core: Core, connection: Connection, patience: number = core.config.timers.idleConnection): void {
  if (connection.ikeSas.size > 0 || connection.idleSince === undefined) return
  const { handshake, idleConnection } = core.config.timers
  const end = connection.idleSince + Math.max(handshake, idleConnection)
  core.timers.set(connection, 'idle', Math.min(core.now + patience, end))
}
