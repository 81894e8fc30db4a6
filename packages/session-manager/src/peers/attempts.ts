/** What an initiator tried since it last began at the head of its list, for status and for the reasons that it gives. */
import type { IkeSa } from '../ike/ike-sa.ts'
import type { PeerStatus } from '../status.ts'

type Attempt = PeerStatus['attempts'][number]

export class Attempts {
  /** By the transport's name; a Map keeps the order in which they were begun. */
  readonly #attempts = new Map<string, Attempt>()

  get list(): readonly Attempt[] {
    return [...this.#attempts.values()]
  }

  clear(): void {
    this.#attempts.clear()
  }

  begin(transport: string, reason: string): void {
    this.#attempts.set(transport, { transport, outcome: 'pending', reason })
  }

  failed(transport: string, reason: string): void {
    this.#settle(transport, 'failed', reason)
  }

  /** Answers why this one, in words. */
  chosen(transport: string): string {
    const failed = [...this.#attempts.values()].filter(({ outcome }) => outcome === 'failed').map((attempt) => attempt.transport)
    const reason =
      failed.length === 0 ? 'the first of the list answered' : `the first that answered; failed before it: ${failed.join(', ')}`
    this.#settle(transport, 'chosen', reason)
    return reason
  }

  /** The tunnel is on another transport than before. */
  moved(transport: string): void {
    for (const [other, { outcome }] of this.#attempts)
      if (outcome === 'chosen') this.#settle(other, 'failed', `the tunnel has moved to ${transport}`)
    this.#attempts.set(transport, { transport, outcome: 'chosen', reason: 'the tunnel has moved to it' })
  }

  #settle(transport: string, outcome: 'chosen' | 'failed', reason: string): void {
    const attempt = this.#attempts.get(transport)
    if (attempt) this.#attempts.set(transport, { ...attempt, outcome, reason })
  }
}

/** How far an attempt has come after `time`, in milliseconds. `failure`: what the network said of a datagram of it, if it said anything. */
export function progressWords(sa: IkeSa, time: number, failure: string | undefined): string {
  const milliseconds = Math.round(time)
  if (sa.state.kind === 'IKE_AUTH_SENT' || sa.state.kind === 'EAP_ASKED' || sa.state.kind === 'IKE_INTERMEDIATE_SENT')
    return `IKE_SA_INIT was answered, IKE_AUTH was not within ${milliseconds} ms: ${sa.transport === 'udp' ? 'UDP' : 'the stream'} is blocked half way`
  if (
    sa.state.kind === 'KE_COMPLETE' ||
    sa.state.kind === 'KEYS_READY' ||
    sa.state.kind === 'INTERMEDIATE_KE_INITIATE' ||
    sa.state.kind === 'AUTH_MAKE'
  )
    return 'IKE_SA_INIT was answered, and another went on'
  if (sa.path?.transport === 'tcp' && !sa.path.connection.isOpen) return `no connection within ${milliseconds} ms`
  if (failure !== undefined) return `no answer to IKE_SA_INIT, and a datagram did not get there: ${failure}`
  const refused = sa.refusal === undefined ? '' : ` (only ${sa.refusal}, which nothing protects)`
  return `no answer to IKE_SA_INIT within ${milliseconds} ms${refused}`
}
