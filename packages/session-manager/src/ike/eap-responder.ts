/**
 * EAP in IKE_AUTH, the responder's half (RFC 7296 §2.16): who has no AUTH at first is asked by EAP, after we have shown who we are; in EAP-only
 * authentication (RFC 5998) both ends are shown by EAP. What the first request asked for is answered last.
 *
 *                      <--  HDR, SK {IDr, [CERT,] AUTH, EAP}
 *                      <--  HDR, SK {EAP}
 *                      <--  HDR, SK {AUTH, [CP(CFG_REPLY),] SAr2, TSi, TSr}
 */
import type { EapStep } from '@underpass/eap'
import { NotifyType, type Payload, type PayloadOf } from '@underpass/ike-codec'
import type { EapAuthentication, Identity, PeerConfig } from '../config.ts'
import type { Core } from '../core.ts'
import { SessionError } from '../session-error.ts'
import { makeAuth, verifyEapAuth } from './authentication.ts'
import { afterEap, createMachine, type EapSuccess, failureOf, packetOf, payloadOf, readProof, successOf } from './eap.ts'
import {
  admitInitiator,
  answerIkeAuthRequest,
  candidatesFor,
  cannotProve,
  introductionOf,
  refuseAuthentication,
} from './ike-auth-responder.ts'
import type { EapTrial, IkeSa, InitRecord } from './ike-sa.ts'
import { find, findNotify } from './payload-queries.ts'
import { choosePpk, takePpk } from './ppk.ts'
import type { AuthenticatedMessage } from './protection.ts'
import type { Step } from './step.ts'

export function answerFirstIkeAuthRequest(core: Core, sa: IkeSa, message: AuthenticatedMessage): Step {
  const { state } = sa
  if (state.kind !== 'IKE_SA_INIT_ANSWERED') throw new SessionError('INVARIANT', 'bug', `IKE_AUTH in state ${state.kind}`)
  return find(message.inner, 'AUTH') ? answerIkeAuthRequest(core, sa, message) : beginEap(core, sa, state.record, message.inner)
}

/** Shows who we are, and asks. */
function beginEap(core: Core, sa: IkeSa, record: InitRecord, asked: readonly Payload[]): Step {
  const idi = find(asked, 'IDi')!
  const remoteId: Identity = { idType: idi.idType, data: idi.data.slice() }
  const candidates = candidatesFor(core, sa, remoteId, find(asked, 'IDr'))
  const peer = candidates.find(({ auth }) => auth.remote.kind === 'eap')
  if (!peer) return refuseAuthentication(core, sa, remoteId, candidates, 'it asks for EAP, which is not offered here')
  const eap = eapOf(peer)
  // Who says EAP_ONLY_AUTHENTICATION may have a method yet that proves one end alone: with something to sign with, we sign.
  const isEapOnly = peer.auth.local.kind === 'eap-only'
  if (isEapOnly && !findNotify(asked, NotifyType.EAP_ONLY_AUTHENTICATION))
    return refuseAuthentication(core, sa, remoteId, [peer], 'it wants us to sign before EAP, and we have EAP alone (RFC 5998)')
  const begin = (introduction: readonly Payload[]): Step => {
    const trial: EapTrial = { record, peer, remoteId, asked, machine: createMachine(core, eap), isEapOnly }
    const { machine } = trial
    const heed = (said: Said): Step => answer(core, sa, trial, undefined, said, introduction)
    return { to: { kind: 'EAP_EXPECTED', ...trial }, next: () => afterEap(machine, machine.start(), heed) }
  }
  if (isEapOnly) return begin([{ type: 'IDr', ...peer.localId }])
  return makeAuth(sa, record, peer, asked, (auth, why) =>
    auth ? begin([...introductionOf(peer), auth]) : cannotProve(core, sa, { peer, remoteId }, why),
  )
}

/** The conversation goes on. */
export function answerEapRequest(core: Core, sa: IkeSa, { inner }: AuthenticatedMessage): Step {
  const { state } = sa
  if (state.kind !== 'EAP_EXPECTED') throw new SessionError('INVARIANT', 'bug', `EAP in state ${state.kind}`)
  const { kind: _, ...trial } = state
  const response = find(inner, 'EAP')!
  return afterEap(trial.machine, trial.machine.receive(packetOf(response)), (said) => answer(core, sa, trial, response, said))
}

/** The initiator's AUTH, by what EAP came to; then what it asked for at first. */
export function answerEapAuthRequest(core: Core, sa: IkeSa, { inner }: AuthenticatedMessage): Step {
  const { state } = sa
  if (state.kind !== 'EAP_AUTH_EXPECTED') throw new SessionError('INVARIANT', 'bug', `AUTH after EAP in state ${state.kind}`)
  const { record, peer, remoteId, asked, proof } = state
  const refuse = (why: string): Step => {
    proof.msk?.fill(0)
    return refuseAuthentication(core, sa, remoteId, [peer], `${proof.eapIdentity}: ${why}`)
  }
  const choice = choosePpk(sa, [peer], inner, find(inner, 'AUTH')!)
  if (choice.candidates.length === 0) return refuse('it has not the PPK that is required')
  return takePpk(sa, choice.ppk, () => {
    const verified = verifyEapAuth(sa, record, { remoteId, auth: choice.auth, inner }, peer, proof)
    if (!verified) return refuse('its AUTH payload after EAP does not verify: it has not the key that EAP made here')
    return makeAuth(
      sa,
      record,
      peer,
      inner,
      (auth, why) => {
        proof.msk?.fill(0)
        return auth ? admitInitiator(core, sa, verified, record, asked, auth, []) : cannotProve(core, sa, verified, why)
      },
      proof,
    )
  })
}

type Said = Exclude<EapStep, { kind: 'work' }>

/** `response`: what the machine was given; `introduction` goes ahead of the first answer. */
function answer(
  core: Core,
  sa: IkeSa,
  trial: EapTrial,
  response: PayloadOf<'EAP'> | undefined,
  said: Said,
  introduction: readonly Payload[] = [],
): Step {
  switch (said.kind) {
    case 'send':
      return { reply: [...introduction, payloadOf(said.packet)] }
    case 'success':
      return believe(core, sa, trial, response, said)
    case 'ignore':
      return fail(core, sa, trial, failureOf(response?.identifier ?? 0), `its EAP message makes no sense: ${said.reason}`)
    case 'failure':
      return fail(core, sa, trial, said.packet ? payloadOf(said.packet) : failureOf(response?.identifier ?? 0), said.reason)
    default:
      return said satisfies never
  }
}

function believe(core: Core, sa: IkeSa, trial: EapTrial, response: PayloadOf<'EAP'> | undefined, success: EapSuccess): Step {
  const { machine, ...rest } = trial
  const identifier = success.packet ? payloadOf(success.packet).identifier : (response?.identifier ?? 0)
  const proof = readProof(machine, success, eapOf(trial.peer), trial.isEapOnly)
  if (proof.kind === 'unproven') return fail(core, sa, trial, failureOf(identifier), proof.why)
  return { to: { kind: 'EAP_AUTH_EXPECTED', ...rest, proof }, reply: [successOf(identifier)] }
}

/** RFC 7296 §2.16: EAP-Failure is all that the initiator is told. */
function fail(core: Core, sa: IkeSa, { peer, remoteId, machine }: EapTrial, failure: PayloadOf<'EAP'>, why: string): Step {
  machine.close()
  return refuseAuthentication(core, sa, remoteId, [peer], `EAP failed: ${why}`, [failure])
}

function eapOf({ auth }: PeerConfig): EapAuthentication {
  if (auth.remote.kind === 'eap') return auth.remote
  throw new SessionError('INVARIANT', 'bug', 'EAP with a peer that has none')
}
