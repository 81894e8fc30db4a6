/**
 * The IKE SA's protected exchanges as a table (RFC 7296 §1.2 to §1.4, §2.21.3): which message is expected in which state,
 * what it must hold, who handles it. Nothing else reaches a handler. IKE_SA_INIT, which nothing protects, is in ike-engine.ts.
 *
 * Rows are tried from the top. Payloads that a row does not name are ignored (§2.5).
 */
import { ExchangeType, type Payload } from '@underpass/ike-codec'
import type { Core } from '../core.ts'
import { answerCreateChildSaRequest, handleCreateChildSaResponse } from './create-child-sa.ts'
import { handleEapAuthResponse, handleEapResponse, handleFirstEapResponse } from './eap-initiator.ts'
import { answerEapAuthRequest, answerEapRequest, answerFirstIkeAuthRequest } from './eap-responder.ts'
import { handleIkeAuthResponse } from './ike-auth-initiator.ts'
import type { IkeSa, IkeSaState } from './ike-sa.ts'
import { answerInformationalRequest } from './informational.ts'
import { answerIkeIntermediateRequest, handleIkeIntermediateResponse } from './intermediate.ts'
import type { RequestPlan } from './message-window.ts'
import type { AuthenticatedMessage } from './protection.ts'
import type { Step } from './step.ts'

export interface Transition {
  /** One line for the log. */
  readonly story: string
  readonly from: readonly IkeSaState['kind'][]
  readonly exchange: number
  readonly role: 'request' | 'response'
  /** Payloads inside SK, each at least once. */
  readonly required: readonly Payload['type'][]
  /** `plan`: the request of ours that a response answers. */
  readonly handle: (core: Core, sa: IkeSa, message: AuthenticatedMessage, plan: RequestPlan | undefined) => Step
}

const TRANSITIONS: readonly Transition[] = [
  {
    story: 'Responder: process IKE_INTERMEDIATE request',
    from: ['IKE_INTERMEDIATE_EXPECTED'],
    exchange: ExchangeType.IKE_INTERMEDIATE,
    role: 'request',
    required: ['KE'],
    handle: answerIkeIntermediateRequest,
  },
  {
    story: 'Initiator: process IKE_INTERMEDIATE response',
    from: ['IKE_INTERMEDIATE_SENT'],
    exchange: ExchangeType.IKE_INTERMEDIATE,
    role: 'response',
    // A refusal is one Notify and nothing else.
    required: [],
    handle: handleIkeIntermediateResponse,
  },
  {
    story: 'Responder: process IKE_AUTH request',
    from: ['IKE_SA_INIT_ANSWERED'],
    exchange: ExchangeType.IKE_AUTH,
    role: 'request',
    // No AUTH is an initiator that wants EAP (§2.16).
    required: ['IDi', 'SA', 'TSi', 'TSr'],
    handle: answerFirstIkeAuthRequest,
  },
  {
    story: 'Responder: process IKE_AUTH request with EAP',
    from: ['EAP_EXPECTED'],
    exchange: ExchangeType.IKE_AUTH,
    role: 'request',
    required: ['EAP'],
    handle: answerEapRequest,
  },
  {
    story: 'Responder: process IKE_AUTH request after EAP',
    from: ['EAP_AUTH_EXPECTED'],
    exchange: ExchangeType.IKE_AUTH,
    role: 'request',
    required: ['AUTH'],
    handle: answerEapAuthRequest,
  },
  {
    story: 'Initiator: process IKE_AUTH response that is to begin EAP',
    from: ['EAP_ASKED'],
    exchange: ExchangeType.IKE_AUTH,
    role: 'response',
    required: [],
    handle: handleFirstEapResponse,
  },
  {
    story: 'Initiator: process IKE_AUTH response with EAP',
    from: ['EAP_SENT'],
    exchange: ExchangeType.IKE_AUTH,
    role: 'response',
    required: [],
    handle: handleEapResponse,
  },
  {
    story: 'Initiator: process IKE_AUTH response after EAP',
    from: ['EAP_AUTH_SENT'],
    exchange: ExchangeType.IKE_AUTH,
    role: 'response',
    required: [],
    handle: handleEapAuthResponse,
  },
  {
    story: 'Initiator: process IKE_AUTH response',
    from: ['IKE_AUTH_SENT'],
    exchange: ExchangeType.IKE_AUTH,
    role: 'response',
    // A refusal is one Notify and nothing else; the handler tells them apart.
    required: [],
    handle: handleIkeAuthResponse,
  },
  {
    story: 'Process CREATE_CHILD_SA request',
    from: ['ESTABLISHED', 'DELETING'],
    exchange: ExchangeType.CREATE_CHILD_SA,
    role: 'request',
    required: ['SA', 'Nonce'],
    handle: answerCreateChildSaRequest,
  },
  {
    story: 'Process CREATE_CHILD_SA response',
    from: ['ESTABLISHED', 'DELETING'],
    exchange: ExchangeType.CREATE_CHILD_SA,
    role: 'response',
    // A refusal is one Notify and nothing else; the handlers tell them apart.
    required: [],
    handle: handleCreateChildSaResponse,
  },
  {
    story: 'Process INFORMATIONAL request: liveness check, Delete, or that the initiator goes no further with EAP (§2.21.2)',
    from: ['ESTABLISHED', 'DELETING', 'EAP_EXPECTED', 'EAP_AUTH_EXPECTED'],
    exchange: ExchangeType.INFORMATIONAL,
    role: 'request',
    required: [],
    handle: answerInformationalRequest,
  },
]

/** The row for a message, or why there is none. INFORMATIONAL responses are matched by the request they answer. */
export function findTransition(
  state: IkeSaState['kind'],
  exchange: number,
  role: 'request' | 'response',
  inner: readonly Payload[],
): Transition | { readonly missing: string } {
  const row = TRANSITIONS.find((candidate) => candidate.exchange === exchange && candidate.role === role && candidate.from.includes(state))
  if (!row) return { missing: `no ${role} of exchange type ${exchange} is expected in state ${state}` }
  const missing = row.required.filter((type) => !inner.some((payload) => payload.type === type))
  return missing.length === 0 ? row : { missing: `${missing.join(', ')} missing` }
}
