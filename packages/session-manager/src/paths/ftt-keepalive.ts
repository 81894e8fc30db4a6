/**
 * The UE requested keep-alive procedure of a firewall traversal tunnel (TS 24.302 F.2.1, F.2.2.5): whoever opened the connection sends an
 * envelope when it has sent nothing for FTT KAT, so that no proxy or firewall takes the connection for dead. Of the framing 3gpp-ftt alone:
 * over TCP nobody else keeps anything alive (RFC 9329 §6.6, T-KA-1).
 */
import { FRAMING_PROFILES } from '@underpass/tcp-framing'
import type { Core } from '../core.ts'
import type { Connection } from './connection.ts'

/** An IKE SA came to the connection, or its FTT KAT has become known. */
export function keepOpen(core: Core, connection: Connection): void {
  const interval = keepaliveInterval(core, connection)
  if (interval !== undefined) core.timers.set(connection, 'keepalive', (connection.lastSentAt ?? core.now) + interval)
}

/** The timer is due: whatever was sent meanwhile has moved the time to the next. */
export function keepaliveDue(core: Core, connection: Connection): void {
  const interval = keepaliveInterval(core, connection)
  if (interval === undefined) return
  const { isOpen, isBlocked, lastSentAt = core.now } = connection
  // What waits for a full socket is sent as soon as there is room.
  if (isOpen && !isBlocked && core.now - lastSentAt >= interval) {
    connection.sendKeepalive(connection.initiator?.peer.fttKeepalive ?? FRAMING_PROFILES['3gpp-ftt'].keepalive, core.emit)
    core.count('ftt-keepalives-out')
  }
  const since = isOpen && !isBlocked ? connection.lastSentAt : undefined
  core.timers.set(connection, 'keepalive', (since ?? core.now) + interval)
}

/** The shortest that a peer has asked for; our own where none has. `undefined`: there is nothing to keep open. */
function keepaliveInterval(core: Core, { role, framing, ikeSas }: Connection): number | undefined {
  if (role !== 'originator' || framing !== '3gpp-ftt' || ikeSas.size === 0) return undefined
  return Math.min(...[...ikeSas].map((sa) => sa.fttKat ?? core.config.timers.fttKeepalive))
}
