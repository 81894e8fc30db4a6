/**
 * EAP in IKE_AUTH, the initiator's half (RFC 7296 §2.16). The responder proves itself first, unless EAP proves both (RFC 5998).
 *
 *   HDR, SK {IDi, [CERTREQ,] [IDr,] SAi2, TSi, TSr}  -->
 *                                                   <--  HDR, SK {IDr, [CERT,] AUTH, EAP}
 *   HDR, SK {EAP}  -->
 *                                                   <--  HDR, SK {EAP (success)}
 *   HDR, SK {AUTH}  -->
 *                                                   <--  HDR, SK {AUTH, SAr2, TSi, TSr}
 */
import type { EapStep } from '@underpass/eap'
import { ExchangeType, type Payload, type PayloadOf } from '@underpass/ike-codec'
import type { EapAuthentication, Identity, PeerConfig } from '../config.ts'
import type { Core } from '../core.ts'
import { SessionError } from '../session-error.ts'
import { mismatchWords, verifyAuth, verifyEapAuth } from './authentication.ts'
import { afterEap, createMachine, type EapSuccess, isFailure, packetOf, payloadOf, readProof } from './eap.ts'
import { describeIdentity } from './identification.ts'
import { acceptResponder, cannotProve, distrust, otherName, refusedByResponder } from './ike-auth-initiator.ts'
import type { EapDialogue, IkeSa } from './ike-sa.ts'
import { find, findErrorNotify } from './payload-queries.ts'
import { makeAuthWithPpk, settlePpk } from './ppk.ts'
import type { AuthenticatedMessage } from './protection.ts'
import type { Effect, Step } from './step.ts'

/** Who the responder is, before a word is said to it of who we are. */
export function handleFirstEapResponse(core: Core, sa: IkeSa, { inner }: AuthenticatedMessage): Step {
  const { state } = sa
  if (state.kind !== 'EAP_ASKED') throw new SessionError('INVARIANT', 'bug', `EAP is begun in state ${state.kind}`)
  const { record, child } = state
  const { peer, eap: local } = eapOf(sa)
  const idr = find(inner, 'IDr')
  const request = find(inner, 'EAP')
  if (!idr || !request) return refusedByResponder(sa, peer, findErrorNotify(inner), 'IDr and EAP')
  const remoteId: Identity = { idType: idr.idType, data: idr.data.slice() }
  const stranger = otherName(sa, peer, remoteId)
  if (stranger) return stranger
  const begin = (): Step => {
    const dialogue = { record, child, remoteId, machine: createMachine(core, local) }
    return hear(sa, dialogue, request)
  }
  if (peer.auth.remote.kind === 'eap-only') return begin()
  const auth = find(inner, 'AUTH')
  const name = describeIdentity(remoteId)
  if (!auth) return distrust(sa, peer, remoteId, `${name} wants EAP and has not proved who it is (RFC 7296 §2.16)`)
  return verifyAuth(sa, record, { remoteId, auth, inner }, [peer], (verified, why) =>
    verified ? begin() : distrust(sa, peer, remoteId, `the AUTH payload of ${name} does not verify: ${why || mismatchWords(peer, auth)}`),
  )
}

/** The conversation goes on. */
export function handleEapResponse(_core: Core, sa: IkeSa, { inner }: AuthenticatedMessage): Step {
  const { state } = sa
  if (state.kind !== 'EAP_SENT') throw new SessionError('INVARIANT', 'bug', `EAP in state ${state.kind}`)
  const { kind: _, ...dialogue } = state
  const request = find(inner, 'EAP')
  return request ? hear(sa, dialogue, request) : refusedByResponder(sa, eapOf(sa).peer, findErrorNotify(inner), 'EAP')
}

/** The last answer: the responder has what EAP came to, too. */
export function handleEapAuthResponse(core: Core, sa: IkeSa, { inner }: AuthenticatedMessage): Step {
  const { state } = sa
  if (state.kind !== 'EAP_AUTH_SENT') throw new SessionError('INVARIANT', 'bug', `AUTH after EAP in state ${state.kind}`)
  const { record, remoteId, proof } = state
  const { peer } = eapOf(sa)
  const auth = find(inner, 'AUTH')
  if (!auth) return refusedByResponder(sa, peer, findErrorNotify(inner), 'AUTH')
  const name = describeIdentity(remoteId)
  const settled = settlePpk(sa, peer, inner, () => {
    const verified = verifyEapAuth(sa, record, { remoteId, auth, inner }, peer, proof)
    proof.msk?.fill(0)
    return verified
      ? acceptResponder(core, sa, verified, state, inner)
      : distrust(sa, peer, remoteId, `the AUTH payload of ${name} after EAP does not verify: it has not the key that EAP made here`)
  })
  return settled ?? distrust(sa, peer, remoteId, `${name} did without the PPK, which is required`)
}

function hear(sa: IkeSa, dialogue: EapDialogue, request: PayloadOf<'EAP'>): Step {
  const { machine } = dialogue
  // From here on what is there is overwritten when the SA ends.
  const to = { kind: 'EAP_SENT', ...dialogue } as const
  return { to, next: () => afterEap(machine, machine.receive(packetOf(request)), (said) => heed(sa, dialogue, request, said)) }
}

function heed(sa: IkeSa, dialogue: EapDialogue, request: PayloadOf<'EAP'>, said: Exclude<EapStep, { kind: 'work' }>): Step {
  switch (said.kind) {
    case 'send':
      return { effects: [ikeAuth([payloadOf(said.packet)])] }
    case 'success':
      return prove(sa, dialogue, said)
    // RFC 3748 has it discarded in silence, and nothing else would come: IKE repeats what is lost, not EAP.
    case 'ignore':
      return failed(sa, dialogue, `its EAP message makes no sense: ${said.reason}`, false)
    case 'failure':
      return failed(sa, dialogue, said.reason, isFailure(request))
    default:
      return said satisfies never
  }
}

/** EAP says that it has ended well; AUTH has to show it (RFC 7296 §2.16). */
function prove(sa: IkeSa, dialogue: EapDialogue, success: EapSuccess): Step {
  const { record, child, remoteId, machine } = dialogue
  const { peer, eap } = eapOf(sa)
  const proof = readProof(machine, success, eap, peer.auth.remote.kind === 'eap-only')
  if (proof.kind === 'unproven') return distrust(sa, peer, remoteId, proof.why)
  const send = (auth: PayloadOf<'AUTH'> | undefined, why: string, more: readonly Payload[]): Step =>
    auth ? { effects: [ikeAuth([auth, ...more])] } : cannotProve(sa, peer, why)
  return {
    to: { kind: 'EAP_AUTH_SENT', record, child, remoteId, proof },
    next: () => makeAuthWithPpk(sa, record, peer, send, proof),
  }
}

/** `isOver`: the responder has said so itself, and has no IKE SA any more. */
function failed(sa: IkeSa, { remoteId, machine }: EapDialogue, why: string, isOver: boolean): Step {
  const { peer } = eapOf(sa)
  machine.close()
  const detail = `EAP with ${describeIdentity(remoteId)} failed: ${why}`
  if (!isOver) return distrust(sa, peer, remoteId, detail)
  const [localId, gateway] = [describeIdentity(peer.localId), describeIdentity(remoteId)]
  const event = { kind: 'authentication-failed', ikeSa: sa.id, localId, remoteId: gateway, detail } as const
  return {
    effects: [
      { kind: 'event', event },
      { kind: 'close', reason: detail, byPeer: true },
    ],
  }
}

function ikeAuth(payloads: readonly Payload[]): Effect {
  return { kind: 'request', plan: { purpose: 'ike-auth', exchangeType: ExchangeType.IKE_AUTH, payloads } }
}

function eapOf({ peer }: IkeSa): { readonly peer: PeerConfig; readonly eap: EapAuthentication } {
  if (peer?.auth.local.kind === 'eap') return { peer, eap: peer.auth.local }
  throw new SessionError('INVARIANT', 'bug', 'EAP with a peer that has none')
}
