/**
 * Who is at fault, and what goes on the wire for it. Errors come from input; only `caller` and `bug` are ever thrown out of
 * the core. `notifyFor` is the one place where a thrown error becomes a Notify (RFC 7296 §2.21, §3.10.1).
 */
import { NotifyType } from '@underpass/ike-codec'
import { u16 } from './octets.ts'

export type Blame = 'malformed' | 'incompatible' | 'caller' | 'bug'

export type SessionErrorCode =
  // malformed
  | 'INVALID_SYNTAX'
  | 'UNSUPPORTED_CRITICAL_PAYLOAD'
  // incompatible
  | 'NO_PROPOSAL_CHOSEN'
  | 'INVALID_KE_PAYLOAD'
  | 'TS_UNACCEPTABLE'
  | 'INTERNAL_ADDRESS_FAILURE'
  | 'FAILED_CP_REQUIRED'
  | 'NO_ADDITIONAL_SAS'
  // caller
  | 'INVALID_SUITE'
  | 'INVALID_CONFIG'
  | 'UNKNOWN_PEER'
  // bug
  | 'INVARIANT'

export interface SessionErrorContext {
  /** UNSUPPORTED_CRITICAL_PAYLOAD: the payload type. INVALID_KE_PAYLOAD: the method wanted. */
  readonly value?: number
}

export class SessionError extends Error {
  readonly code: SessionErrorCode
  readonly blame: Blame
  readonly context: SessionErrorContext

  constructor(code: SessionErrorCode, blame: Blame, message: string, context: SessionErrorContext = {}) {
    super(message)
    this.name = 'SessionError'
    this.code = code
    this.blame = blame
    this.context = context
  }
}

/** What an error says to the peer, or `undefined` where the standard has us stay silent. */
export function notifyFor(error: SessionError): { readonly notifyType: number; readonly data: Uint8Array } | undefined {
  const none = new Uint8Array(0)
  switch (error.code) {
    case 'INVALID_SYNTAX':
      return { notifyType: NotifyType.INVALID_SYNTAX, data: none }
    case 'UNSUPPORTED_CRITICAL_PAYLOAD':
      return { notifyType: NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD, data: Uint8Array.of(error.context.value ?? 0) }
    case 'NO_PROPOSAL_CHOSEN':
      return { notifyType: NotifyType.NO_PROPOSAL_CHOSEN, data: none }
    case 'INVALID_KE_PAYLOAD':
      return { notifyType: NotifyType.INVALID_KE_PAYLOAD, data: u16(error.context.value ?? 0) }
    case 'TS_UNACCEPTABLE':
      return { notifyType: NotifyType.TS_UNACCEPTABLE, data: none }
    case 'INTERNAL_ADDRESS_FAILURE':
      return { notifyType: NotifyType.INTERNAL_ADDRESS_FAILURE, data: none }
    case 'FAILED_CP_REQUIRED':
      return { notifyType: NotifyType.FAILED_CP_REQUIRED, data: none }
    case 'NO_ADDITIONAL_SAS':
      return { notifyType: NotifyType.NO_ADDITIONAL_SAS, data: none }
    case 'INVALID_SUITE':
    case 'INVALID_CONFIG':
    case 'UNKNOWN_PEER':
    case 'INVARIANT':
      return undefined
    default:
      return error.code satisfies never
  }
}
