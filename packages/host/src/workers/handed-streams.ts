/**
 * Streams inside TLS whose IKE SA lives in another worker than the one that their connection came to. TLS stays where it was negotiated; what
 * is inside goes to and fro between the two, a message for each read and each write, and no more under way than a window each way.
 */
import type { Endpoint } from '@underpass/session-manager'
import type { StreamHandlers as CoreHandlers, StreamPort } from '@underpass/session-manager/driver'
import type { ByteStream, StreamHandlers } from '@underpass/tls-transport'
import { plainEndpoint } from '../run/addresses.ts'
import { receivedError, type SentError, sentError } from './messages.ts'

/** `stream`: a number that the holder gave it. The holder has the socket, the user the core. */
export type StreamMessage =
  | { readonly stream: number; readonly from: 'holder'; readonly said: SaidByHolder }
  | { readonly stream: number; readonly from: 'user'; readonly said: SaidByUser }

type SaidByBoth =
  | { readonly what: 'octets'; readonly octets: ArrayBuffer }
  /** So many octets of the other's are dealt with. */
  | { readonly what: 'taken'; readonly count: number }
  | { readonly what: 'end' }
type SaidByHolder =
  | SaidByBoth
  | { readonly what: 'open'; readonly listener: number; readonly local: Endpoint; readonly remote: Endpoint; readonly isTls: boolean }
  | { readonly what: 'closed'; readonly error: SentError | undefined }
type SaidByUser = SaidByBoth | { readonly what: 'reset' }

/** Octets under way each way of one stream. */
const WINDOW = 262_144

export class HandedStreams {
  readonly #send: (worker: number, message: StreamMessage) => void
  /** Those whose sockets are here, by number. */
  readonly #held = new Map<number, HeldStream>()
  /** Those whose cores are here, by worker and number. */
  readonly #used = new Map<string, UsedStream>()
  #next = 1
  #whenNone: (() => void) | undefined

  constructor(send: (worker: number, message: StreamMessage) => void) {
    this.#send = send
  }

  /** What comes on it goes to the worker, for the listener with this place. */
  give(worker: number, listener: number, stream: ByteStream): StreamHandlers {
    const number = this.#next++
    const held = new HeldStream(stream, (said) => this.#send(worker, { stream: number, from: 'holder', said }))
    this.#held.set(number, held)
    const [local, remote] = [plainEndpoint(stream.local), plainEndpoint(stream.remote)]
    this.#send(worker, { stream: number, from: 'holder', said: { what: 'open', listener, local, remote, isTls: stream.tls !== undefined } })
    held.onGone = () => {
      this.#held.delete(number)
      if (this.#held.size === 0) this.#whenNone?.()
    }
    return held
  }

  receive(worker: number, message: StreamMessage, accept: (listener: number, stream: StreamPort) => CoreHandlers): void {
    const { stream } = message
    if (message.from === 'user') return this.#held.get(stream)?.hear(message.said)
    const { said } = message
    const key = `${worker} ${stream}`
    if (said.what === 'open') {
      const used = new UsedStream(said, (answer) => this.#send(worker, { stream, from: 'user', said: answer }))
      this.#used.set(key, used)
      used.attach(accept(said.listener, used))
      return
    }
    this.#used.get(key)?.hear(said)
    if (said.what === 'closed') this.#used.delete(key)
  }

  /** Resolves when none is held any more, or after so long, when those that are left are reset. */
  async none(milliseconds: number): Promise<void> {
    if (this.#held.size === 0) return
    let timer: ReturnType<typeof setTimeout> | undefined
    await new Promise<void>((resolve) => {
      this.#whenNone = resolve
      timer = setTimeout(resolve, milliseconds)
    })
    clearTimeout(timer)
    for (const held of this.#held.values()) held.reset()
  }
}

/** At the socket. */
class HeldStream implements StreamHandlers {
  readonly #stream: ByteStream
  readonly #send: (said: SaidByHolder) => void
  /** Of what came from the peer. */
  #underWay = 0
  /** Of what the user wrote: not told to be taken, as the socket is full. */
  #untold = 0
  onGone: (() => void) | undefined

  constructor(stream: ByteStream, send: (said: SaidByHolder) => void) {
    this.#stream = stream
    this.#send = send
  }

  onData(bytes: Uint8Array): void {
    this.#underWay += bytes.length
    if (this.#underWay > WINDOW) this.#stream.pause()
    this.#send({ what: 'octets', octets: copyOf(bytes) })
  }

  onDrain(): void {
    if (this.#untold > 0) this.#send({ what: 'taken', count: this.#untold })
    this.#untold = 0
  }

  onEnd(): void {
    this.#send({ what: 'end' })
  }

  onClose(error?: Error): void {
    this.#send({ what: 'closed', error: error && sentError(error) })
    this.onGone?.()
  }

  hear(said: SaidByUser): void {
    switch (said.what) {
      case 'octets': {
        const { byteLength } = said.octets
        if (this.#stream.write(new Uint8Array(said.octets))) this.#send({ what: 'taken', count: byteLength })
        else this.#untold += byteLength
        return
      }
      case 'taken':
        this.#underWay -= said.count
        if (this.#underWay <= WINDOW / 2) this.#stream.resume()
        return
      case 'end':
        this.#stream.end()
        return
      case 'reset':
        this.reset()
        return
      default:
        said satisfies never
    }
  }

  reset(): void {
    this.#stream.reset()
  }
}

/** At the core. */
class UsedStream implements StreamPort {
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly carrier?: string
  readonly #send: (said: SaidByUser) => void
  #handlers: CoreHandlers | undefined
  #underWay = 0
  #isWaiting = false
  #isOver = false

  constructor({ local, remote, isTls }: Extract<SaidByHolder, { what: 'open' }>, send: (said: SaidByUser) => void) {
    this.local = local
    this.remote = remote
    if (isTls) this.carrier = `tls:${local.port}`
    this.#send = send
  }

  attach(handlers: CoreHandlers): void {
    this.#handlers = handlers
  }

  get room(): number {
    return Math.max(0, WINDOW - this.#underWay)
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isOver) return false
    this.#underWay += bytes.length
    this.#send({ what: 'octets', octets: copyOf(bytes) })
    this.#isWaiting ||= this.#underWay >= WINDOW
    return !this.#isWaiting
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#send({ what: 'end' })
  }

  reset(): void {
    this.#isOver = true
    this.#send({ what: 'reset' })
  }

  hear(said: Exclude<SaidByHolder, { what: 'open' }>): void {
    switch (said.what) {
      case 'octets':
        this.#handlers?.onData(new Uint8Array(said.octets))
        this.#send({ what: 'taken', count: said.octets.byteLength })
        return
      case 'taken':
        this.#underWay -= said.count
        if (!this.#isWaiting || this.#underWay > WINDOW / 2) return
        this.#isWaiting = false
        this.#handlers?.onDrain()
        return
      case 'end':
        this.#handlers?.onEnd()
        return
      case 'closed':
        this.#isOver = true
        if (said.error === undefined) this.#handlers?.onClose()
        else this.#handlers?.onClose(receivedError(said.error))
        return
      default:
        said satisfies never
    }
  }
}

/** Octets are lent for the call, and what is posted is given away. */
function copyOf(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer
}
