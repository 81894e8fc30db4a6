/**
 * Several IKE SAs on one connection, as draft-pauly-ipsecme-tcp-encaps-03 allows it and RFC 9329 does not (T-LIFE-10): an initiator that
 * would dial joins the connection that another has to the same place. Whose IKE SA lost its connection dials one of its own.
 */
import type { Core } from '../core.ts'
import type { Initiator } from '../peers/initiator.ts'
import type { StreamWay } from '../peers/transport-list.ts'
import type { Connection } from './connection.ts'

/** A connection for one more IKE SA, open or on its way; `undefined`: dial. */
export function sharedConnection(core: Core, initiator: Initiator, way: StreamWay): Connection | undefined {
  if (way.framing !== 'pauly-03') return undefined
  for (const connection of core.connections.values()) {
    if (!leadsTo(connection, way)) continue
    connection.sharers.add(initiator)
    return connection
  }
  return undefined
}

/** One without an IKE SA is on its way to being closed, or somebody's who will close it should it not open. */
function leadsTo({ role, framing, dialled, ikeSas }: Connection, way: StreamWay): boolean {
  const isThere = dialled?.address === way.address && dialled.port === way.port && dialled.carrier === way.carrier
  return role === 'originator' && framing === way.framing && isThere && ikeSas.size > 0
}
