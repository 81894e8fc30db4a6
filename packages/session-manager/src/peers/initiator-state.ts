/** Where an initiator stands with its peer's tunnel. Each state carries what it needs and nothing else. */
import type { IkeSa } from '../ike/ike-sa.ts'
import type { Connection } from '../paths/connection.ts'

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
      readonly sa: IkeSa
      readonly index: number
      readonly since: number
      /** Repetitions of IKE_SA_INIT for which the connection was opened again. */
      readonly reopened: number
      /** What the network said of a datagram of this attempt. */
      readonly failure?: string
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
  | { readonly kind: 'waiting' }

export type Connecting = Extract<InitiatorState, { kind: 'connecting' }>

export type Redialling = Extract<InitiatorState, { kind: 'redialling' }>
