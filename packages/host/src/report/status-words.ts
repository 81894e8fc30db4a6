/** The answer of `status` as people read it. */
import type { IkeSaStatus, PeerStatus } from '@underpass/session-manager'
import { formatDuration } from '../config/fields.ts'
import type { ProgramStatus } from '../control/protocol.ts'
import { choices } from './config-words.ts'
import { describeAddress, describeEvent, describePath, streamOf } from './event-words.ts'
import { describeRunsOn } from './runs-on-words.ts'

/** `now` in milliseconds since 1970. */
export function describeStatus(status: ProgramStatus, now: number): string {
  const { host, session } = status
  const lines = [
    `${status.program} (pid ${status.pid}) up for ${formatDuration(Math.max(0, now - Date.parse(status.startedAt)))}, ${status.configFile}`,
  ]
  const [runtime, ...ways] = describeRunsOn(status.runsOn)
  lines.push(`runs on ${runtime}`, ...ways.map((way) => `  ${way}`))
  if (host.device) lines.push(`device ${host.device.name} (${host.device.kind}, mtu ${host.device.mtu})`)
  if (status.network) lines.push(networkLine(status.network))
  const chosen = choices(status)
  if (chosen.length > 0) lines.push(chosen.join('; '))
  lines.push(...(status.gaps ?? []).map((gap) => `not to be had here: ${gap}`))
  if (host.listening.length > 0) lines.push(`listening on ${host.listening.join(', ')}`)
  for (const peer of session.peers)
    lines.push(
      ...peerLines(
        peer,
        session.ikeSas.filter((sa) => sa.peer === peer.name),
      ),
    )
  if (session.connections.length > 0) lines.push('', 'connections')
  for (const one of session.connections.slice(0, MANY))
    lines.push(
      `  ${one.connection} ${one.role} with ${one.remote} (${streamOf(one)}, ${one.framing}${inWorker(one)})${one.queuedOctets > 0 ? `, ${one.queuedOctets} octets queued` : ''}`,
    )
  if (session.connections.length > MANY) lines.push(`  and ${session.connections.length - MANY} more`)
  if (host.changes.length > 0) lines.push('', 'host changes, undone on exit', ...host.changes.map((change) => `  ${change}`))
  const counters = Object.entries(session.counters).filter(([, value]) => value > 0)
  if (counters.length > 0) lines.push('', 'counters', ...counters.map(([name, value]) => `  ${name} ${value}`))
  if (status.events.length > 0)
    lines.push('', 'latest events', ...status.events.slice(-MANY).map(({ at, event }) => `  ${at.slice(11, 23)} ${describeEvent(event)}`))
  return `${lines.join('\n')}\n`
}

/** Lines of one kind that a screen is worth. */
const MANY = 10

function peerLines(peer: PeerStatus, ikeSas: readonly IkeSaStatus[]): string[] {
  const lines = ['', `${peer.name}: ${peer.state}`]
  for (const { transport, outcome, reason } of peer.attempts) lines.push(`  ${transport}: ${outcome}, ${reason}`)
  for (const { transport, forMilliseconds } of peer.blocked ?? [])
    lines.push(`  ${transport}: did not get through on this network, remembered for another ${formatDuration(forMilliseconds)}`)
  for (const sa of ikeSas.slice(0, MANY)) lines.push(...ikeSaLines(sa))
  if (ikeSas.length > MANY) lines.push(`  and ${ikeSas.length - MANY} more IKE SAs`)
  return lines
}

function networkLine({ identity, keptIn }: NonNullable<ProgramStatus['network']>): string {
  const known = identity === undefined ? 'nothing by which it would be known again' : identity
  return `network: ${known}; what is learnt of networks is kept ${keptIn === undefined ? 'until the end' : `in ${keptIn}`}`
}

function ikeSaLines(sa: IkeSaStatus): string[] {
  const age = sa.establishedMillisecondsAgo === undefined ? '' : `, for ${formatDuration(sa.establishedMillisecondsAgo)}`
  const lines = [
    `  IKE SA ${sa.id} ${sa.state}${age}: ${sa.localId} and ${sa.remoteId}${sa.eapIdentity === undefined ? '' : ` (by EAP "${sa.eapIdentity}")`}, ${sa.path ? describePath(sa.path) : 'no path'} (${sa.proposal}, ${sa.role}${inWorker(sa)})`,
  ]
  if (sa.silentForMilliseconds !== undefined)
    lines.push(`    nothing has come from the other end for ${formatDuration(sa.silentForMilliseconds)}, and it is asked in vain`)
  if (sa.addresses.length > 0) lines.push(`    addresses ${sa.addresses.map(describeAddress).join(', ')}`)
  for (const child of sa.children) {
    lines.push(
      `    Child SA ${child.inboundSpi}/${child.outboundSpi}: ${child.localTs.join(', ')} <-> ${child.remoteTs.join(', ')} (${child.proposal})`,
    )
    lines.push(`      in ${child.packetsIn} packets, ${child.octetsIn} octets; out ${child.packetsOut} packets, ${child.octetsOut} octets`)
  }
  return lines
}

function inWorker({ worker }: { readonly worker?: number }): string {
  return worker === undefined ? '' : `, worker ${worker}`
}
