import { NativeError } from './native-error.ts'
import { APPLICATION_DATA, EXPANSION, HEADER, RECORD, TAG, type TrafficKeys } from './traffic-keys.ts'

/** What `read` of a session answers after close_notify. */
export const CLOSED = -1

// RFC 8446 Appendix B.1, B.2, B.3, B.3.4
const ALERT = 21
const HANDSHAKE = 22
const CLOSE_NOTIFY = 0
const USER_CANCELED = 90
const Problem = { unexpected_message: 10, bad_record_mac: 20, record_overflow: 22, decode_error: 50 } as const
const NEW_SESSION_TICKET = 4
const KEY_UPDATE = 24
const UPDATE_NOT_REQUESTED = 0
const UPDATE_REQUESTED = 1

/** The records of TLS 1.3 behind a handshake (RFC 8446 §5), both ways. */
export class TlsRecords {
  readonly #writing: TrafficKeys
  readonly #reading: TrafficKeys
  readonly #recordsOfKey: number
  readonly #onTicket: (record: Uint8Array) => void
  #fed: Uint8Array = NOTHING
  #at = 0
  /** The beginning of a record whose end is still to come. */
  #carried: Uint8Array | undefined
  #carriedLength = 0
  /** Records for the other end that are nobody's data. */
  #said: Uint8Array = NOTHING
  /** The other end has asked for a change of ours. */
  #owesUpdate = false
  /** Records in a row without data. */
  #idle = 0
  /** Whoever shook hands could read a ticket: there was nothing else before it. */
  #isFollowed = true
  #isClosed = false

  /** `onTicket`: a whole record, with a NewSessionTicket in it, unless other records were before it. */
  constructor(writing: TrafficKeys, reading: TrafficKeys, recordsOfKey: number, onTicket: (record: Uint8Array) => void) {
    this.#writing = writing
    this.#reading = reading
    this.#recordsOfKey = recordsOfKey
    this.#onTicket = onTicket
  }

  feed(bytes: Uint8Array): void {
    this.#fed = bytes
    this.#at = 0
  }

  /** As of a session. @throws NativeError `CRYPTO` */
  read(into: Uint8Array, offset: number, length: number): number {
    if (length < RECORD + EXPANSION) throw new NativeError('ARGUMENT', `room for ${length} octets, not for a record`)
    while (!this.#isClosed) {
      const record = this.#nextRecord()
      if (record === undefined) return 0
      const octets = this.#opened(record, into, offset)
      if (octets > 0) {
        this.#idle = 0
        return octets
      }
      if (++this.#idle > MOST_IDLE) this.#fail('unexpected_message', 'too many records without data')
    }
    return CLOSED
  }

  /** Octets that are written to `into[at …]`. */
  seal(bytes: Uint8Array, offset: number, length: number, into: Uint8Array, at: number): number {
    let written = this.take(into, at)
    for (let done = 0; done < length; done += RECORD) {
      if (this.#writing.records >= this.#recordsOfKey) written += this.#changeKeys(UPDATE_REQUESTED, into, at + written)
      written += this.#writing.seal(APPLICATION_DATA, bytes, offset + done, Math.min(RECORD, length - done), into, at + written)
    }
    return written
  }

  /** close_notify (RFC 8446 §6.1). */
  end(): void {
    this.#say(ALERT, [1, CLOSE_NOTIFY])
  }

  /** Moves what it has to say to `into[at …]`; answers how many octets. */
  take(into: Uint8Array, at: number): number {
    const said = this.#said
    into.set(said, at)
    this.#said = NOTHING
    if (!this.#owesUpdate) return said.length
    this.#owesUpdate = false
    return said.length + this.#changeKeys(UPDATE_NOT_REQUESTED, into, at + said.length)
  }

  free(): void {
    this.#writing.free()
    this.#reading.free()
    this.#fed = NOTHING
  }

  /** Where it is: in what was fed, or put together; `undefined` where it is not whole yet. */
  #nextRecord(): Place | undefined {
    const fed = this.#fed
    if (this.#carriedLength > 0) return this.#completed()
    const left = fed.length - this.#at
    const length = left < HEADER ? HEADER : HEADER + this.#fragmentOf(fed, this.#at)
    if (left < length) {
      if (left > 0) this.#carry(left)
      return undefined
    }
    place.bytes = fed
    place.offset = this.#at
    place.fragment = length - HEADER
    this.#at += length
    return place
  }

  #completed(): Place | undefined {
    const carried = this.#carried as Uint8Array
    for (;;) {
      const length = this.#carriedLength < HEADER ? HEADER : HEADER + this.#fragmentOf(carried, 0)
      const missing = length - this.#carriedLength
      if (missing === 0) {
        this.#carriedLength = 0
        place.bytes = carried
        place.offset = 0
        place.fragment = length - HEADER
        return place
      }
      const some = Math.min(missing, this.#fed.length - this.#at)
      if (some === 0) return undefined
      this.#carry(some)
    }
  }

  #carry(octets: number): void {
    this.#carried ??= new Uint8Array(new ArrayBuffer(HEADER + RECORD + EXPANSION))
    this.#carried.set(this.#fed.subarray(this.#at, this.#at + octets), this.#carriedLength)
    this.#carriedLength += octets
    this.#at += octets
  }

  /** RFC 8446 §5.2. */
  #fragmentOf(bytes: Uint8Array, at: number): number {
    if (bytes[at] !== APPLICATION_DATA) return this.#fail('unexpected_message', `a record of type ${bytes[at]}`)
    const fragment = ((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number)
    if (fragment > RECORD + EXPANSION) return this.#fail('record_overflow', `a record of ${fragment} octets`)
    // An octet and the tag.
    if (fragment <= TAG) return this.#fail('decode_error', `a record of ${fragment} octets`)
    return fragment
  }

  /** Octets of application data; 0 for a record that has none. */
  #opened({ bytes, offset, fragment }: Place, into: Uint8Array, at: number): number {
    let octets = this.#reading.open(bytes, offset, fragment, into, at)
    if (octets < 0) return this.#fail('bad_record_mac', 'bad record mac')
    // Behind the type there may be padding (§5.4).
    while (octets > 0 && into[at + octets - 1] === 0) octets--
    if (octets === 0) return this.#fail('unexpected_message', 'a record of nothing but padding')
    const type = into[at + octets - 1]
    const length = octets - 1
    if (length > RECORD) return this.#fail('record_overflow', `a record of ${length} octets`)
    if (type === HANDSHAKE) this.#message(into.subarray(at, at + length), bytes.subarray(offset, offset + HEADER + fragment))
    else if (type === ALERT) this.#alert(into, at, length)
    else if (type !== APPLICATION_DATA) return this.#fail('unexpected_message', `content of type ${type}`)
    this.#isFollowed &&= type === HANDSHAKE
    return type === APPLICATION_DATA ? length : 0
  }

  /** RFC 8446 §4.6. Messages that are longer than a record, or together in one, are tickets: nobody else's business. */
  #message(message: Uint8Array, record: Uint8Array): void {
    if (message[0] === KEY_UPDATE) {
      // §5.1: no other message is in its record.
      const isWhole = message.length === 5 && message[1] === 0 && message[2] === 0 && message[3] === 1
      if (!isWhole || (message[4] !== UPDATE_NOT_REQUESTED && message[4] !== UPDATE_REQUESTED)) this.#fail('decode_error', 'no KeyUpdate')
      this.#isFollowed = false
      this.#reading.change()
      this.#owesUpdate ||= message[4] === UPDATE_REQUESTED
    } else if (message[0] === NEW_SESSION_TICKET) {
      if (this.#isFollowed) this.#onTicket(record)
    } else this.#fail('unexpected_message', `a handshake message of type ${message[0]}`)
  }

  /** RFC 8446 §4.6.3. Octets of the record. */
  #changeKeys(request: number, into: Uint8Array, at: number): number {
    const octets = this.#writing.seal(HANDSHAKE, Uint8Array.of(KEY_UPDATE, 0, 0, 1, request), 0, UPDATE, into, at)
    this.#writing.change()
    return octets
  }

  /** RFC 8446 §6. */
  #alert(bytes: Uint8Array, at: number, length: number): void {
    if (length !== 2) this.#fail('decode_error', 'no alert')
    const description = bytes[at + 1] as number
    if (description === CLOSE_NOTIFY) this.#isClosed = true
    else if (description !== USER_CANCELED) throw new NativeError('CRYPTO', `alert ${description}`, { call: 'read' })
  }

  #fail(problem: keyof typeof Problem, text: string): never {
    this.#say(ALERT, [2, Problem[problem]])
    throw new NativeError('CRYPTO', text, { call: 'read' })
  }

  #say(type: number, content: readonly number[]): void {
    const record = new Uint8Array(new ArrayBuffer(HEADER + content.length + 1 + TAG))
    this.#writing.seal(type, Uint8Array.from(content), 0, content.length, record, 0)
    this.#said = Uint8Array.from([...this.#said, ...record])
  }
}

interface Place {
  bytes: Uint8Array
  offset: number
  fragment: number
}

const NOTHING = new Uint8Array(0)
/** A KeyUpdate costs more to read than to write. */
const MOST_IDLE = 32
/** Octets of a KeyUpdate. */
const UPDATE = 5
/** Of the record that is opened now. */
const place: Place = { bytes: NOTHING, offset: 0, fragment: 0 }
