/** What of a `SessionConfig` contradicts itself, said before anything is made of it. */
import type { PeerConfig, SessionConfig } from './config.ts'
import { SessionError } from './session-error.ts'
import { describeEspSuite, describeIkeSuite, isEspSuite, isIkeSuite } from './suites.ts'

/** Octets of IKE that every implementation must take (RFC 7296 §2), which a connection must then be able to hold. */
const SMALLEST_BUFFER = 1280

/** RFC 9329 §3. */
const LONGEST_MESSAGE = 65_533

/** Throws `SessionError` 'INVALID_CONFIG'. */
export function checkConfig(config: SessionConfig): void {
  checkNumbers(config)
  const names = new Set<string>()
  for (const peer of config.peers) {
    if (names.has(peer.name)) refuse(`peer "${peer.name}": the name is taken`)
    names.add(peer.name)
    checkPeer(peer)
  }
}

function checkPeer(peer: PeerConfig): void {
  const refusePeer = (why: string): never => refuse(`peer "${peer.name}": ${why}`)
  if (peer.psk.length === 0) refusePeer('the shared secret is empty')
  if (peer.ikeProposals.length === 0) refusePeer('no IKE proposal')
  if (peer.espProposals.length === 0) refusePeer('no ESP proposal')
  for (const suite of peer.ikeProposals) if (!isIkeSuite(suite)) refusePeer(`"${describeIkeSuite(suite)}" cannot protect an IKE SA`)
  for (const suite of peer.espProposals) if (!isEspSuite(suite)) refusePeer(`"${describeEspSuite(suite)}" cannot protect ESP`)
  if (peer.dial && peer.dial.transports.length === 0) refusePeer('no transport')
  if (peer.localSubnets === 'virtual' && peer.requestAddresses.length === 0)
    refusePeer('its own side is virtual, but no inner address is asked for')
  if (peer.remoteSubnets === 'virtual' && !peer.pool) refusePeer('the other side is virtual, but there is no pool to take its address from')
}

/** A wait of 0 would never end, NaN never come; the framing has limits of its own. */
function checkNumbers({ limits, timers }: SessionConfig): void {
  for (const [name, value] of Object.entries(timers))
    if (name === 'maxRetransmissions' ? !(value >= 0) : !(value > 0)) refuse(`timers.${name} is ${value}, which is not above 0`)
  for (const [name, value] of Object.entries(limits))
    if (typeof value === 'number' && !(value >= 0)) refuse(`limits.${name} is ${value}, which is below 0`)
  if (limits.maxBufferedPerConnection < SMALLEST_BUFFER)
    refuse(`limits.maxBufferedPerConnection is ${limits.maxBufferedPerConnection}, an IKE message needs ${SMALLEST_BUFFER}`)
  if (limits.maxMessageLength > LONGEST_MESSAGE)
    refuse(`limits.maxMessageLength is ${limits.maxMessageLength}, a frame holds ${LONGEST_MESSAGE} (RFC 9329 §3)`)
}

function refuse(what: string): never {
  throw new SessionError('INVALID_CONFIG', 'caller', what)
}
