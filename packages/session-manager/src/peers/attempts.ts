/** What an initiator tried since it last began at the head of its list, for status and for the reasons that it gives. */
import type { TransportOption } from '../config.ts'
import type { Core } from '../core.ts'
import type { IkeSa } from '../ike/ike-sa.ts'
import type { PeerStatus } from '../status.ts'

type Attempt = PeerStatus['attempts'][number]

export class Attempts {
  #attempts: Attempt[] = []

  get list(): readonly Attempt[] {
    return this.#attempts
  }

  clear(): void {
    this.#attempts = []
  }

  begin(transport: string, reason: string): void {
    this.#attempts.push({ transport, outcome: 'pending', reason })
  }

  failed(reason: string): void {
    this.#settle('failed', reason)
  }

  /** Answers why this one, in words. */
  chosen(): string {
    const before = this.#attempts.slice(0, -1).map((attempt) => attempt.transport)
    const reason =
      before.length === 0 ? 'the first of the list answered' : `the first that answered; failed before it: ${before.join(', ')}`
    this.#settle('chosen', reason)
    return reason
  }

  #settle(outcome: 'chosen' | 'failed', reason: string): void {
    const last = this.#attempts.pop()
    if (last) this.#attempts.push({ ...last, outcome, reason })
  }
}

/** 'udp:500', 'tcp:4500', 'tls:443 via http://proxy:3128'. */
export function describeTransport(option: TransportOption): string {
  if (option.transport === 'tcp' && option.carrier !== undefined) return option.carrier
  return `${option.transport}:${option.port}`
}

/** Why the UDP attempt is over. `failure`: what the network said of a datagram of it, if it said anything. */
export function fallbackReason(core: Core, sa: IkeSa, failure: string | undefined): string {
  const { udpFallback } = core.config.timers
  if (sa.state.kind === 'IKE_AUTH_SENT' || sa.state.kind === 'KE_COMPLETE')
    return `IKE_SA_INIT was answered, IKE_AUTH was not within ${udpFallback} ms: UDP is blocked half way`
  if (failure !== undefined) return `no answer to IKE_SA_INIT, and a datagram did not get there: ${failure}`
  const refused = sa.refusal === undefined ? '' : ` (only ${sa.refusal}, which nothing protects)`
  return `no answer to IKE_SA_INIT within ${udpFallback} ms${refused}`
}
