/** `SessionManager.inspect()`: the core's databases as plain data. */
import type { Core } from './core.ts'
import { describeIdentity } from './ike/identification.ts'
import { formatIkeSpi, type IkeSa } from './ike/ike-sa.ts'
import { describePath } from './paths/path.ts'
import type { IkeSaStatus, PeerStatus, SessionStatus } from './status.ts'
import { describeIkeSuite } from './suites.ts'

export function describeSession(core: Core, now: number): SessionStatus {
  const ikeSas = [...core.ikeSas.values()]
  return {
    peers: core.config.peers.map((peer) => core.initiators.get(peer.name)?.status(now) ?? respondingPeer(peer.name, ikeSas)),
    ikeSas: ikeSas.map((sa) => describeIkeSa(sa, now)),
    connections: [...core.connections.values()].map((connection) => connection.status()),
    halfOpen: core.halfOpen.size,
    counters: { ...core.counters },
  }
}

/** A configured peer that is down is listed too: it must not vanish from a status. */
function respondingPeer(name: string, ikeSas: readonly IkeSa[]): PeerStatus {
  return { name, state: ikeSas.some((sa) => sa.peerName === name && sa.state.kind === 'ESTABLISHED') ? 'up' : 'idle', attempts: [] }
}

function describeIkeSa(sa: IkeSa, now: number): IkeSaStatus {
  return {
    id: sa.id,
    peer: sa.peerName,
    role: sa.role,
    state: sa.state.kind,
    initiatorSpi: formatIkeSpi(sa.initiatorSpi),
    responderSpi: formatIkeSpi(sa.responderSpi),
    localId: sa.peer ? describeIdentity(sa.peer.localId) : '',
    remoteId: sa.remoteId ? describeIdentity(sa.remoteId) : '',
    ...(sa.eapIdentity !== undefined && { eapIdentity: sa.eapIdentity }),
    proposal: sa.suite ? describeIkeSuite(sa.suite) : '',
    path: sa.path && describePath(sa.path),
    addresses: sa.addresses,
    children: [...sa.children].map((child) => child.status()),
    establishedMillisecondsAgo: sa.establishedAt === undefined ? undefined : Math.round(now - sa.establishedAt),
    ...(isAskedInVain(sa) ? { silentForMilliseconds: Math.round(now - sa.lastInboundAt) } : {}),
  }
}

/** Over UDP one repetition may be an accident: it is said from the first on, for whoever looks while it lasts. */
function isAskedInVain({ window, isHalfOpen }: IkeSa): boolean {
  return !isHalfOpen && window.outstanding !== undefined && window.outstanding.transmissions > 1
}
