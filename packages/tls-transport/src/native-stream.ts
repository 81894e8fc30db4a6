// Room: the wire. A descriptor behind the ByteStream interface.
import type { Watch } from '@underpass/native'
import type { ByteStream, Endpoint, StreamHandlers } from './byte-stream.ts'
import { errnoError, type NativeSockets, systemError } from './native-sockets.ts'
import { DEFAULT_HIGH_WATER_MARK, DEFAULT_READ_LENGTH, type SocketOptions, unmapped } from './socket-stream.ts'
import { type TransportError, transportError } from './transport-error.ts'
import { UnsentLimit } from './unsent-limit.ts'

/** One buffer for all streams, as long as the longest read of any: what is in it is lent to `onData` for the call. */
let receiveBuffer = new Uint8Array(0)

export class NativeStream implements ByteStream {
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly #sockets: NativeSockets
  readonly #fd: number
  readonly #highWaterMark: number
  readonly #readLength: number
  readonly #unsentLimit: UnsentLimit | undefined
  readonly #queue: Uint8Array[] = []
  #queued = 0
  #handlers: StreamHandlers | undefined
  #watch: Watch | undefined
  /** Of the peer's stream: more is to come, it is held back, its FIN came. */
  #reading: 'flowing' | 'paused' | 'ended' = 'flowing'
  /** Of ours: open, FIN to follow what is queued, FIN sent. */
  #writing: 'open' | 'ending' | 'ended' = 'open'
  #isClosed = false
  #isWaitingForDrain = false
  /** For the listener's count. */
  onGone: (() => void) | undefined

  /** Takes the connected descriptor over. @throws NativeError `SYSTEM` where it is not connected; it stays the caller's then */
  constructor(sockets: NativeSockets, fd: number, options: SocketOptions) {
    const { calls } = sockets
    this.#sockets = sockets
    this.#fd = fd
    const [local, remote] = [calls.localAddress(fd), calls.remoteAddress(fd)]
    this.local = { address: unmapped(local.address), port: local.port }
    this.remote = { address: unmapped(remote.address), port: remote.port }
    this.#highWaterMark = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK
    this.#readLength = options.readLength ?? DEFAULT_READ_LENGTH
    if (options.notSentLowWater === 'adaptive') this.#unsentLimit = new UnsentLimit(sockets, fd)
  }

  /** Begins to deliver. The owner may have written, paused, ended or reset before. */
  attach(handlers: StreamHandlers): void {
    this.#handlers = handlers
    if (this.#isClosed) return
    try {
      this.#listen()
    } catch (cause) {
      // Without events there is no stream.
      this.#close(transportError(systemError(cause), 'stream', this.remote.address, this.remote.port))
    }
  }

  get queued(): number {
    return this.#queued
  }

  get room(): number {
    return this.#isClosed || this.#queued > 0 ? 0 : (this.#unsentLimit?.room ?? Number.POSITIVE_INFINITY)
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isClosed || this.#writing !== 'open') return false
    let sent = 0
    if (this.#queue.length === 0) {
      sent = this.#sockets.calls.send(this.#fd, bytes, 0, bytes.length)
      if (sent === bytes.length) return this.#unsentLimit?.isReachedBy(sent) !== true || this.#waitForDrain()
      if (sent < 0) {
        if (!this.#isTemporary(sent)) {
          this.#failLater(-sent)
          return false
        }
        sent = 0
      }
    }
    this.#queue.push(bytes.slice(sent))
    this.#queued += bytes.length - sent
    this.#wantEvents()
    return this.#queued <= this.#highWaterMark || this.#waitForDrain()
  }

  #waitForDrain(): false {
    this.#unsentLimit?.full()
    this.#isWaitingForDrain = true
    this.#wantEvents()
    return false
  }

  end(): void {
    if (this.#isClosed || this.#writing !== 'open') return
    this.#writing = 'ending'
    this.#endWhenSent()
  }

  reset(): void {
    if (this.#isClosed) return
    this.#sockets.calls.resetOnClose(this.#fd)
    this.#close(undefined)
  }

  pause(): void {
    if (this.#reading !== 'flowing') return
    this.#reading = 'paused'
    this.#wantEvents()
  }

  resume(): void {
    if (this.#reading !== 'paused') return
    this.#reading = 'flowing'
    if (this.#watch === undefined && this.#handlers !== undefined) this.attach(this.#handlers)
    else this.#wantEvents()
  }

  #listen(): void {
    this.#watch = this.#sockets.reactor.watch(this.#fd, this.#interest(), (events) => this.#ready(events))
  }

  #ready(events: number): void {
    const { POLLIN, POLLOUT } = this.#sockets.pollEvent
    if ((events & POLLOUT) !== 0) this.#flush()
    // An error or a hang-up, too, is what the next read tells.
    if (!this.#isClosed && this.#reading === 'flowing' && (events & ~POLLOUT) !== 0) this.#receive()
    else if (!this.#isClosed && this.#reading !== 'flowing' && (events & ~(POLLIN | POLLOUT)) !== 0) this.#hungUp()
  }

  /** One read a turn of the reactor's: other descriptors and the timers get theirs. */
  #receive(): void {
    if (receiveBuffer.length < this.#readLength) receiveBuffer = new Uint8Array(this.#readLength)
    const length = this.#sockets.calls.receive(this.#fd, receiveBuffer, 0, this.#readLength)
    if (length > 0) return this.#handlers?.onData(receiveBuffer.subarray(0, length))
    if (length === 0) return this.#ended()
    if (!this.#isTemporary(length)) this.#fail(-length)
  }

  #ended(): void {
    this.#reading = 'ended'
    this.#wantEvents()
    this.#handlers?.onEnd?.()
    if (this.#writing === 'open') this.end()
    else if (this.#writing === 'ended') this.#close(undefined)
  }

  #flush(): void {
    this.#unsentLimit?.ready()
    while (this.#queue.length > 0) {
      const chunk = this.#queue[0] as Uint8Array
      const sent = this.#sockets.calls.send(this.#fd, chunk, 0, chunk.length)
      if (this.#isTemporary(sent)) return this.#unsentLimit?.full()
      if (sent < 0) return this.#fail(-sent)
      this.#queued -= sent
      if (sent < chunk.length) {
        this.#queue[0] = chunk.subarray(sent)
        return this.#unsentLimit?.full()
      }
      this.#queue.shift()
    }
    const wasWaiting = this.#isWaitingForDrain
    this.#isWaitingForDrain = false
    this.#wantEvents()
    if (this.#writing === 'ending') this.#endWhenSent()
    else if (wasWaiting) this.#handlers?.onDrain?.()
  }

  #endWhenSent(): void {
    if (this.#queue.length > 0) return
    this.#writing = 'ended'
    this.#sockets.calls.shutdown(this.#fd)
    if (this.#reading === 'ended') this.#close(undefined)
  }

  /** Both directions are over, or it was reset, while nobody read. */
  #hungUp(): void {
    const errno = this.#sockets.calls.takeError(this.#fd)
    if (errno !== 0) this.#fail(errno)
    else if (this.#reading === 'ended') this.#close(undefined)
    else {
      // Paused, and what came before the hang-up is still to be read: until then the event would come back at once, and in vain.
      this.#watch?.close()
      this.#watch = undefined
    }
  }

  /** A write never calls a handler before it returns. */
  #failLater(errno: number): void {
    this.#writing = 'ended'
    queueMicrotask(() => this.#fail(errno))
  }

  #fail(errno: number): void {
    if (this.#isClosed) return
    this.#close(transportError(errnoError(this.#sockets, errno), 'stream', this.remote.address, this.remote.port))
  }

  #close(error: TransportError | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#reading = 'ended'
    this.#writing = 'ended'
    this.#queue.length = 0
    this.#queued = 0
    this.#watch?.close()
    this.#sockets.close(this.#fd)
    this.onGone?.()
    queueMicrotask(() => {
      if (error === undefined) this.#handlers?.onClose?.()
      else this.#handlers?.onClose?.(error)
    })
  }

  #wantEvents(): void {
    this.#watch?.want(this.#interest())
  }

  #interest(): number {
    const { POLLIN, POLLOUT } = this.#sockets.pollEvent
    return (this.#reading === 'flowing' ? POLLIN : 0) | (this.#queue.length > 0 || this.#isWaitingForDrain ? POLLOUT : 0)
  }

  /** Of a call's result: it is to be tried again, nothing is wrong. */
  #isTemporary(result: number): boolean {
    const { EAGAIN, EINTR } = this.#sockets.errno
    return result === -EAGAIN || result === -EINTR
  }
}
