/** What a peer offered or asked for beside what is configured, in words for the log: nothing of it is secret. */
import { CodecError, type Proposal, type TrafficSelector, type Transform, TransformType } from '@underpass/ike-codec'
import type { EspSuite, IkeSuite } from '../config.ts'
import type { Core } from '../core.ts'
import { formatIkeSpi } from '../ike/ike-sa.ts'
import { type IkeSaInitRequest, readIkeSaInitRequest } from '../ike/ike-sa-init.ts'
import { chooseIkeProposal } from '../ike/proposals.ts'
import { describeSelector, type IpSelector } from '../ike/traffic-selectors.ts'
import { SessionError } from '../session-error.ts'
import { describeEspSuite, describeIkeSuite } from '../suites.ts'
import { type Ends, suitesFor } from './peer-choice.ts'

/** A line for an IKE_SA_INIT request that was refused, where that was for its algorithms; one for each initiator's SPI, and rationed. */
export function tellOfferRefused(core: Core, octets: Uint8Array, initiatorSpi: bigint, ends: Ends): void {
  if (!mayTell(core, initiatorSpi)) return
  const asked = readOffer(octets)
  const configured = suitesFor(core.config, ends)
  if (!asked || chooseIkeProposal(asked.proposals, configured, asked.method)) return
  const detail =
    configured.length === 0
      ? `no connection of the configuration is for ${ends.remote.address} at ${ends.local.address}`
      : `no common algorithms: ${ikeMismatch(asked.proposals, configured)}`
  core.event({
    kind: 'handshake-failed',
    ikeSa: formatIkeSpi(initiatorSpi),
    peer: '',
    detail,
    notify: 'NO_PROPOSAL_CHOSEN',
    remote: ends.remote,
  })
}

/** 'offered aes128-sha1-modp1024, configured aes256gcm16-prfsha256-x25519 and 3 more'. */
export function ikeMismatch(offered: readonly Proposal[], configured: readonly IkeSuite[]): string {
  const words = offered.slice(0, SHOWN).flatMap((proposal) =>
    combinations(proposal, [TransformType.ENCR, TransformType.INTEG, TransformType.PRF, TransformType.KE]).map(
      ([encryption, integrity, prf, keyExchange]) =>
        describeIkeSuite({
          ...cipherOf(encryption, integrity),
          prf: prf?.id ?? 0,
          keyExchange: keyExchange?.id ?? 0,
        }),
    ),
  )
  return `offered ${someOf(words)}, configured ${someOf(configured.map(describeIkeSuite))}`
}

/** The same for ESP. */
export function espMismatch(offered: readonly Proposal[], configured: readonly EspSuite[]): string {
  const words = offered
    .slice(0, SHOWN)
    .flatMap((proposal) =>
      combinations(proposal, [TransformType.ENCR, TransformType.INTEG]).map(([encryption, integrity]) =>
        describeEspSuite(cipherOf(encryption, integrity)),
      ),
    )
  return `offered ${someOf(words)}, configured ${someOf(configured.map(describeEspSuite))}`
}

/** 'asked for 10.77.0.0/24, configured 10.2.0.0/24'. */
export function selectorMismatch(asked: readonly TrafficSelector[], configured: readonly IpSelector[]): string {
  const words = asked
    .slice(0, SHOWN + 1)
    .map((selector) => ('startAddress' in selector ? describeSelector(selector) : `type ${selector.tsType}`))
  return `asked for ${someOf(words)}, configured ${someOf(configured.map(describeSelector))}`
}

/** Anybody can have himself refused, as often as he likes. */
const TOLD_PER_SECOND = 10

/** Repetitions over UDP come for seconds. */
const REMEMBERED = 64

const TOLD: WeakMap<Core, { second: number; count: number; readonly spis: Set<bigint> }> = new WeakMap()

function mayTell(core: Core, initiatorSpi: bigint): boolean {
  const told = TOLD.get(core) ?? { second: 0, count: 0, spis: new Set() }
  TOLD.set(core, told)
  if (told.spis.has(initiatorSpi)) return false
  const second = Math.floor(core.now / 1000)
  if (told.second !== second) Object.assign(told, { second, count: 0 })
  if (told.count++ >= TOLD_PER_SECOND) return false
  told.spis.add(initiatorSpi)
  for (const oldest of told.spis) if (told.spis.size > REMEMBERED) told.spis.delete(oldest)
  return true
}

/** `undefined`: it was refused because it is no such request. */
function readOffer(octets: Uint8Array): IkeSaInitRequest | undefined {
  try {
    return readIkeSaInitRequest(octets)
  } catch (error) {
    if (error instanceof CodecError || error instanceof SessionError) return undefined
    throw error
  }
}

/** A peer may offer thousands; nobody reads on. */
const SHOWN = 4

function someOf(words: readonly string[]): string {
  if (words.length === 0) return 'nothing'
  const distinct = [...new Set(words)]
  return distinct.length <= SHOWN ? distinct.join(', ') : `${distinct.slice(0, SHOWN).join(', ')} and more`
}

/** Of the first transforms of each type; a type that is not there is `undefined` in each. */
function combinations(proposal: Proposal, types: readonly number[]): (Transform | undefined)[][] {
  let found: (Transform | undefined)[][] = [[]]
  for (const type of types) {
    const ofType = proposal.transforms.filter((transform) => transform.type === type).slice(0, SHOWN)
    const choices = ofType.length === 0 ? [undefined] : ofType
    found = found.flatMap((before) => choices.map((one) => [...before, one])).slice(0, SHOWN + 1)
  }
  return found
}

function cipherOf(encryption: Transform | undefined, integrity: Transform | undefined): EspSuite {
  return {
    encryption: encryption?.id ?? 0,
    keyLength: encryption?.keyLength,
    integrity: integrity === undefined || integrity.id === 0 ? undefined : integrity.id,
  }
}
