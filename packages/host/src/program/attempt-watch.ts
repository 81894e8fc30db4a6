/** Reads from the session's events whether a client's tunnel is up, and whether its first attempt has come to nothing and why. */
import type { SessionEvent, SessionStatus } from '@underpass/session-manager'
import { describeEvent, describePath } from '../report/event-words.ts'

export type Verdict =
  | { readonly kind: 'up'; readonly tunnel: TunnelFacts }
  | { readonly kind: 'down'; readonly reason: string }
  | { readonly kind: 'authentication-failed'; readonly detail: string }
  /** Somebody answered, and would not have us. */
  | { readonly kind: 'refused'; readonly detail: string }
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
  private tunnel: TunnelFacts = NO_TUNNEL
  private isUp = false
  private isRefused: string | undefined
  private failures: string[] = []

  /** At once for what needs no look at the status. */
  see(event: SessionEvent): Verdict | undefined {
    switch (event.kind) {
      case 'authentication-failed':
        return { kind: 'authentication-failed', detail: describeEvent(event) }
      case 'handshake-failed':
        this.isRefused = `${event.detail}${event.notify === undefined ? '' : ` (${event.notify})`}`
        return undefined
      case 'transport-failed':
        this.failures.push(`${event.transport}: ${event.reason}`)
        return undefined
      case 'transport-chosen':
        this.tunnel = { ...this.tunnel, reason: event.reason }
        return undefined
      case 'ike-sa-established':
        this.tunnel = { ...this.tunnel, path: describePath(event.path), localId: event.localId, remoteId: event.remoteId }
        return undefined
      case 'addresses-assigned':
        this.tunnel = { ...this.tunnel, addresses: event.addresses.map(({ address }) => address) }
        return undefined
      case 'path-moved':
        this.tunnel = { ...this.tunnel, path: describePath(event.to) }
        return undefined
      case 'child-sa-installed': {
        // A rekeyed Child SA is no news: the tunnel was up already.
        const wasUp = this.isUp
        this.isUp = true
        this.isRefused = undefined
        this.failures = []
        this.tunnel = { ...this.tunnel, remoteTs: event.remoteTs }
        return wasUp ? undefined : { kind: 'up', tunnel: this.tunnel }
      }
      case 'ike-sa-closed':
        if (!this.isUp) return undefined
        this.isUp = false
        this.tunnel = NO_TUNNEL
        return { kind: 'down', reason: event.reason }
      default:
        return undefined
    }
  }

  /** After every event, once the core has come to rest: whether a whole attempt is over without a tunnel. */
  consider(status: SessionStatus): Verdict | undefined {
    const state = status.peers[0]?.state
    if (this.isUp || (state !== 'waiting' && state !== 'idle')) return undefined
    if (this.isRefused === undefined && this.failures.length === 0) return undefined
    const verdict: Verdict =
      this.isRefused === undefined ? { kind: 'unreachable', detail: this.failures.join('; ') } : { kind: 'refused', detail: this.isRefused }
    this.isRefused = undefined
    this.failures = []
    return verdict
  }
}

const NO_TUNNEL: TunnelFacts = { addresses: [], path: '', reason: '', remoteTs: [], localId: '', remoteId: '' }
