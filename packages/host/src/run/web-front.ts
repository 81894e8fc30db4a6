/**
 * Before the streams of a TLS listener: who begins with the prefix (RFC 9329 §3) goes on to IKE; a browser or a scanner gets what any web
 * server would say, or what the server behind has to say.
 */
import { type ByteStream, connect, type StreamHandlers } from '@underpass/tls-transport'

export interface WebFront {
  /** Where everybody else is handed on to, in the clear. Default: they are answered here. */
  readonly backend?: { readonly host: string; readonly port: number }
}

/** RFC 9329 §3. */
const PREFIX = new TextEncoder().encode('IKETCP')
/** As long as the core gives a stream for its prefix. */
const PATIENCE = 5_000
/** Streams of a listener of which it is not known yet; more are closed. */
const MAX_UNDECIDED = 1_024
/** Octets of a request that wait for the server behind: what a stream hands over at once, and no more. */
const MAX_HELD = 0x44000

const NOT_FOUND = 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
const BAD_GATEWAY = 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'

/** `accept` gets the streams that begin with the prefix, which is still to come. */
export function behindWebFront<S extends ByteStream>(
  front: WebFront,
  accept: (stream: S) => StreamHandlers,
): (stream: S) => StreamHandlers {
  let undecided = 0
  return (stream) => {
    if (undecided >= MAX_UNDECIDED) {
      stream.reset()
      return { onData() {} }
    }
    undecided++
    return new Visitor(front, stream, accept, () => undecided--)
  }
}

class Visitor<S extends ByteStream> implements StreamHandlers {
  readonly #front: WebFront
  readonly #stream: S
  readonly #accept: (stream: S) => StreamHandlers
  readonly #onDecided: () => void
  readonly #timer: ReturnType<typeof setTimeout>
  #begun = new Uint8Array(0)
  #next: StreamHandlers | undefined
  #isDecided = false

  constructor(front: WebFront, stream: S, accept: (stream: S) => StreamHandlers, onDecided: () => void) {
    this.#front = front
    this.#stream = stream
    this.#accept = accept
    this.#onDecided = onDecided
    this.#timer = setTimeout(() => {
      this.#decide()
      stream.reset()
    }, PATIENCE)
    this.#timer.unref()
  }

  onData(bytes: Uint8Array): void {
    if (this.#isDecided) {
      this.#next?.onData(bytes)
      return
    }
    this.#begun = Uint8Array.from([...this.#begun, ...bytes.subarray(0, PREFIX.length)])
    const isIke = this.#begun.every((octet, i) => i >= PREFIX.length || octet === PREFIX[i])
    if (isIke && this.#begun.length < PREFIX.length) return
    const before = this.#begun.subarray(0, this.#begun.length - Math.min(bytes.length, PREFIX.length))
    this.#decide()
    this.#next = isIke ? this.#accept(this.#stream) : this.#serve()
    if (before.length > 0) this.#next.onData(before)
    this.#next.onData(bytes)
  }

  onDrain(): void {
    this.#next?.onDrain?.()
  }

  onEnd(): void {
    this.#next?.onEnd?.()
  }

  onClose(error?: Parameters<NonNullable<StreamHandlers['onClose']>>[0]): void {
    this.#decide()
    this.#next?.onClose?.(error)
  }

  #decide(): void {
    if (this.#isDecided) return
    this.#isDecided = true
    clearTimeout(this.#timer)
    this.#onDecided()
  }

  #serve(): StreamHandlers {
    const { backend } = this.#front
    return backend === undefined ? answering(this.#stream) : handingOn(this.#stream, backend)
  }
}

/** Says one thing, once the request's first line is there or cannot be one. */
function answering(stream: ByteStream): StreamHandlers {
  let text = ''
  let isAnswered = false
  const late = setTimeout(() => {
    isAnswered = true
    say(stream, BAD_REQUEST)
  }, PATIENCE)
  late.unref()
  return {
    onClose: () => clearTimeout(late),
    onData(bytes) {
      if (isAnswered) return
      text += String.fromCharCode(...bytes.subarray(0, 1_024))
      const isHttp = /^[A-Z]{3,10} \S+ HTTP\/1\.[01]\r?\n/.test(text)
      if (!isHttp && text.length < 1_024 && /^[A-Z]{0,10}(?: [^\r\n]*)?$/.test(text)) return
      isAnswered = true
      clearTimeout(late)
      say(stream, isHttp ? NOT_FOUND : BAD_REQUEST)
    },
  }
}

function say(stream: ByteStream, text: string): void {
  stream.write(new TextEncoder().encode(text))
  stream.end()
  // Who does not close, too, would keep the socket.
  setTimeout(() => stream.reset(), PATIENCE).unref()
}

/** Octets go both ways as they are; whoever is slow holds the other back. */
function handingOn(stream: ByteStream, { host, port }: { readonly host: string; readonly port: number }): StreamHandlers {
  let server: ByteStream | undefined
  let held: Uint8Array[] = []
  let heldOctets = 0
  let isGone = false
  const fromServer: StreamHandlers = {
    onData(bytes) {
      if (!stream.write(bytes)) server?.pause()
    },
    onDrain: () => stream.resume(),
    onEnd: () => stream.end(),
    onClose(error) {
      if (error === undefined) stream.end()
      else stream.reset()
    },
  }
  connect({ host, port, timeout: PATIENCE }, fromServer).then(
    (open) => {
      server = open
      if (isGone) return open.reset()
      for (const bytes of held) open.write(bytes)
      held = []
      stream.resume()
    },
    () => say(stream, BAD_GATEWAY),
  )
  return {
    onData(bytes) {
      if (server !== undefined) {
        if (!server.write(bytes)) stream.pause()
        return
      }
      heldOctets += bytes.length
      if (heldOctets > MAX_HELD) return stream.reset()
      held.push(bytes.slice())
      stream.pause()
    },
    onDrain: () => server?.resume(),
    onEnd: () => server?.end(),
    onClose() {
      isGone = true
      server?.reset()
    },
  }
}
