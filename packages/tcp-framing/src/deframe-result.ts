import type { ResyncOptions } from './resync.ts'

/** Who opened the TCP connection (RFC 9329 §1); not who initiated the IKE SA. */
export type TcpRole = 'originator' | 'responder'

/**
 * 'ike' and 'esp': a message stands at `buffer[offset, offset + length)`. 'corrupt': a frame whose message is neither; count it, too
 * many are a reason to close (RFC 9329 §6.1). 'need-more': everything pushed is consumed. 'fatal': close the connection, keep the SAs.
 */
export type DeframeResult = 'ike' | 'esp' | 'corrupt' | 'need-more' | 'fatal'

export type FatalReason =
  /** The stream does not begin with "IKETCP" (§4). */
  | 'BAD_PREFIX'
  /** Length is smaller than the Length field itself (§3.1, §3.2). */
  | 'ILLEGAL_LENGTH'
  /** Length exceeds `maxBuffered` or the profile's maximum. */
  | 'TOO_LONG'
  /** Neither IKE, ESP nor keepalive, in a profile that must close at once. */
  | 'UNPARSABLE'
  /** A chunk was pushed before the previous one was drained, and both do not fit into `maxBuffered`. */
  | 'BUFFER_FULL'
  /** The limits of the resync option are used up (§10). */
  | 'RESYNC_EXHAUSTED'

export interface DeframerOptions {
  /** Our role: a responder waits for the prefix, an originator gets none from its peer (§4). */
  readonly role: TcpRole
  /** Largest frame accepted, in octets with its Length, and so the most that is ever held. Default: the profile's maximum. */
  readonly maxBuffered?: number
  /** Off unless given: a stream is then only as good as its Length fields. */
  readonly resync?: ResyncOptions
}

export interface DeframerCounters {
  /** Frames of any kind. */
  frames: number
  ike: number
  esp: number
  keepalives: number
  /** Length without a message (§3), swallowed. */
  empty: number
  corrupt: number
  /** Searches that ended with `confirm()`. */
  resyncs: number
  /** Searches begun. */
  resyncAttempts: number
  /** Octets passed over by searches. */
  skippedOctets: number
}
