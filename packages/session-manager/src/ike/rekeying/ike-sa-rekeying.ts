/**
 * Rekeying the IKE SA (RFC 7296 §1.3.2, §2.18), both halves.
 *
 *   HDR, SK {SA, Ni, KEi}  -->
 *                          <--  HDR, SK {SA, Nr, KEr}
 */
import { ExchangeType, NotifyType, type Payload } from '@underpass/ike-codec'
import type { IkeSuite } from '../../config.ts'
import type { Core } from '../../core.ts'
import { readU64, u64 } from '../../octets.ts'
import type { IkeSa } from '../ike-sa.ts'
import { NONCE_LENGTH, suiteOf } from '../ike-sa-init.ts'
import { freshIkeSpi } from '../ike-sa-init-engine.ts'
import { find, findErrorNotify, nameOfNotify } from '../payload-queries.ts'
import { chooseIkeProposal, ikeOffer, isAnswerTo } from '../proposals.ts'
import { crashToken, crashTokensIn, keepCrashTokens, tellCrashToken } from '../quick-crash-detection.ts'
import { rejectSyntax } from '../reject-syntax.ts'
import { afterWork, type Effect, type Step } from '../step.ts'
import { sendRequest } from '../transmission.ts'
import { compareNonces, dropCreation, type IkeCreation, ikeCreationOf, isNonce, isOut, lowestOf } from './creation.ts'
import { invalidKe, methodAskedFor, refuse, rejectAnswer, takeRefusal, tryLater } from './refusals.ts'
import { endIkeSa, isContending, makeSuccessor, replaceIkeSa, yieldTo } from './series.ts'

/** It is time, or somebody asked for it. Nothing happens where it is under way. */
export function rekeyIkeSa(core: Core, sa: IkeSa): void {
  if (sa.state.kind !== 'ESTABLISHED' || !sa.isCurrent || !sa.suite || ikeCreationOf(sa)) return
  begin(core, sa, sa.suite.keyExchange, [])
}

function begin(core: Core, sa: IkeSa, method: number, refusedMethods: readonly number[]): void {
  const localSpi = freshIkeSpi(core)
  const proposals = ikeOffer(sa.peer?.ikeProposals ?? []).map((proposal) => ({ ...proposal, spi: u64(localSpi) }))
  const creation: IkeCreation = {
    kind: 'ike-sa',
    localSpi,
    proposals,
    nonce: core.random(NONCE_LENGTH),
    method,
    refusedMethods,
    secret: undefined,
    isAnswered: false,
    rival: undefined,
  }
  sa.creations.add(creation)
  core.startJob({ kind: 'ke-initiate', method }, sa, (_core, _sa, result) => {
    // The peer was first.
    if (!sa.creations.has(creation)) return
    if (result.kind !== 'ke-initiated') {
      dropCreation(sa, creation)
      return tryLater(core, sa, sa, result.kind === 'failed' ? result.detail : 'no key pair')
    }
    creation.secret = result.secret
    const payloads: Payload[] = [
      { type: 'SA', proposals },
      { type: 'Nonce', data: creation.nonce },
      { type: 'KE', method, data: result.publicValue },
    ]
    sendRequest(core, sa, { purpose: 'create-child-sa', exchangeType: ExchangeType.CREATE_CHILD_SA, payloads, creation })
  })
}

/** The initiator of the exchange, on the answer. */
export function handleIkeRekeyResponse(sa: IkeSa, inner: readonly Payload[], creation: IkeCreation): Step {
  const refusal = findErrorNotify(inner)
  if (refusal) return takeIkeRefusal(sa, creation, refusal)
  const answer = find(inner, 'SA')
  const ke = find(inner, 'KE')
  const nonce = find(inner, 'Nonce')?.data.slice()
  const chosen = answer && isAnswerTo(answer.proposals, creation.proposals) ? answer.proposals[0] : undefined
  const suite = chosen && suiteOf(chosen)
  const peerSpi = chosen?.spi.length === 8 ? readU64(chosen.spi) : 0n
  if (!suite || !ke || !nonce || !isNonce(nonce) || peerSpi === 0n || ke.method !== creation.method || suite.keyExchange !== ke.method)
    return rejectAnswer(sa, creation, 'the answer to the rekeying of the IKE SA is none to what was offered')
  creation.isAnswered = true
  const crashTokens = crashTokensIn(inner)
  const work = { kind: 'ke-complete', method: ke.method, secret: creation.secret!, peerPublic: ke.data.slice() } as const
  return afterWork(work, (_core, _sa, result) => {
    // K-2: the peer has an IKE SA that we cannot have.
    if (result.kind !== 'ke-completed') return rejectAnswer(sa, creation, 'the public value of the peer is no good')
    return finish(sa, creation, { suite, peerSpi, responderNonce: nonce, crashTokens }, [result.sharedSecret])
  })
}

interface IkeAnswer {
  readonly suite: IkeSuite
  readonly peerSpi: bigint
  readonly responderNonce: Uint8Array
  readonly crashTokens: readonly Uint8Array[]
}

/** All shared secrets are there: those of RFC 9370's further key exchanges come behind the first. */
function finish(
  sa: IkeSa,
  creation: IkeCreation,
  { suite, peerSpi, responderNonce, crashTokens }: IkeAnswer,
  sharedSecrets: readonly Uint8Array[],
): Step {
  if (!sa.creations.has(creation)) return {}
  const { localSpi, nonce, rival } = creation
  dropCreation(sa, creation)
  sa.refusedSince = undefined
  const apply = (core: Core): void => {
    const terms = { role: 'initiator', localSpi, peerSpi, suite, initiatorNonce: nonce, responderNonce, sharedSecrets } as const
    const successor = makeSuccessor(core, sa, terms)
    keepCrashTokens(successor, crashTokens)
    // §2.8.2: the SA of the lowest of the four nonces is deleted by who asked for it, the old one by who asked for the other.
    if (rival && isContending(rival.sa) && compareNonces(lowestOf(nonce, responderNonce), rival.lowestNonce) < 0) {
      yieldTo(core, rival.sa)
      return endIkeSa(core, successor, 'another was made at the same time')
    }
    if (rival && isContending(rival.sa)) core.timers.set(rival.sa, 'replaced', core.now + core.config.timers.replaced)
    replaceIkeSa(core, sa, successor)
    tellCrashToken(core, successor)
    endIkeSa(core, sa, 'rekeyed')
  }
  return { effects: [{ kind: 'rekeying', apply }] }
}

function takeIkeRefusal(sa: IkeSa, creation: IkeCreation, refusal: Extract<Payload, { type: 'N' }>): Step {
  const { rival } = creation
  dropCreation(sa, creation)
  // The peer made another and knows of no collision.
  if (rival && isContending(rival.sa)) return { effects: [{ kind: 'rekeying', apply: (core) => yieldTo(core, rival.sa) }] }
  const method = methodAskedFor(creation, refusal)
  const refusedMethods = [...creation.refusedMethods, creation.method!]
  if (method !== undefined) return { effects: [{ kind: 'rekeying', apply: (core) => begin(core, sa, method, refusedMethods) }] }
  return takeRefusal(sa, sa, refusal.notifyType, `the peer refused to rekey the IKE SA: ${nameOfNotify(refusal.notifyType)}`)
}

/** The responder of the exchange. */
export function answerIkeRekeyRequest(core: Core, sa: IkeSa, inner: readonly Payload[]): Step {
  // §2.25: it is being deleted, or replaced; or something of a Child SA of its is under way.
  if (isBusy(sa)) return refuse(NotifyType.TEMPORARY_FAILURE)
  const offer = find(inner, 'SA')!
  const nonce = find(inner, 'Nonce')!.data.slice()
  const ke = find(inner, 'KE')
  if (!isNonce(nonce) || !ke) return rejectSyntax(core, sa, 'a rekeying of the IKE SA without KE, or with a nonce of a wrong length')
  const usable = offer.proposals.filter(({ spi }) => spi.length === 8 && readU64(spi) !== 0n)
  const chosen = chooseIkeProposal(usable, sa.peer?.ikeProposals ?? [], ke.method)
  if (!chosen) return refuse(NotifyType.NO_PROPOSAL_CHOSEN)
  const { suite, proposal } = chosen
  if (suite.keyExchange !== ke.method) return invalidKe(suite.keyExchange)
  const peerSpi = readU64(usable.find(({ number }) => number === proposal.number)!.spi)
  return afterWork({ kind: 'ke-respond', method: ke.method, peerPublic: ke.data.slice() }, (_core, _sa, result) => {
    if (isBusy(sa)) return refuse(NotifyType.TEMPORARY_FAILURE)
    if (result.kind !== 'ke-responded') return rejectSyntax(core, sa, 'the public value in KE is no good')
    const localSpi = freshIkeSpi(core)
    const responderNonce = core.random(NONCE_LENGTH)
    return {
      reply: [
        { type: 'SA', proposals: [{ ...proposal, spi: u64(localSpi) }] },
        { type: 'Nonce', data: responderNonce },
        { type: 'KE', method: suite.keyExchange, data: result.publicValue },
        ...crashToken(core, { role: 'responder', initiatorSpi: peerSpi, responderSpi: localSpi }),
      ],
      effects: [take(sa, { localSpi, peerSpi, suite, initiatorNonce: nonce, responderNonce }, [result.sharedSecret])],
    }
  })
}

/** The new one takes over, or, where ours is out as well, contends. */
function take(
  sa: IkeSa,
  terms: Omit<Parameters<typeof makeSuccessor>[2], 'role' | 'sharedSecrets'>,
  sharedSecrets: readonly Uint8Array[],
): Effect {
  const apply = (core: Core): void => {
    const ours = ikeCreationOf(sa)
    const successor = makeSuccessor(core, sa, { ...terms, role: 'responder', sharedSecrets })
    // Until the peer shows that it has it: our answer may be lost.
    successor.isUnconfirmed = true
    if (ours && isOut(sa, ours)) {
      ours.rival = { sa: successor, lowestNonce: lowestOf(terms.initiatorNonce, terms.responderNonce) }
      return
    }
    if (ours) dropCreation(sa, ours)
    replaceIkeSa(core, sa, successor)
  }
  return { kind: 'rekeying', apply }
}

function isBusy(sa: IkeSa): boolean {
  const { outstanding } = sa.window
  const isChildOut = [...sa.creations].some((creation) => creation.kind === 'child-sa' && isOut(sa, creation))
  return sa.state.kind !== 'ESTABLISHED' || !sa.isCurrent || isChildOut || outstanding?.plan.purpose === 'delete-child'
}
