// Room: the wire. One of our streams for who wants one of the runtime's: TLS, where the runtime takes no descriptor.
import { Duplex } from 'node:stream'
import type { ByteStream, StreamHandlers } from './byte-stream.ts'

export interface Attachable extends ByteStream {
  attach(handlers: StreamHandlers): void
}

export class StreamDuplex extends Duplex {
  readonly #stream: Attachable
  #whenDrained: (() => void) | undefined

  constructor(stream: Attachable) {
    // One that is closed is destroyed: our streams know no half-open connections.
    super({ allowHalfOpen: false, emitClose: true })
    this.#stream = stream
    stream.attach({
      onData: (bytes) => {
        // Lent for the call.
        if (!this.push(Buffer.from(bytes))) stream.pause()
      },
      onDrain: () => {
        const next = this.#whenDrained
        this.#whenDrained = undefined
        next?.()
      },
      onEnd: () => this.push(null),
      onClose: (error) => this.destroy(error),
    })
  }

  override _read(): void {
    this.#stream.resume()
  }

  override _write(bytes: Uint8Array, _encoding: string, done: () => void): void {
    if (this.#stream.write(bytes)) done()
    else this.#whenDrained = done
  }

  override _final(done: () => void): void {
    this.#stream.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stream.reset()
    done(error)
  }
}
