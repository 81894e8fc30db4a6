/** The status of all workers as that of one session. */
import type { Counters, PeerStatus, SessionStatus } from '@underpass/session-manager'

/** `statuses` by the workers' numbers. IKE SAs and connections say where they live: numbers of connections are each worker's own. */
export function mergedStatus(statuses: readonly SessionStatus[]): SessionStatus {
  return {
    peers: mergedPeers(statuses),
    ikeSas: statuses.flatMap(({ ikeSas }, worker) => ikeSas.map((ikeSa) => ({ ...ikeSa, worker }))),
    connections: statuses.flatMap(({ connections }, worker) => connections.map((connection) => ({ ...connection, worker }))),
    halfOpen: statuses.reduce((sum, { halfOpen }) => sum + halfOpen, 0),
    counters: summed(statuses.map(({ counters }) => counters)),
  }
}

export function summed(each: readonly Readonly<Counters>[]): Counters {
  const sum: Counters = {}
  for (const counters of each) for (const [name, value] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + value
  return sum
}

/** All workers know the same peers. */
function mergedPeers(statuses: readonly SessionStatus[]): PeerStatus[] {
  return (statuses[0]?.peers ?? []).map((peer, i) => {
    const isUp = statuses.some(({ peers }) => peers[i]?.state === 'up')
    return isUp ? { ...peer, state: 'up' } : peer
  })
}
