/**
 * Which of the configured peers one who calls may be (RFC 4301 §4.4.3): at first by the addresses alone, which say what algorithms it may use,
 * then by what it says its identity is.
 */
import { rowsBrokenByIke } from '../algorithm-levels.ts'
import type { Identity, IkeSuite, PeerConfig, SessionConfig } from '../config.ts'
import type { Endpoint } from '../contract.ts'
import { isSameIdentity } from '../ike/identification.ts'
import { type AddressRange, compareAddresses, parseAddress, parseRange } from '../ip-address.ts'
import { describeIkeSuite } from '../suites.ts'

/** The two ends of the way on which one calls. */
export interface Ends {
  readonly local: Endpoint
  readonly remote: Endpoint
}

/**
 * The suites of all peers that may call on this way, each once, in order, but those that are about to go behind the others: who is asking is
 * known only in IKE_AUTH, and what one old peer needs is not to be chosen for all.
 */
export function suitesFor(config: SessionConfig, ends: Ends): readonly IkeSuite[] {
  const groups = groupsOf(config)
  const fitting = groups.map((group) => fits(group, ends))
  const key = fitting.map(Number).join('')
  const merged = groups.merged.get(key) ?? distinct(groups.filter((_, i) => fitting[i]).flatMap(({ suites }) => suites))
  groups.merged.set(key, merged)
  return merged
}

/** The peers that the identity may be of and whose algorithms the IKE SA has, those that name most first. */
export function peersFor(
  config: SessionConfig,
  ends: Ends,
  remoteId: Identity,
  { idr, suite }: { readonly idr: Identity | undefined; readonly suite: IkeSuite | undefined },
): PeerConfig[] {
  const rank = (peer: PeerConfig): number =>
    (peer.remoteId ? 0 : 4) + (idr === undefined || isSameIdentity(peer.localId, idr) ? 0 : 2) + (peer.remoteAddresses ? 0 : 1)
  return config.peers
    .filter((peer) => mayBe(peer, remoteId))
    .filter((peer) => fits(peer, ends) && (suite === undefined || peer.ikeProposals.some((one) => isSameSuite(one, suite))))
    .toSorted((a, b) => rank(a) - rank(b))
}

/** Whether there is a peer for it, wherever it calls and however. */
export function isKnownIdentity(config: SessionConfig, remoteId: Identity): boolean {
  return config.peers.some((peer) => mayBe(peer, remoteId))
}

function mayBe(peer: PeerConfig, remoteId: Identity): boolean {
  return peer.remoteId === undefined || isSameIdentity(peer.remoteId, remoteId)
}

/** Peers that a request cannot tell apart. */
interface Group extends Callers {
  readonly suites: readonly IkeSuite[]
}

/** Where it may call and from where; `undefined`: anywhere, from anywhere. */
interface Callers {
  readonly localAddresses?: readonly string[] | undefined
  readonly remoteAddresses?: readonly string[] | undefined
}

interface Groups extends ReadonlyArray<Group> {
  /** By which of the groups fit. */
  readonly merged: Map<string, readonly IkeSuite[]>
}

const GROUPS: WeakMap<SessionConfig, Groups> = new WeakMap()

function groupsOf(config: SessionConfig): Groups {
  const known = GROUPS.get(config)
  if (known) return known
  const groups: Group[] = []
  for (const { localAddresses, remoteAddresses, ikeProposals: suites } of config.peers) {
    const isKnown = groups.some(
      (group) => group.suites === suites && group.localAddresses === localAddresses && group.remoteAddresses === remoteAddresses,
    )
    if (!isKnown) groups.push({ localAddresses, remoteAddresses, suites })
  }
  const made = Object.assign(groups, { merged: new Map<string, readonly IkeSuite[]>() })
  GROUPS.set(config, made)
  return made
}

function fits({ localAddresses, remoteAddresses }: Callers, { local, remote }: Ends): boolean {
  return isAmong(local.address, localAddresses) && isAmong(remote.address, remoteAddresses)
}

function isAmong(address: string, texts: readonly string[] | undefined): boolean {
  if (texts === undefined) return true
  const octets = parseAddress(address)
  return octets !== undefined && rangesOf(texts).some((range) => isWithin(octets, range))
}

const RANGES: WeakMap<readonly string[], readonly AddressRange[]> = new WeakMap()

function rangesOf(texts: readonly string[]): readonly AddressRange[] {
  const ranges = RANGES.get(texts) ?? texts.flatMap((text) => parseRange(text) ?? [])
  RANGES.set(texts, ranges)
  return ranges
}

function isWithin(octets: Uint8Array, { start, end }: AddressRange): boolean {
  return octets.length === start.length && compareAddresses(octets, start) >= 0 && compareAddresses(octets, end) <= 0
}

function distinct(suites: readonly IkeSuite[]): IkeSuite[] {
  const found: IkeSuite[] = []
  for (const suite of suites) if (!found.some((other) => isSameSuite(other, suite))) found.push(suite)
  return found.toSorted((a, b) => Number(rowsBrokenByIke(a).length > 0) - Number(rowsBrokenByIke(b).length > 0))
}

function isSameSuite(a: IkeSuite, b: IkeSuite): boolean {
  return describeIkeSuite(a) === describeIkeSuite(b)
}
