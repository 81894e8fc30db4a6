/** Reads from the session's events whether a client's tunnel is up, and whether its first attempt has come to nothing and why. */
import type { SessionEvent, SessionStatus } from '@underpass/session-manager'
import { describeEvent, describePath, describeRefusal, plainReason } from '../report/event-words.ts'

export type Verdict =
  | { readonly kind: 'up'; readonly tunnel: TunnelFacts }
  | { readonly kind: 'down'; readonly reason: string }
  | { readonly kind: 'authentication-failed'; readonly detail: string; readonly remoteId: string }
  /** Somebody answered, and would not have us. */
  | { readonly kind: 'refused'; readonly detail: string; readonly notify: string | undefined }
  | { readonly kind: 'unreachable'; readonly detail: string }

export interface TunnelFacts {
  readonly addresses: readonly string[]
  /** 'tcp 192.0.2.9:4500'. */
  readonly path: string
  /** Why this transport. */
  readonly reason: string
  readonly remoteTs: readonly string[]
  readonly localId: string
  readonly remoteId: string
}

export class AttemptWatch {
  #tunnel: TunnelFacts = NO_TUNNEL
  #isUp = false
  #closeReason = ''
  #refusal: { readonly detail: string; readonly notify: string | undefined } | undefined
  #failures: string[] = []

  /** At once, for what is final whatever comes with it. */
  see(event: SessionEvent): Verdict | undefined {
    switch (event.kind) {
      case 'authentication-failed':
        return { kind: 'authentication-failed', detail: describeEvent(event), remoteId: event.remoteId }
      case 'handshake-failed':
        this.#refusal = { detail: describeRefusal(event), notify: event.notify }
        return undefined
      case 'transport-failed':
        this.#failures.push(`${event.transport}: ${plainReason(event.reason)}`)
        return undefined
      case 'transport-chosen':
        this.#tunnel = { ...this.#tunnel, reason: event.reason }
        return undefined
      case 'ike-sa-established':
        this.#tunnel = { ...this.#tunnel, path: describePath(event.path), localId: event.localId, remoteId: event.remoteId }
        return undefined
      case 'addresses-assigned':
        this.#tunnel = { ...this.#tunnel, addresses: event.addresses.map(({ address }) => address) }
        return undefined
      case 'path-moved':
        this.#tunnel = { ...this.#tunnel, path: describePath(event.to) }
        return undefined
      case 'child-sa-installed':
        this.#tunnel = { ...this.#tunnel, remoteTs: event.remoteTs }
        return undefined
      case 'ike-sa-closed':
        this.#closeReason = event.reason
        return undefined
      default:
        return undefined
    }
  }

  /**
   * After events, once the core has come to rest: whether the tunnel has come up or gone down, or a whole attempt is over without
   * one. Neither a rekeyed SA nor a lost connection is news: as long as there is a Child SA there is a tunnel (RFC 9329 §6.1).
   */
  consider(status: SessionStatus): Verdict | undefined {
    const hasTunnel = status.ikeSas.some(({ children }) => children.length > 0)
    if (hasTunnel) return this.#isUp ? undefined : this.#win()
    if (this.#isUp) return this.#lose()
    const [refusal, failures] = [this.#refusal, this.#failures]
    const peer = status.peers[0]?.state
    if ((peer !== 'waiting' && peer !== 'idle') || (refusal === undefined && failures.length === 0)) return undefined
    this.#forget()
    return refusal === undefined ? { kind: 'unreachable', detail: failures.join('; ') } : { kind: 'refused', ...refusal }
  }

  #win(): Verdict {
    this.#isUp = true
    this.#forget()
    return { kind: 'up', tunnel: this.#tunnel }
  }

  #lose(): Verdict {
    this.#isUp = false
    this.#tunnel = NO_TUNNEL
    return { kind: 'down', reason: this.#closeReason }
  }

  #forget(): void {
    this.#refusal = undefined
    this.#failures = []
  }
}

const NO_TUNNEL: TunnelFacts = { addresses: [], path: '', reason: '', remoteTs: [], localId: '', remoteId: '' }
