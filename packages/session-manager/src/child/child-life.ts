/** A Child SA in the databases: installed, preferred, removed, and where another takes its place drained before its keys go (RFC 7296 §2.8). */
import type { Core } from '../core.ts'
import { describeSelector } from '../ike/traffic-selectors.ts'
import { describeEspSuite } from '../suites.ts'
import { type ChildSa, formatEspSpi } from './child-sa.ts'
import { startLifetime } from './lifetimes.ts'

/** `outbound`: ahead of what else is for the same packets, behind it until the peer shows that it has this one, or not at all. */
export function installChild(core: Core, child: ChildSa, outbound: 'first' | 'last' | 'none'): void {
  const sa = child.ikeSa
  sa.children.add(child)
  core.sad.set(child.inboundSpi, child)
  child.awaitsTraffic = outbound === 'last'
  if (outbound === 'first') core.spd.install(child)
  else if (outbound === 'last') core.spd.installBehind(child)
  if (outbound !== 'none') startLifetime(core, child)
  core.event({
    kind: 'child-sa-installed',
    ikeSa: sa.id,
    peer: sa.peerName,
    inboundSpi: formatEspSpi(child.inboundSpi),
    outboundSpi: formatEspSpi(child.outboundSpi),
    proposal: `${describeEspSuite(child.suite)}${child.esn ? '-esn' : ''}`,
    localTs: child.localTs.map(describeSelector),
    remoteTs: child.remoteTs.map(describeSelector),
  })
  sa.initiator?.childInstalled(core, sa)
}

/** The peer has this one, as its packet or its Delete of the one before shows: from now on packets leave by it (RFC 7296 §2.8). */
export function takeOver(core: Core, child: ChildSa): void {
  if (!child.awaitsTraffic) return
  child.awaitsTraffic = false
  core.spd.remove(child)
  core.spd.install(child)
}

/** It is to replace another by our answer, and the peer has not shown that it has it. */
export function isUnconfirmed(child: ChildSa): boolean {
  return child.awaitsTraffic && [...child.ikeSa.children].some(({ successor }) => successor === child)
}

/** Nothing is sent by it any more; `successor` is what its packets leave by, also those that wait already. */
export function replaceChild(core: Core, child: ChildSa, successor: ChildSa): void {
  child.successor = successor
  child.awaitsTraffic = false
  core.spd.remove(child)
  core.timers.clear(child, 'rekey')
  core.timers.set(child, 'replaced', core.now + core.config.timers.replaced)
}

export function removeChild(core: Core, child: ChildSa, reason: string): void {
  const sa = child.ikeSa
  if (!sa.children.delete(child)) return
  core.spd.remove(child)
  core.timers.clearAll(child)
  core.event({ kind: 'child-sa-removed', ikeSa: sa.id, peer: sa.peerName, inboundSpi: formatEspSpi(child.inboundSpi), reason })
  const { successor } = child
  for (const other of sa.children) if (other.successor === child) other.successor = successor === other ? undefined : successor
  if (!successor || !sa.children.has(successor)) return eraseChild(core, child)
  takeOver(core, successor)
  sa.draining.add(child)
  core.timers.set(child, 'drain', core.now + core.config.timers.drain)
}

/** Nothing comes by it any more. */
export function eraseChild(core: Core, child: ChildSa): void {
  const { draining, series } = child.ikeSa
  draining.delete(child)
  core.timers.clearAll(child)
  core.sad.delete(child.inboundSpi)
  series.past.add(child)
  child.erase()
}
