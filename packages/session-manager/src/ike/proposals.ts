/**
 * Negotiation of algorithms (RFC 7296 §2.7, §3.3). The responder takes exactly one transform of each type from one proposal
 * and gives it back unchanged; the initiator checks that what came back was on offer (C-14 to C-17).
 */
import { IntegrityId, type Proposal, ProtocolId, SequenceNumbers, type Transform, TransformType } from '@underpass/ike-codec'
import type { EspSuite, IkeSuite } from '../config.ts'

export interface ChosenIke {
  readonly suite: IkeSuite
  /** As it goes into the answer: the offer's number, one transform a type. */
  readonly proposal: Proposal
}

export interface ChosenEsp {
  readonly suite: EspSuite
  /** The initiator's inbound SPI, from the proposal chosen. */
  readonly peerSpi: Uint8Array
  readonly esn: boolean
  /** Of a key exchange of its own; `undefined`: there is none. */
  readonly keyExchange: number | undefined
  readonly proposal: Proposal
}

/**
 * The SA payload of IKE_SA_INIT. Suites that differ in nothing but one type share a proposal, so that no combination is on offer
 * that the configuration does not name; AEADs and the others are apart (RFC 5282 §8). The order is that of the configuration.
 */
export function ikeOffer(suites: readonly IkeSuite[]): Proposal[] {
  return groupByOneType(suites.map(ikeTransforms)).map((transforms, index) => ({
    number: index + 1,
    protocol: ProtocolId.IKE,
    spi: new Uint8Array(0),
    transforms,
  }))
}

/** A key exchange method that a Child SA may have, `NO_KEY_EXCHANGE` for none. */
export const NO_KEY_EXCHANGE = 0

/** The SA payload for a Child SA, ESN as configured. `methods`: of its key exchange, in order; none for the first (RFC 7296 §1.2). */
export function espOffer(suites: readonly EspSuite[], spi: Uint8Array, esn: boolean, methods: readonly number[] = []): Proposal[] {
  const keyExchanges = methods.map((id) => ({ type: TransformType.KE, id }))
  const sequenceNumbers = (esn ? [SequenceNumbers.ESN_64, SequenceNumbers.SN_32] : [SequenceNumbers.SN_32]).map((id) => ({
    type: TransformType.SN,
    id,
  }))
  return groupByOneType(suites.map(espTransforms)).map((transforms, index) => ({
    number: index + 1,
    protocol: ProtocolId.ESP,
    spi,
    transforms: [...transforms, ...keyExchanges, ...sequenceNumbers],
  }))
}

/** One octet numbers them, from 1 (RFC 7296 §3.3.1); 60,000 octets have room for thousands, each to be compared with each suite. */
const MAX_PROPOSALS = 255

/** The first of our suites that a proposal of theirs holds whole. `method` prefers the group of the KE payload in hand. */
export function chooseIkeProposal(offered: readonly Proposal[], suites: readonly IkeSuite[], method?: number): ChosenIke | undefined {
  const usable = offered
    .slice(0, MAX_PROPOSALS)
    .filter((proposal) => proposal.protocol === ProtocolId.IKE && hasOnlyTypes(proposal, IKE_TYPES))
  const preferred = method === undefined ? [] : suites.filter((suite) => suite.keyExchange === method)
  for (const suite of [...preferred, ...suites]) {
    for (const proposal of usable) {
      const transforms = pick(proposal, [
        encryptionTransform(suite),
        { type: TransformType.PRF, id: suite.prf },
        integrityTransform(suite.integrity),
        { type: TransformType.KE, id: suite.keyExchange },
      ])
      if (transforms) return { suite, proposal: { ...proposal, spi: new Uint8Array(0), transforms } }
    }
  }
  return undefined
}

/**
 * Likewise for ESP. `spi` is our inbound SPI, which the answer carries. ESN is taken where both may (RFC 7296 §3.3.2). `methods`: of a key
 * exchange of its own, in order.
 */
export function chooseEspProposal(
  offered: readonly Proposal[],
  suites: readonly EspSuite[],
  esn: boolean,
  spi: Uint8Array,
  methods: readonly number[] = [NO_KEY_EXCHANGE],
): ChosenEsp | undefined {
  const usable = offered.filter(
    (proposal) => proposal.protocol === ProtocolId.ESP && isEspSpi(proposal.spi) && hasOnlyTypes(proposal, ESP_TYPES),
  )
  for (const method of methods) {
    for (const suite of suites) {
      for (const proposal of usable) {
        const chosen = chooseSequenceNumbers(proposal, suite, esn, method)
        if (chosen) return { ...chosen, suite, peerSpi: proposal.spi, proposal: { ...proposal, spi, transforms: chosen.transforms } }
      }
    }
  }
  return undefined
}

function chooseSequenceNumbers(
  proposal: Proposal,
  suite: EspSuite,
  esn: boolean,
  method: number,
): { esn: boolean; keyExchange: number | undefined; transforms: Transform[] } | undefined {
  const isNone = method === NO_KEY_EXCHANGE
  for (const sequenceNumbers of esn ? [SequenceNumbers.ESN_64, SequenceNumbers.SN_32] : [SequenceNumbers.SN_32]) {
    const transforms = pick(proposal, [
      encryptionTransform(suite),
      integrityTransform(suite.integrity),
      { type: TransformType.SN, id: sequenceNumbers },
      isNone ? noKeyExchange(proposal) : { type: TransformType.KE, id: method },
    ])
    if (transforms) return { esn: sequenceNumbers === SequenceNumbers.ESN_64, keyExchange: isNone ? undefined : method, transforms }
  }
  return undefined
}

/** Initiator: whether the answer is one proposal of the offer with one transform a type (C-14). */
export function isAnswerTo(answer: readonly Proposal[], offer: readonly Proposal[]): boolean {
  const chosen = answer[0]
  if (answer.length !== 1 || chosen === undefined) return false
  const offered = offer.find((proposal) => proposal.number === chosen.number && proposal.protocol === chosen.protocol)
  if (!offered) return false
  const types = new Set(chosen.transforms.map((transform) => transform.type))
  if (types.size !== chosen.transforms.length) return false
  // NONE says what an AEAD's offer said by leaving INTEG out (RFC 7296 §3.3.3); it never takes an algorithm's place (C-35).
  const mayBeNone = !offered.transforms.some((transform) => transform.type === TransformType.INTEG)
  const isOnOffer = (transform: Transform): boolean =>
    (mayBeNone && isNone(transform)) || offered.transforms.some((candidate) => isSameTransform(candidate, transform))
  // Nor need an answer name NONE where that was on offer for the key exchange.
  const mayLack = offered.transforms.some((transform) => transform.type === TransformType.KE && transform.id === NO_KEY_EXCHANGE)
  const isComplete = ({ type }: Transform): boolean => types.has(type) || (type === TransformType.KE && mayLack)
  return chosen.transforms.every(isOnOffer) && offered.transforms.every(isComplete)
}

type Wanted = Transform | 'absent-or-none-integrity' | 'absent-or-none-ke' | 'absent'

const IKE_TYPES: ReadonlySet<number> = new Set([TransformType.ENCR, TransformType.PRF, TransformType.INTEG, TransformType.KE])
const ESP_TYPES: ReadonlySet<number> = new Set([TransformType.ENCR, TransformType.INTEG, TransformType.KE, TransformType.SN])

/** A proposal with a transform type that is not known here is passed over whole (C-17). */
function hasOnlyTypes(proposal: Proposal, types: ReadonlySet<number>): boolean {
  return proposal.transforms.every((transform) => types.has(transform.type))
}

/** One transform for each wish, or `undefined` where the proposal cannot grant one of them. */
function pick(proposal: Proposal, wanted: readonly Wanted[]): Transform[] | undefined {
  const picked: Transform[] = []
  for (const wish of wanted) {
    if (wish === 'absent') continue
    if (typeof wish === 'string') {
      const type = wish === 'absent-or-none-integrity' ? TransformType.INTEG : TransformType.KE
      const ofType = proposal.transforms.filter((transform) => transform.type === type)
      if (ofType.length === 0) continue
      const none = ofType.find((transform) => transform.id === 0)
      if (!none) return undefined
      picked.push(none)
      continue
    }
    const match = proposal.transforms.find((transform) => isSameTransform(transform, wish))
    if (!match) return undefined
    picked.push(match)
  }
  return picked
}

function encryptionTransform(suite: EspSuite): Transform {
  return suite.keyLength === undefined
    ? { type: TransformType.ENCR, id: suite.encryption }
    : { type: TransformType.ENCR, id: suite.encryption, keyLength: suite.keyLength }
}

function integrityTransform(integrity: number | undefined): Wanted {
  return integrity === undefined ? 'absent-or-none-integrity' : { type: TransformType.INTEG, id: integrity }
}

/** Without a key exchange; where the offer names groups all the same, only NONE will do. */
function noKeyExchange(proposal: Proposal): Wanted {
  return proposal.transforms.some((transform) => transform.type === TransformType.KE) ? 'absent-or-none-ke' : 'absent'
}

function isNone(transform: Transform): boolean {
  return transform.type === TransformType.INTEG && transform.id === IntegrityId.NONE
}

/** Same type, ID and Key Length; a transform with attributes that are not known here never matches (§3.3.6). */
function isSameTransform(a: Transform, b: Transform): boolean {
  return (
    a.type === b.type &&
    a.id === b.id &&
    a.keyLength === b.keyLength &&
    (a.attributes ?? []).length === 0 &&
    (b.attributes ?? []).length === 0
  )
}

/** RFC 4303 §2.1: 0 is no SPI on the wire, and in UDP and TCP it marks IKE (U-1). */
export function isEspSpi(spi: Uint8Array): boolean {
  return spi.length === 4 && spi.some((octet) => octet !== 0)
}

function ikeTransforms(suite: IkeSuite): Transform[] {
  return [
    encryptionTransform(suite),
    { type: TransformType.PRF, id: suite.prf },
    ...(suite.integrity === undefined ? [] : [{ type: TransformType.INTEG, id: suite.integrity }]),
    { type: TransformType.KE, id: suite.keyExchange },
  ]
}

function espTransforms(suite: EspSuite): Transform[] {
  return [encryptionTransform(suite), ...(suite.integrity === undefined ? [] : [{ type: TransformType.INTEG, id: suite.integrity }])]
}

/** Proposals of which every combination is one of the suites: in each, one type at most has alternatives. */
function groupByOneType(suites: readonly (readonly Transform[])[]): Transform[][] {
  const groups: { readonly first: readonly Transform[]; variesIn: number | undefined; readonly more: Transform[] }[] = []
  for (const suite of suites) {
    const home = groups.find((group) => {
      if (suite.length !== group.first.length || suite.some((transform, index) => transform.type !== group.first[index]!.type)) return false
      const others = suite.filter((transform, index) => !isSameTransform(transform, group.first[index]!))
      return others.length === 0 || (others.length === 1 && (group.variesIn ?? others[0]!.type) === others[0]!.type)
    })
    if (!home) {
      groups.push({ first: suite, variesIn: undefined, more: [] })
      continue
    }
    const other = suite.find((transform, index) => !isSameTransform(transform, home.first[index]!))
    if (!other) continue
    home.variesIn = other.type
    if (!home.more.some((known) => isSameTransform(known, other))) home.more.push(other)
  }
  return groups.map(({ first, variesIn, more }) =>
    first.flatMap((transform) => (transform.type === variesIn ? [transform, ...more] : [transform])),
  )
}
