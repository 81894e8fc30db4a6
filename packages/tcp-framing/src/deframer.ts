// Room: wire in, between the socket and the SA lookup. Cuts the TCP stream of RFC 9329 §3 into messages.
import type { DeframeResult, DeframerCounters, DeframerOptions, FatalReason } from './deframe-result.ts'
import { FramingError } from './framing-error.ts'
import { FRAMING_PROFILES, type FramingProfile, type FramingProfileName, STREAM_PREFIX } from './framing-profile.ts'
import { FRAMES_TO_RECOVER, findFrame, isImplausible, type ResyncOptions, SEARCH_LOOKAHEAD } from './resync.ts'
import { StreamWindow } from './stream-window.ts'

const NON_ESP_MARKER = 4
const IKE_HEADER = 28
const DEFAULT_MAX_ATTEMPTS = 8
const DEFAULT_MAX_OCTETS = 0x40000

/**
 * One per connection and direction. `push` a chunk, then call `next` until it says 'need-more' or 'fatal'.
 *
 * Messages are parsed where they lie, in the caller's chunk; only a frame that a chunk boundary cuts is copied, each octet once, into a
 * buffer that is kept. Nothing is allocated per frame. No input makes it throw, and each call ends.
 *
 * @example
 * const deframer = new Deframer('rfc9329', { role: 'responder' })
 * deframer.push(chunk)
 * for (let kind = deframer.next(); kind !== 'need-more'; kind = deframer.next()) {
 *   if (kind === 'fatal') return close(deframer.fatalReason)
 *   if (kind === 'esp') receiveEsp(deframer.buffer, deframer.offset, deframer.length)
 * }
 */
export class Deframer {
  readonly #profile: FramingProfile
  readonly #lengthOctets: number
  readonly #keepaliveLimit: number
  readonly #maxFrame: number
  readonly #resync: ResyncOptions | undefined
  readonly #expectsPrefix: boolean
  readonly #window: StreamWindow
  readonly #counters: DeframerCounters = {
    frames: 0,
    ike: 0,
    esp: 0,
    keepalives: 0,
    empty: 0,
    corrupt: 0,
    resyncs: 0,
    resyncAttempts: 0,
    skippedOctets: 0,
  }

  #state: 'prefix' | 'synced' | 'searching' | 'candidate' | 'fatal'
  #fatalReason: FatalReason | undefined
  #prefixMatched = 0

  #offset = 0
  #length = 0
  /** Where the frame last returned begins in the window; -1 when there is none to go back to. */
  #frameAt = -1
  #attempts = 0
  #skipped = 0
  #framesAtSync = 0

  /** @throws FramingError 'BAD_OPTION' */
  constructor(profile: FramingProfileName, options: DeframerOptions) {
    this.#profile = FRAMING_PROFILES[profile]
    this.#lengthOctets = this.#profile.lengthOctets
    this.#keepaliveLimit = this.#profile.keepaliveLimit
    const largest = this.#lengthOctets + this.#profile.maxMessage
    this.#maxFrame = Math.min(options.maxBuffered ?? largest, largest)
    if (!(this.#maxFrame >= this.#lengthOctets + NON_ESP_MARKER + IKE_HEADER)) {
      throw new FramingError('BAD_OPTION', 'maxBuffered has no room for an IKE header', { octets: this.#maxFrame })
    }
    if (options.resync !== undefined && this.#profile.unparsable === 'fatal') {
      throw new FramingError('BAD_OPTION', `${profile} closes a stream that cannot be parsed, it does not resync`)
    }
    this.#window = new StreamWindow(this.#maxFrame)
    this.#resync = options.resync
    this.#expectsPrefix = this.#profile.hasPrefix && options.role === 'responder'
    this.#state = this.#expectsPrefix ? 'prefix' : 'synced'
  }

  /** The chunk is borrowed until `next` has returned 'need-more' or 'fatal'; what is still needed then is copied. */
  push(chunk: Uint8Array): void {
    if (this.#state === 'candidate') this.reject()
    if (this.#state === 'fatal') return
    this.#frameAt = -1
    if (!this.#window.push(chunk)) this.#fail('BUFFER_FULL')
  }

  next(): DeframeResult {
    if (this.#state !== 'synced') {
      const result = this.#reachSync()
      if (result !== 'synced') return result
    }
    const window = this.#window
    const lengthOctets = this.#lengthOctets
    for (;;) {
      if (window.end - window.at < lengthOctets && !window.fill(lengthOctets)) return this.#needMore()
      const frame = frameLength(window.buffer, window.at, lengthOctets)
      if (frame < lengthOctets) return this.#fail('ILLEGAL_LENGTH')
      if (frame > this.#maxFrame) return this.#fail('TOO_LONG')
      if (window.end - window.at < frame && !window.fill(frame)) return this.#awaitRest(frame)
      const result = this.#take(frame)
      if (result !== undefined) return result
    }
  }

  /** Valid, with `offset` and `length`, until the next call of `push` or `next`. */
  get buffer(): Uint8Array {
    return this.#window.buffer
  }

  /** Where the message begins: the IKE header (after the Non-ESP marker), the SPI of an ESP packet, what follows Length if corrupt. */
  get offset(): number {
    return this.#offset
  }

  /** Octets of the message. */
  get length(): number {
    return this.#length
  }

  get fatalReason(): FatalReason | undefined {
    return this.#fatalReason
  }

  /** True from the start where no prefix is due. The timeout on it is the owner's. */
  get isPrefixComplete(): boolean {
    return !this.#expectsPrefix || this.#prefixMatched === STREAM_PREFIX.length
  }

  /** The message last returned was found by a search: use it only after its ICV verified, and say `confirm()` or `reject()`. */
  get isCandidate(): boolean {
    return this.#state === 'candidate'
  }

  /** Octets held of a frame that is not complete. */
  get buffered(): number {
    return this.#window.isStashed ? this.#window.end - this.#window.at : 0
  }

  get counters(): Readonly<DeframerCounters> {
    return this.#counters
  }

  /** The ICV of the candidate verified: the stream is in sync again. Otherwise without effect. */
  confirm(): void {
    if (this.#state !== 'candidate') return
    this.#state = 'synced'
    this.#counters.resyncs++
    this.#framesAtSync = this.#counters.frames
  }

  /**
   * The message last returned is not one (its SPI is unknown once too often, or its ICV failed): search from its second octet on. To be
   * called before the next `push` or `next`, which otherwise reject an unconfirmed candidate. Without effect unless resync is on.
   */
  reject(): void {
    if (this.#resync !== undefined && this.#frameAt >= 0) this.#search(this.#frameAt + 1)
  }

  /** For a new connection: forgets a partial message (RFC 9329 §6.1) and expects the prefix again. The counters go on. */
  reset(): void {
    this.#window.release()
    this.#clearMessage()
    this.#state = this.#expectsPrefix ? 'prefix' : 'synced'
    this.#fatalReason = undefined
    this.#prefixMatched = 0
    this.#attempts = 0
    this.#skipped = 0
    this.#framesAtSync = this.#counters.frames
  }

  #reachSync(): DeframeResult | 'synced' {
    if (this.#state === 'candidate') this.reject()
    if (this.#state === 'prefix') return this.#matchPrefix()
    if (this.#state === 'searching') return this.#continueSearch()
    return 'fatal'
  }

  /** §6.1: nothing is parsed before the whole prefix is there. A wrong octet is enough to give up. */
  #matchPrefix(): DeframeResult | 'synced' {
    const window = this.#window
    while (this.#prefixMatched < STREAM_PREFIX.length) {
      if (window.at === window.end && !window.fill(1)) return this.#needMore()
      if (window.buffer[window.at] !== STREAM_PREFIX[this.#prefixMatched]) return this.#fail('BAD_PREFIX')
      window.at++
      this.#prefixMatched++
    }
    this.#state = 'synced'
    return 'synced'
  }

  /** Consumes the frame at the window's start, which is complete. undefined: swallowed. */
  #take(frame: number): 'ike' | 'esp' | 'corrupt' | 'fatal' | undefined {
    const window = this.#window
    const { buffer } = window
    const at = window.at + this.#lengthOctets
    const length = frame - this.#lengthOctets
    this.#frameAt = window.at
    window.at += frame
    this.#offset = at
    this.#length = length
    this.#counters.frames++
    if (length < NON_ESP_MARKER || length <= this.#keepaliveLimit) return this.#takeShort(buffer, at, length)
    if ((buffer[at] | buffer[at + 1] | buffer[at + 2] | buffer[at + 3]) !== 0) {
      this.#counters.esp++
      return 'esp'
    }
    if (length < NON_ESP_MARKER + IKE_HEADER) return this.#takeUnparsable()
    this.#offset = at + NON_ESP_MARKER
    this.#length = length - NON_ESP_MARKER
    this.#counters.ike++
    return 'ike'
  }

  #takeShort(buffer: Uint8Array, at: number, length: number): 'corrupt' | 'fatal' | undefined {
    if (this.#keepaliveLimit > 0 || (length === 1 && buffer[at] === 0xff)) this.#counters.keepalives++
    else if (length === 0 && this.#profile.unparsable === 'corrupt') this.#counters.empty++
    else return this.#takeUnparsable()
    return undefined
  }

  #takeUnparsable(): 'corrupt' | 'fatal' {
    this.#counters.corrupt++
    if (this.#profile.unparsable === 'fatal') return this.#fail('UNPARSABLE')
    this.reject()
    return this.#state === 'fatal' ? 'fatal' : 'corrupt'
  }

  #awaitRest(frame: number): DeframeResult {
    const { buffer, at, end } = this.#window
    const message = at + this.#lengthOctets
    if (this.#resync === undefined || !isImplausible(buffer, message, end, frame - this.#lengthOctets, this.#resync))
      return this.#needMore()
    this.#search(at + 1)
    return this.#reachSync() as DeframeResult
  }

  #search(from: number): void {
    if (this.#state === 'synced' && this.#counters.frames - this.#framesAtSync >= FRAMES_TO_RECOVER) {
      this.#attempts = 0
      this.#skipped = 0
    }
    this.#frameAt = -1
    this.#window.at = from
    this.#skipped++
    this.#counters.skippedOctets++
    this.#state = 'searching'
    this.#attempts++
    this.#counters.resyncAttempts++
    if (this.#attempts > (this.#resync?.maxAttempts ?? DEFAULT_MAX_ATTEMPTS)) this.#fail('RESYNC_EXHAUSTED')
  }

  #continueSearch(): DeframeResult {
    const window = this.#window
    const resync = this.#resync as ResyncOptions
    const needed = this.#lengthOctets + SEARCH_LOOKAHEAD
    for (;;) {
      window.leaveStash()
      const left = (resync.maxOctets ?? DEFAULT_MAX_OCTETS) - this.#skipped
      const found = findFrame(
        window.buffer,
        window.at,
        Math.min(window.end, window.at + left + needed + 1),
        this.#profile,
        this.#maxFrame,
        resync,
      )
      const at = found < 0 ? ~found : found
      this.#skipped += at - window.at
      this.#counters.skippedOctets += at - window.at
      if (at - window.at > left) return this.#fail('RESYNC_EXHAUSTED')
      window.at = at
      const wanted = found < 0 ? needed : frameLength(window.buffer, at, this.#lengthOctets)
      if (window.end - at < wanted && !window.fill(wanted)) return this.#needMore()
      if (found < 0) continue
      this.#state = 'candidate'
      return this.#take(wanted) as DeframeResult
    }
  }

  #needMore(): 'need-more' {
    this.#clearMessage()
    return 'need-more'
  }

  #fail(reason: FatalReason): 'fatal' {
    this.#window.release()
    this.#clearMessage()
    this.#state = 'fatal'
    this.#fatalReason = reason
    return 'fatal'
  }

  #clearMessage(): void {
    this.#offset = 0
    this.#length = 0
    this.#frameAt = -1
  }
}

function frameLength(buffer: Uint8Array, at: number, lengthOctets: number): number {
  const high = (buffer[at] << 8) | buffer[at + 1]
  return lengthOctets === 2 ? high : ((high << 16) | (buffer[at + 2] << 8) | buffer[at + 3]) >>> 0
}
