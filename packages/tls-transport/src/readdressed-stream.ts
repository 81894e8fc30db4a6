// Room: the wire. A stream whose ends are others than its socket's: whoever stands in front has said which.
import type { ByteStream, Endpoint, TlsInfo } from './byte-stream.ts'
import type { Origin } from './proxy-protocol.ts'

export class ReaddressedStream implements ByteStream {
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly tls?: TlsInfo
  readonly #stream: ByteStream

  constructor(stream: ByteStream, { local, remote }: Origin) {
    this.#stream = stream
    this.local = local
    this.remote = remote
    if (stream.tls !== undefined) this.tls = stream.tls
  }

  get queued(): number {
    return this.#stream.queued
  }

  get room(): number {
    return this.#stream.room
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream.write(bytes)
  }

  end(): void {
    this.#stream.end()
  }

  reset(): void {
    this.#stream.reset()
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }
}
