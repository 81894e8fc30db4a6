// Room: the wire. TLS around one of our own streams, which knows nothing of it.
import { setTimeout } from 'node:timers'
import type { TlsSession } from '@underpass/native'
import type { ByteStream, Endpoint, StreamHandlers, TlsInfo } from './byte-stream.ts'
import { type NativeTls, tlsError } from './native-tls.ts'
import { type TransportError, transportError } from './transport-error.ts'

export interface HandshakeEvents {
  /** The stream is open: whose it is from now on, or why it is not wanted. */
  opened(stream: TlsStream): StreamHandlers | TransportError
  /** Once, instead, or after it was not wanted. */
  failed(cause: unknown): void
  /** After what came together was read. */
  read?(): void
}

/** Octets of a record at most (RFC 8446 §5.1). */
const RECORD = 0x4000
/** For what a record is opened to (RFC 8446 §5.2). */
const ROOM = RECORD + 256
/** What TLS may add to a record, and to a write. */
const OVERHEAD = 64
/** Octets that are sealed at once: what they become is still in the core's cache when it is moved. */
const SEALED_AT_ONCE = 4 * RECORD
/** Octets that are sent at once. */
const OUTPUT = 0xa0000
/** Milliseconds for an alert to arrive before the connection is reset. */
const LINGER = 1_000

/** One each for all streams, used within a call: what is in the first is lent to `onData`. */
let opened = new Uint8Array(0)
let output = new Uint8Array(0)

export class TlsStream implements ByteStream {
  /** Of the stream below. */
  readonly below: StreamHandlers
  readonly #tls: NativeTls
  readonly #session: TlsSession
  readonly #events: HandshakeEvents
  readonly #role: 'client' | 'server'
  #stream: ByteStream | undefined
  #handlers: StreamHandlers | undefined
  #info: TlsInfo | undefined
  #state: 'handshake' | 'open' | 'over' = 'handshake'
  #hasPeerEnded = false
  #hasEnded = false
  #linger: ReturnType<typeof setTimeout> | undefined

  /** The session is the stream's from here on. */
  constructor(tls: NativeTls, session: TlsSession, role: 'client' | 'server', events: HandshakeEvents) {
    this.#tls = tls
    this.#session = session
    this.#role = role
    this.#events = events
    this.below = {
      onData: (bytes) => this.#received(bytes),
      onDrain: () => {
        if (this.#state === 'open' && !this.#hasEnded) this.#handlers?.onDrain?.()
      },
      onEnd: () => this.#peerEnded(),
      onClose: (error) => this.#closed(error),
    }
  }

  /** The stream below is connected: a client says the first word. */
  begin(stream: ByteStream): void {
    this.#stream = stream
    // Given up since.
    if (this.#state === 'over') return stream.reset()
    this.#shakeHands()
  }

  /** An attempt is given up. */
  giveUp(): void {
    this.#state = 'over'
    if (this.#stream === undefined) this.#session.free()
    else this.#stream.reset()
  }

  get local(): Endpoint {
    return this.#stream!.local
  }

  get remote(): Endpoint {
    return this.#stream!.remote
  }

  get tls(): TlsInfo {
    return this.#info!
  }

  get queued(): number {
    return this.#stream!.queued
  }

  get room(): number {
    const { room } = this.#stream!
    return room === Number.POSITIVE_INFINITY ? room : Math.max(0, room - OVERHEAD * Math.ceil(room / RECORD + 1))
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state !== 'open' || this.#hasEnded) return false
    try {
      return this.#seal(bytes)
    } catch (cause) {
      this.#broken(cause)
      return false
    }
  }

  end(): void {
    if (this.#state !== 'open' || this.#hasEnded) return
    this.#hasEnded = true
    this.#session.end()
    this.#flush()
    this.#stream?.end()
  }

  reset(): void {
    if (this.#state !== 'open') return
    this.#stream?.reset()
  }

  pause(): void {
    this.#stream?.pause()
  }

  resume(): void {
    this.#stream?.resume()
  }

  #seal(bytes: Uint8Array): boolean {
    const session = this.#session
    const stream = this.#stream!
    if (output.length === 0) output = new Uint8Array(OUTPUT)
    let isReady = true
    let length = 0
    for (let at = 0; at < bytes.length; at += SEALED_AT_ONCE) {
      length += session.seal(bytes, at, Math.min(SEALED_AT_ONCE, bytes.length - at), output, length)
      if (output.length - length >= SEALED_AT_ONCE + 8 * OVERHEAD) continue
      isReady = stream.write(output.subarray(0, length))
      length = 0
    }
    return length === 0 ? isReady : stream.write(output.subarray(0, length))
  }

  /** What TLS itself has to say. */
  #flush(): void {
    if (output.length === 0) output = new Uint8Array(OUTPUT)
    for (;;) {
      const length = this.#session.take(output, 0)
      if (length === 0) return
      this.#stream?.write(output.subarray(0, length))
    }
  }

  #received(bytes: Uint8Array): void {
    if (this.#state === 'over') return
    this.#session.feed(bytes)
    if (this.#state === 'handshake' && !this.#shakeHands()) return
    this.#read(bytes.length)
    if (this.#state === 'open') {
      this.#flush()
      this.#events.read?.()
    }
  }

  #shakeHands(): boolean {
    let isComplete: boolean
    try {
      isComplete = this.#session.handshake()
      this.#flush()
    } catch (cause) {
      this.#broken(cause)
      return false
    }
    return isComplete && this.#open()
  }

  #open(): boolean {
    const { alpn, ...agreed } = this.#session.describe()
    // Of nobody but a server is a certificate asked for.
    const isAuthorized = this.#role === 'client' && this.#session.problem() === undefined
    this.#info = { ...agreed, isAuthorized, ...(alpn === undefined ? {} : { alpn }) }
    this.#state = 'open'
    const owner = this.#events.opened(this)
    if (!(owner instanceof Error)) {
      this.#handlers = owner
      return true
    }
    this.#state = 'handshake'
    this.#broken(owner)
    return false
  }

  /** All that `received` octets become, in as few pieces as may be. */
  #read(received: number): void {
    // Of a record that began before, too.
    if (opened.length < received + 2 * ROOM) opened = new Uint8Array(received + 2 * ROOM)
    let length = 0
    while (this.#state === 'open') {
      const result = this.#readRecord(length)
      if (result > 0) length += result
      if (result > 0 && opened.length - length >= ROOM) continue
      const octets = length
      length = 0
      if (octets > 0) this.#handlers?.onData(opened.subarray(0, octets))
      if (result > 0) continue
      if (result === this.#tls.closed) this.#peerEnded()
      return
    }
  }

  /** What is wrong with it is told behind what was before it. */
  #readRecord(offset: number): number {
    try {
      return this.#session.read(opened, offset, opened.length - offset)
    } catch (cause) {
      queueMicrotask(() => this.#broken(cause))
      return 0
    }
  }

  /** close_notify, or FIN alone. */
  #peerEnded(): void {
    if (this.#state === 'handshake') return this.#broken(closedError())
    if (this.#state !== 'open' || this.#hasPeerEnded) return
    this.#hasPeerEnded = true
    this.#handlers?.onEnd?.()
    this.end()
  }

  /** By what came, or by whom it came from. */
  #broken(cause: unknown): void {
    const was = this.#state
    if (was === 'over') return
    this.#state = 'over'
    if (this.#stream !== undefined) this.#sayWhy(this.#stream)
    if (was === 'handshake') this.#events.failed(cause)
    else {
      const { address, port } = this.remote
      queueMicrotask(() => this.#handlers?.onClose?.(transportError(tlsError(cause), 'stream', address, port)))
    }
  }

  #sayWhy(stream: ByteStream): void {
    this.#flush()
    stream.end()
    this.#linger = setTimeout(() => stream.reset(), LINGER)
  }

  #closed(error: TransportError | undefined): void {
    clearTimeout(this.#linger)
    const was = this.#state
    this.#state = 'over'
    // However it was closed: no TLS came of it.
    if (was === 'handshake') this.#events.failed(closedError())
    this.#session.free()
    if (was === 'open' && error === undefined) this.#handlers?.onClose?.()
    else if (was === 'open') this.#handlers?.onClose?.(error)
  }
}

function closedError(): Error {
  return Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })
}
