// Room: the wire. A listening descriptor.
import type { Watch } from '@underpass/native'
import { AddressCounts } from './address-counts.ts'
import type { ByteStream, Endpoint, StreamHandlers } from './byte-stream.ts'
import { type PendingLook, takeFirstLook } from './first-look.ts'
import type { Listener, ListenOptions } from './listen.ts'
import { badPort } from './native-connect.ts'
import { errnoError, type NativeSockets, systemError } from './native-sockets.ts'
import { NativeStream } from './native-stream.ts'
import { setOptions } from './native-tuning.ts'
import { transportError } from './transport-error.ts'

/** Connections taken in one turn of the event loop. */
const BUDGET = 64
/** What Linux allows unless told otherwise (net.core.somaxconn): after a cut all clients come back at once. */
const DEFAULT_BACKLOG = 4_096
/** Milliseconds without accepting after the descriptors ran out: the event would come back at once, and in vain. */
const REST = 100
/**
 * Connections that are looked at, at once, in all and of one address. Who waits is in nobody's count but this one; beyond it whoever owns
 * connections judges.
 */
const MAX_LOOKS = 8_192
const MAX_LOOKS_OF_AN_ADDRESS = 64
/** errno values of accept(2) that are about the connection that was to be accepted, and not about the listener. */
const OF_THE_CONNECTION = new Set(['ECONNABORTED', 'EPROTO', 'EINTR', 'EPERM', 'ETIMEDOUT', 'ENETDOWN', 'ENETUNREACH', 'EHOSTUNREACH'])

/** There is no TLS. @throws TransportError */
export function listenNative(
  sockets: NativeSockets,
  options: ListenOptions,
  onConnection: (stream: ByteStream) => StreamHandlers,
): Listener {
  const address = options.address ?? '::'
  const port = options.port ?? 0
  try {
    if (!Number.isInteger(port) || port < 0 || port > 65_535) throw badPort(port)
    return new NativeListener(sockets, { ...options, address, port }, onConnection)
  } catch (cause) {
    const error = systemError(cause)
    // No address was asked for, and the machine has no IPv6: all of IPv4 then, as the runtimes do it.
    if (options.address === undefined && error.code === 'EAFNOSUPPORT') {
      return listenNative(sockets, { ...options, address: '0.0.0.0' }, onConnection)
    }
    throw transportError(error, 'listen', address, port)
  }
}

class NativeListener implements Listener {
  readonly local: Endpoint
  connections = 0
  readonly #sockets: NativeSockets
  readonly #options: ListenOptions
  readonly #onConnection: (stream: ByteStream) => StreamHandlers
  readonly #fd: number
  readonly #watch: Watch
  readonly #undecided = new Set<PendingLook>()
  readonly #looks = new AddressCounts()
  #isClosed = false

  constructor(
    sockets: NativeSockets,
    options: ListenOptions & Required<Pick<ListenOptions, 'address' | 'port'>>,
    onConnection: (stream: ByteStream) => StreamHandlers,
  ) {
    const { calls, reactor, pollEvent } = sockets
    const { address, port, backlog = DEFAULT_BACKLOG, reusePort = false } = options
    this.#sockets = sockets
    this.#options = options
    this.#onConnection = onConnection
    this.#fd = calls.listen({ address, port, backlog, reusePort, prepare: (fd) => setOptions(sockets, fd, options) })
    try {
      this.local = calls.localAddress(this.#fd)
      this.#watch = reactor.watch(this.#fd, pollEvent.POLLIN, () => this.#acceptAll())
    } catch (cause) {
      sockets.close(this.#fd)
      throw cause
    }
  }

  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true
      this.#watch.close()
      this.#sockets.close(this.#fd)
      for (const look of this.#undecided) look.giveUp()
    }
    return Promise.resolve()
  }

  #acceptAll(): void {
    const { calls, errno } = this.#sockets
    for (let i = 0; i < BUDGET && !this.#isClosed; i++) {
      const result = calls.accept(this.#fd)
      if (result === -errno.EAGAIN) return
      if (result >= 0) this.#admit(result)
      else if (!OF_THE_CONNECTION.has(this.#sockets.nameOf(-result))) return this.#rest(errnoError(this.#sockets, -result))
    }
  }

  /** A connection that another listener gave away. */
  readonly adopt = (descriptor: number): void => {
    if (this.#isClosed) this.#sockets.close(descriptor)
    else this.#accept(descriptor)
  }

  #admit(descriptor: number): void {
    const { firstLook, maxConnections } = this.#options
    // Above the limit there is nothing to look for.
    if (firstLook === undefined || (maxConnections !== undefined && this.connections >= maxConnections)) {
      this.#accept(descriptor)
      return
    }
    const address = this.#addressOf(descriptor)
    if (
      this.#undecided.size >= MAX_LOOKS ||
      (this.#looks.of(address) >= MAX_LOOKS_OF_AN_ADDRESS && firstLook.isRelay?.(address) !== true)
    ) {
      this.#accept(descriptor)
      return
    }
    this.connections++
    this.#looks.add(address)
    const look = takeFirstLook(this.#sockets, descriptor, firstLook, (isKept) => {
      this.connections--
      this.#undecided.delete(look)
      this.#looks.remove(address)
      if (isKept) this.#accept(descriptor)
    })
    this.#undecided.add(look)
    look.begin()
  }

  #addressOf(descriptor: number): string {
    try {
      return this.#sockets.calls.remoteAddress(descriptor).address
    } catch {
      // It is gone.
      return ''
    }
  }

  #accept(descriptor: number): void {
    const { maxConnections, congestionControl, dscp } = this.#options
    let stream: NativeStream
    try {
      if (maxConnections !== undefined && this.connections >= maxConnections) {
        this.#sockets.close(descriptor)
        return
      }
      // Inherited, but where a route names another for those that are accepted, and net.ipv4.tcp_reflect_tos that of the peer.
      if (congestionControl !== undefined) this.#sockets.calls.setCongestionControl(descriptor, congestionControl)
      if (dscp !== undefined) this.#sockets.calls.setDscp(descriptor, dscp)
      stream = new NativeStream(this.#sockets, descriptor, this.#options)
    } catch (cause) {
      this.#sockets.close(descriptor)
      const error = systemError(cause)
      // Gone before it was accepted: there is no address to speak of.
      if (error.code !== 'ENOTCONN') this.#report(error)
      return
    }
    this.connections++
    stream.onGone = () => this.connections--
    // It may be closed when this returns: who is asked may want no more connections.
    stream.attach(this.#onConnection(stream))
  }

  #rest(error: Error): void {
    this.#report(error)
    this.#watch.want(0)
    setTimeout(() => this.#watch.want(this.#sockets.pollEvent.POLLIN), REST).unref()
  }

  #report(error: Error): void {
    this.#options.onError?.(transportError(error, 'listen', this.local.address, this.local.port))
  }
}
