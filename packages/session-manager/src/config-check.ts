/** What of a `SessionConfig` contradicts itself, said before anything is made of it. */
import type { Limits, PeerConfig, SessionConfig, TransportOption } from './config.ts'
import { isDomain } from './ike/internal-names.ts'
import { parseAddress, parseRange, prefixLengthOf } from './ip-address.ts'
import { SessionError } from './session-error.ts'
import { MAX_SHARDS } from './shard-spi.ts'
import { describeEspSuite, describeIkeSuite, isEspSuite, isIkeSuite } from './suites.ts'

/** Octets of IKE that every implementation must take (RFC 7296 §2), which a connection must then be able to hold. */
const SMALLEST_BUFFER = 1280

/** Room for some content beside all headers, IV, padding and ICV of one fragment (RFC 7383 §2.5). */
const SMALLEST_DATAGRAM = 256

/** RFC 9329 §3. */
const LONGEST_MESSAGE = 65_533

/** RFC 4303 §3.4.3, and what esp-crypto has room for. */
const SMALLEST_WINDOW = 32
const LARGEST_WINDOW = 4096

const SHORTEST_CRASH_SECRET = 32

/** All that can contradict itself. */
export type CheckedConfig = Omit<SessionConfig, 'aeadProvider' | 'createEapMachine'>

/** Throws `SessionError` 'INVALID_CONFIG'. */
export function checkConfig(config: CheckedConfig): void {
  checkNumbers(config)
  checkShard(config)
  if (config.crashSecret && config.crashSecret.length < SHORTEST_CRASH_SECRET)
    refuse(`crashSecret has ${config.crashSecret.length} octets, which is below ${SHORTEST_CRASH_SECRET} (RFC 6290 §5.1)`)
  const names = new Set<string>()
  for (const peer of config.peers) {
    if (names.has(peer.name)) refuse(`peer "${peer.name}": the name is taken`)
    names.add(peer.name)
    checkPeer(peer)
  }
}

function checkPeer(peer: PeerConfig): void {
  const refusePeer = (why: string): never => refuse(`peer "${peer.name}": ${why}`)
  for (const auth of [peer.auth.local, peer.auth.remote])
    if (auth.kind === 'shared-key' && auth.secret.length === 0) refusePeer('the shared secret is empty')
  // RFC 7619 §2.4: what nobody proves is not to be gone by.
  if (peer.auth.remote.kind === 'null' && peer.remoteId) refusePeer('NULL authentication proves no identity, and one is asked for')
  checkEap(peer, refusePeer)
  if (peer.ppk && (peer.ppk.key.length === 0 || peer.ppk.id.length === 0)) refusePeer('the PPK, or its ID, is empty')
  if (peer.ikeProposals.length === 0) refusePeer('no IKE proposal')
  if (peer.espProposals.length === 0) refusePeer('no ESP proposal')
  for (const suite of peer.ikeProposals) if (!isIkeSuite(suite)) refusePeer(`"${describeIkeSuite(suite)}" cannot protect an IKE SA`)
  for (const suite of peer.espProposals) if (!isEspSuite(suite)) refusePeer(`"${describeEspSuite(suite)}" cannot protect ESP`)
  if (peer.localSubnets === 'virtual' && peer.requestAddresses.length === 0)
    refusePeer('its own side is virtual, but no inner address is asked for')
  if (peer.remoteSubnets === 'virtual' && !peer.pool) refusePeer('the other side is virtual, but there is no pool to take its address from')
  for (const [what, texts] of Object.entries(subnetsOf(peer))) {
    if (texts.length === 0 && what !== 'pool.subnets') refusePeer(`${what} is empty`)
    for (const text of texts) if (!parseRange(text)) refusePeer(`${what}: ${JSON.stringify(text)} is no subnet`)
  }
  // INTERNAL_IP4_SUBNET and INTERNAL_IP6_SUBNET hold nothing else (RFC 7296 §3.15.1).
  for (const text of peer.pool?.subnets ?? [])
    if (prefixLengthOf(parseRange(text)!) === undefined) refusePeer(`pool.subnets: ${JSON.stringify(text)} is no single prefix`)
  for (const text of peer.pool?.dns ?? []) if (!parseAddress(text)) refusePeer(`pool.dns: ${JSON.stringify(text)} is no address`)
  for (const text of peer.pool?.pCscf ?? []) if (!parseAddress(text)) refusePeer(`pool.pCscf: ${JSON.stringify(text)} is no address`)
  for (const text of peer.pool?.domains ?? []) if (!isDomain(text)) refusePeer(`pool.domains: ${JSON.stringify(text)} is no domain name`)
  if ((peer.pool?.domains ?? []).length > 0 && peer.pool?.dns.length === 0) refusePeer('pool.domains needs pool.dns (RFC 8598 §3.2)')
  if (!(peer.replayWindow >= SMALLEST_WINDOW && peer.replayWindow <= LARGEST_WINDOW))
    refusePeer(`replayWindow is ${peer.replayWindow}, which is not ${SMALLEST_WINDOW} to ${LARGEST_WINDOW}`)
  if (peer.fttKeepalive && !isKeepalive(peer.fttKeepalive))
    refusePeer('fttKeepalive is no envelope of 2 to 6 octets that begins with their number')
  checkDial(peer, refusePeer)
}

/** RFC 7296 §2.16: the initiator's proof, beside a signature of the responder's or with EAP alone for both (RFC 5998). */
function checkEap({ auth: { local, remote }, dial }: PeerConfig, refusePeer: (why: string) => never): void {
  if (local.kind === 'eap' && !dial) refusePeer('EAP is how an initiator proves itself, and there is nobody to dial')
  if (remote.kind === 'eap' && dial) refusePeer('EAP is asked of an initiator, and this peer is dialled')
  for (const [eap, other] of [
    [local, remote],
    [remote, local],
  ] as const) {
    if (eap.kind === 'eap-only' && other.kind !== 'eap') refusePeer('EAP cannot prove both ends where neither is to do EAP')
    if (eap.kind === 'eap' && other.kind !== 'signature' && other.kind !== 'eap-only')
      refusePeer('EAP needs a responder that signs, or a method that proves both ends (RFC 7296 §2.16, RFC 5998)')
  }
}

/** TS 24.302 F.3.2: envelopes of IKEv2 and ESP are longer than 6, and Length counts itself. */
function isKeepalive(envelope: Uint8Array): boolean {
  return envelope.length >= 2 && envelope.length <= 6 && envelope[0] === 0 && envelope[1] === envelope.length
}

function checkDial({ dial }: PeerConfig, refusePeer: (why: string) => never): void {
  if (!dial) return
  if (!parseAddress(dial.address)) refusePeer(`dial.address: ${JSON.stringify(dial.address)} is no address`)
  checkTransports(dial.transports, (why) => refusePeer(`dial.${why}`))
}

/** Throws `SessionError` 'INVALID_CONFIG', unless `refuseThem` throws something else. */
export function checkTransports(transports: readonly TransportOption[], refuseThem: (why: string) => never = refuse): void {
  if (transports.length === 0) refuseThem('transports is empty')
  for (const { address } of transports)
    if (address !== undefined && !parseAddress(address)) refuseThem(`transports: ${JSON.stringify(address)} is no address`)
  for (const port of transports.flatMap((option) => (option.transport === 'udp' ? [option.port, option.natPort] : [option.port])))
    if (!(Number.isInteger(port) && port >= 1 && port <= 65_535)) refuseThem(`transports: port ${port} is not 1 to 65535`)
}

/** An initiator has its SPI in the other place of the header, where nobody looks for the core that it is for. */
function checkShard({ shard, peers }: CheckedConfig): void {
  if (!shard) return
  const { index, count } = shard
  if (!(Number.isInteger(count) && count >= 1 && count <= MAX_SHARDS)) refuse(`shard.count is ${count}, which is not 1 to ${MAX_SHARDS}`)
  if (!(Number.isInteger(index) && index >= 0 && index < count)) refuse(`shard.index is ${index}, which is not below shard.count, ${count}`)
  for (const peer of peers) if (peer.dial) refuse(`peer "${peer.name}": one of several cores cannot dial`)
}

/** By their keys: the text that is made ranges of. */
function subnetsOf({
  localSubnets,
  remoteSubnets,
  pool,
  localAddresses,
  remoteAddresses,
}: PeerConfig): Readonly<Record<string, readonly string[]>> {
  return {
    ...(localSubnets === 'virtual' ? {} : { localSubnets }),
    ...(remoteSubnets === 'virtual' ? {} : { remoteSubnets }),
    ...(localAddresses && { localAddresses }),
    ...(remoteAddresses && { remoteAddresses }),
    ...(pool ? { 'pool.ranges': pool.ranges, 'pool.subnets': pool.subnets } : {}),
  }
}

/** A wait of 0 would never end, NaN never come; the framing has limits of its own. */
function checkNumbers({ limits, timers, acceptsPeers }: CheckedConfig): void {
  for (const [name, value] of Object.entries(timers))
    if (name === 'maxRetransmissions' ? !(value >= 0) : !(value > 0)) refuse(`timers.${name} is ${value}, which is not above 0`)
  for (const [name, value] of Object.entries(limits))
    if (typeof value === 'number' && !(value >= 0)) refuse(`limits.${name} is ${value}, which is below 0`)
  if (acceptsPeers) checkHalfOpen(limits)
  if (limits.maxBufferedPerConnection < SMALLEST_BUFFER)
    refuse(`limits.maxBufferedPerConnection is ${limits.maxBufferedPerConnection}, an IKE message needs ${SMALLEST_BUFFER}`)
  for (const name of ['maxIkeDatagramIpv4', 'maxIkeDatagramIpv6'] as const)
    if (limits[name] < SMALLEST_DATAGRAM) refuse(`limits.${name} is ${limits[name]}, which is not above ${SMALLEST_DATAGRAM - 1}`)
  if (limits.maxMessageLength > LONGEST_MESSAGE)
    refuse(`limits.maxMessageLength is ${limits.maxMessageLength}, a frame holds ${LONGEST_MESSAGE} (RFC 9329 §3)`)
}

/** RFC 7296 §2.6: where everything is refused before cookies are asked for, spoofed requests keep everybody out. */
function checkHalfOpen(limits: Limits): void {
  for (const name of ['maxHalfOpen', 'maxHalfOpenPerAddress'] as const)
    if (limits[name] < 1) refuse(`limits.${name} is ${limits[name]}: nobody could connect`)
  if (limits.cookieThreshold >= limits.maxHalfOpen)
    refuse(`limits.cookieThreshold is ${limits.cookieThreshold}, which is not below limits.maxHalfOpen, ${limits.maxHalfOpen}`)
}

function refuse(what: string): never {
  throw new SessionError('INVALID_CONFIG', 'caller', what)
}
