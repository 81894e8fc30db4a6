/** Where an initiator stands with its peer's tunnel. Each state carries what it needs and nothing else. */
import type { IkeSa } from '../ike/ike-sa.ts'
import type { Connection } from '../paths/connection.ts'
import type { Mover } from './mover.ts'

export interface ConnectionLoss {
  /** When the connection was lost. */
  readonly since: number
  readonly tries: number
  readonly fruitless: number
}

export type InitiatorState =
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'connecting'
      /** Those that are under way, in the order of the list. */
      readonly racers: readonly RacingSa[]
      /** The first of the list that was not begun. */
      readonly next: number
    }
  /** `loss`: of the connection before this one, until the peer answers on this one. */
  | { readonly kind: 'up'; readonly sa: IkeSa; readonly index: number; readonly loss?: ConnectionLoss }
  | {
      readonly kind: 'redialling'
      readonly sa: IkeSa
      readonly index: number
      readonly loss: ConnectionLoss
      readonly connection: Connection | undefined
    }
  /** Another way is looked for, while the old one may still serve (RFC 4555). */
  | { readonly kind: 'moving'; readonly sa: IkeSa; readonly index: number; readonly mover: Mover }
  | { readonly kind: 'waiting' }

/** A transport under way, with an IKE SA of its own (T-FB-3). */
export interface RacingSa {
  readonly sa: IkeSa
  readonly index: number
  readonly begunAt: number
  /** When its first request left. */
  sentAt?: number
  authenticatesSince?: number
  /** Repetitions of IKE_SA_INIT for which the connection was opened again. */
  reopened: number
  /** What the network said of a datagram of it, and what it gets after that. */
  failure?: string
  hopeUntil?: number
}

export type Redialling = Extract<InitiatorState, { kind: 'redialling' }>
