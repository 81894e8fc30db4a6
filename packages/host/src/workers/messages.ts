/** What the supervisor and its workers say to each other. Plain data: it is cloned on its way from thread to thread. */
import type { MessagePort } from 'node:worker_threads'
import type { Command, SessionConfig, SessionEvent, SessionStatus } from '@underpass/session-manager'
import type { DriverFailure } from '@underpass/session-manager/driver'
import type { CertificatePair, Origin } from '@underpass/tls-transport'
import type { TunCounters, TunQueue } from '@underpass/tun-device'
import type { CryptoProviderName } from '../config/shared-schema.ts'
import type { Runtime, RuntimeOptions, TcpTuning } from '../run/index.ts'
import type { StreamMessage } from './handed-streams.ts'
import type { OwnedSelectors } from './owner-table.ts'

export interface WorkerStart {
  readonly kind: 'start'
  readonly index: number
  readonly count: number
  /** With its `shard`, and its slices of the pools. */
  readonly sessionConfig: Omit<SessionConfig, 'aeadProvider'>
  readonly crypto: CryptoProviderName
  readonly credentials: RuntimeOptions['credentials']
  readonly listeners: RuntimeOptions['listeners']
  readonly tcpTuning: TcpTuning
  readonly cpu: number | undefined
  /** To each of the other workers, by number. */
  readonly neighbours: readonly (MessagePort | undefined)[]
  /** Int32: octets that were handed to each worker and that it has not dealt with yet. */
  readonly backlog: SharedArrayBuffer
}

export type ToWorker =
  | WorkerStart
  | { readonly kind: 'attach-tun'; readonly queue: TunQueue }
  /** Of the TLS listeners. It was looked at. */
  | { readonly kind: 'certificate'; readonly pair: CertificatePair }
  | { readonly kind: 'command'; readonly command: Command }
  /** A Child SA came up in another worker, or went. */
  | { readonly kind: 'owned'; readonly owned: OwnedSelectors }
  | { readonly kind: 'disowned'; readonly child: string }
  | { readonly kind: 'inspect'; readonly question: number }
  /** Answered by 'stopped'. */
  | { readonly kind: 'stop'; readonly graceMilliseconds: number }

export type FromWorker =
  | { readonly kind: 'started'; readonly listening: Runtime['listening']; readonly cryptoReason: string }
  | { readonly kind: 'start-failed'; readonly error: SentError }
  | { readonly kind: 'event'; readonly event: SessionEvent }
  /** Who came to a listener and got no further. */
  | { readonly kind: 'stranger'; readonly text: string }
  | { readonly kind: 'failure'; readonly code: DriverFailure['code']; readonly isFatal: boolean; readonly error: SentError }
  | { readonly kind: 'inspected'; readonly question: number; readonly status: SessionStatus; readonly tun: TunCounters | undefined }
  | { readonly kind: 'stopped' }

/** Between workers, without the supervisor. */
export type ToNeighbour =
  /** See `handed-packets.ts`. */
  | { readonly kind: 'packets'; readonly packed: ArrayBuffer }
  /** A connected TCP socket of which nothing was read but a PROXY header, for the listener with this place. */
  | { readonly kind: 'connection'; readonly listener: number; readonly descriptor: number; readonly origin: Origin | undefined }
  /** See `handed-streams.ts`. */
  | { readonly kind: 'stream'; readonly message: StreamMessage }

/** A clone of an Error may lose its class and its code. */
export interface SentError {
  readonly message: string
  readonly code: string | undefined
}

export function sentError(error: unknown): SentError {
  const code = (error as { readonly code?: unknown } | undefined)?.code
  return { message: error instanceof Error ? error.message : String(error), code: typeof code === 'string' ? code : undefined }
}

export function receivedError({ message, code }: SentError): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code })
}
