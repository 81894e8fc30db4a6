/**
 * What `status`, `rekey` and `down` say to the running program: one JSON object a line, over a Unix socket that only its owner can open.
 * A request is answered by one line; `down` by a second one when everything is undone.
 */
import type { SessionEvent, SessionStatus } from '@underpass/session-manager'
import type { SocketBuffers } from '../config/shared-schema.ts'

export type ControlRequest =
  | { readonly command: 'status' }
  | { readonly command: 'down' }
  /** Of every peer, now (RFC 7296 §2.8). */
  | { readonly command: 'rekey'; readonly what: RekeyedSa }

export type RekeyedSa = 'ike-sa' | 'child-sa'

export type ControlReply =
  | { readonly kind: 'status'; readonly status: ProgramStatus }
  | { readonly kind: 'closing' }
  /** It is begun; what comes of it is an event. */
  | { readonly kind: 'rekeying' }
  | { readonly kind: 'closed'; readonly problems: readonly string[] }
  | { readonly kind: 'refused'; readonly reason: string }

export interface ProgramStatus {
  readonly program: string
  readonly pid: number
  /** ISO 8601. */
  readonly startedAt: string
  readonly configFile: string
  readonly runsOn: RunsOn
  /** Of TCP connections, where one is configured. */
  readonly congestionControl?: string | undefined
  readonly thinsAcks?: boolean
  /** Of the sockets, where they are configured. */
  readonly tcpBuffers?: SocketBuffers
  readonly udpBuffers?: SocketBuffers
  readonly dscp?: readonly number[]
  /** What the sockets cannot be given here, in words. */
  readonly gaps?: readonly string[]
  /** That the event loops are kept on. */
  readonly cpus?: readonly number[]
  /** A client's: by what the network that it is in is known again, and the file in which what is learnt of it is kept. */
  readonly network?: { readonly identity?: string; readonly keptIn?: string } | undefined
  readonly host: HostStatus
  readonly session: SessionStatus
  /** The latest, oldest first. */
  readonly events: readonly TimedEvent[]
}

/** Which of several ways each part of the work takes here. `undefined` before it is open, and where there is none. */
export interface RunsOn {
  readonly runtime: { readonly name: 'node' | 'bun' | 'deno'; readonly version: string; readonly platform: string; readonly arch: string }
  readonly tcp: Way<'native' | 'node'>
  /** Where it is used. */
  readonly tls?: Way<'libssl' | 'node'> | undefined
  readonly udp: Way<'native' | 'dgram'> | undefined
  /** `kind`: 'ipsec-mb', 'openssl', 'node' or 'noble'. */
  readonly esp: Way<string> | undefined
  /** Whether the kernel hands over TCP super-packets. */
  readonly offload: Way<'yes' | 'no' | 'unknown'> | undefined
}

export interface Way<K extends string> {
  readonly kind: K
  /** Why this one; of a fallback always. */
  readonly reason?: string
  /** There is a faster one, which nobody turned off and which cannot be had here. */
  readonly isFallback: boolean
}

export interface HostStatus {
  /** `undefined` before it is open. */
  readonly device:
    | { readonly name: string; readonly kind: string; readonly mtu: number; readonly counters: Readonly<Record<string, number>> }
    | undefined
  readonly listening: readonly string[]
  /** In words, oldest first; each is undone on exit. */
  readonly changes: readonly string[]
}

export interface TimedEvent {
  /** ISO 8601. */
  readonly at: string
  readonly event: SessionEvent
}

/** Octets of one line that either side takes. A gateway's status of thousands of SAs is the longest. */
export const MAX_LINE = 67_108_864

/** A request is a few words. */
export const MAX_REQUEST = 4096

/** Cuts a stream into lines. Answers `undefined` once a line is longer than `limit`. */
export function lineReader(limit: number): (chunk: string) => string[] | undefined {
  let rest = ''
  return (chunk) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop()!
    return rest.length > limit || parts.some(({ length }) => length > limit) ? undefined : parts
  }
}
