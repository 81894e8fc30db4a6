/** What the rooms of the core share: its databases, its clock of the moment, its way out. Internal to the package. */
import type { ChildSa } from './child/child-sa.ts'
import type { Sad } from './child/sad.ts'
import type { Spd } from './child/spd.ts'
import type { SessionConfig } from './config.ts'
import type { ConnectionId, CryptoResult, CryptoWork, Output, RandomSource } from './contract.ts'
import type { SessionEvent } from './events.ts'
import type { CookieJar } from './ike/cookie.ts'
import type { HalfOpenTable } from './ike/half-open-table.ts'
import type { IkeSa } from './ike/ike-sa.ts'
import type { Connection } from './paths/connection.ts'
import type { AddressPool } from './peers/address-pool.ts'
import type { IdentityTable } from './peers/identity-table.ts'
import type { Initiator } from './peers/initiator.ts'
import type { Mover } from './peers/mover.ts'
import type { PathWatch } from './peers/path-watch.ts'
import type { Racing } from './peers/racing.ts'
import type { Redialling } from './peers/redialling.ts'
import type { Counters } from './status.ts'
import type { TimerQueue } from './timer-queue.ts'

/** Everything that has timers. */
export type Timed = IkeSa | ChildSa | Connection | Initiator | Racing | Redialling | Mover | PathWatch

export interface Core {
  readonly config: SessionConfig
  readonly random: RandomSource
  /** Milliseconds, of the input in hand. */
  readonly now: number
  readonly timers: TimerQueue<Timed>
  /** By our own SPI. */
  readonly ikeSas: Map<bigint, IkeSa>
  readonly halfOpen: HalfOpenTable
  readonly identities: IdentityTable
  /** The SAD, inbound side: by our SPI. */
  readonly sad: Sad
  readonly spd: Spd
  readonly connections: Map<ConnectionId, Connection>
  readonly initiators: Map<string, Initiator>
  /** By the peer's name in the configuration. */
  readonly pools: Map<string, AddressPool>
  readonly cookies: CookieJar
  readonly counters: Counters
  readonly emit: (output: Output) => void
  event(event: SessionEvent): void
  count(counter: string, by?: number): void
  /** Hands work out; `then` runs when its result comes in, unless the SA is gone by then. */
  startJob(work: CryptoWork, sa: IkeSa, then: JobContinuation): void
  nextConnectionId(): ConnectionId
  closeConnection(connection: Connection, how: 'end' | 'reset', reason: string): void
  /** Unprotected answers to strangers are rationed, so that we amplify nobody's flood. */
  mayAnswerStranger(): boolean
}

export type JobContinuation = (core: Core, sa: IkeSa, result: CryptoResult) => void
