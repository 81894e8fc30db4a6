import { NotifyType, notify } from '@underpass/ike-codec'
import type { Core } from '../core.ts'
import { remoteOf } from '../paths/path.ts'
import type { IkeSa } from './ike-sa.ts'
import type { Step } from './step.ts'

/** An authenticated peer that breaks the syntax, or whose public value is none (K-2), loses the SA, not the connection (RFC 7296 §2.21.3, T-LIFE-15). */
export function rejectSyntax(core: Core, sa: IkeSa, detail: string): Step {
  core.count('ike-syntax-errors')
  const event = { kind: 'dropped', what: 'ike-syntax-errors', remote: sa.path && remoteOf(sa.path), detail } as const
  return {
    effects: [{ kind: 'event', event }],
    reply: [notify(NotifyType.INVALID_SYNTAX)],
    afterReply: [{ kind: 'close', reason: `syntax error: ${detail}`, byPeer: false }],
  }
}
