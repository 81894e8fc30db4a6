// Room: the wire. A listening descriptor, with what may stand before the stream.
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { AddressCounts } from './address-counts.ts'
import type { ByteStream, Endpoint, StreamHandlers } from './byte-stream.ts'
import { type PendingLook, takeFirstLook } from './first-look.ts'
import { FRONT_PATIENCE, headerProblem, lookForHeader, TLS_HANDSHAKE } from './front.ts'
import { replaceCertificate } from './front-listen.ts'
import type { Listener, ListenOptions } from './listen.ts'
import { listenNative } from './native-listen.ts'
import { type NativeSockets, systemError } from './native-sockets.ts'
import { NativeStream } from './native-stream.ts'
import { nativeTls } from './native-tls.ts'
import { NativeTlsAcceptor } from './native-tls-acceptor.ts'
import type { Origin } from './proxy-protocol.ts'
import { ReaddressedStream } from './readdressed-stream.ts'
import { SocketStream, tlsInfo, unmapped } from './socket-stream.ts'
import { StreamDuplex } from './stream-duplex.ts'
import { TlsAcceptor } from './tls-acceptor.ts'
import { type TransportError, transportError } from './transport-error.ts'

type Accept = (stream: ByteStream) => StreamHandlers

/** Connections behind their PROXY header that are looked at, at once, in all and of one address. */
const MAX_LOOKS = 8_192
const MAX_LOOKS_OF_AN_ADDRESS = 64

/** @throws TransportError */
export function listenNativeFront(sockets: NativeSockets, options: ListenOptions, onConnection: Accept): Listener {
  const front = new NativeFront(sockets, options, onConnection)
  const { tls: _tls, ...plain } = options
  const inner = listenNative(
    sockets,
    {
      ...plain,
      firstLook: {
        milliseconds: options.firstLook?.milliseconds ?? FRONT_PATIENCE,
        isRelay: (address) => options.expectsProxyHeader?.(unmapped(address)) === true,
        decide: (start, descriptor) => front.decide(start, descriptor),
      },
    },
    (stream) => front.kept(stream),
  )
  front.local = inner.local
  return {
    local: inner.local,
    get connections() {
      return inner.connections + front.connections
    },
    adopt: (descriptor, origin) => (origin === undefined ? inner.adopt!(descriptor) : front.adopt(descriptor, origin)),
    ...(front.acceptor && { replaceCertificate: (pair) => replaceCertificate(front.acceptor!, pair, inner.local) }),
    async close() {
      front.close()
      await inner.close()
    },
  }
}

/** The runtime's socket for a connected descriptor; `undefined` where it makes none, and leaves the descriptor alone (Bun). */
export function socketOf(descriptor: number): Socket | undefined {
  const socket = new Socket({ fd: descriptor, readable: true, writable: true })
  // Whoever is gone has no remote end any more; the local one is there for as long as the descriptor is.
  return socket.localPort === undefined ? undefined : socket
}

class NativeFront {
  local: Endpoint | undefined
  /** Open streams, and what may become some, that the listener beneath does not count. */
  connections = 0
  readonly acceptor: TlsAcceptor | NativeTlsAcceptor | undefined
  readonly #sockets: NativeSockets
  readonly #options: ListenOptions
  readonly #onConnection: Accept
  readonly #looks = new Set<PendingLook>()
  readonly #looksOfAddress = new AddressCounts()
  #isClosed = false

  constructor(sockets: NativeSockets, options: ListenOptions, onConnection: Accept) {
    this.#sockets = sockets
    this.#options = options
    this.#onConnection = onConnection
    const { tls = false } = options
    try {
      if (tls === false) return
      const native = nativeTls()
      const onFailure = (error: TransportError): void => options.onError?.(error)
      this.acceptor = 'libssl' in native ? new NativeTlsAcceptor(native, tls, onFailure) : new TlsAcceptor(tls, onFailure)
    } catch (cause) {
      throw transportError(cause, 'listen', options.address ?? '::', options.port ?? 0)
    }
  }

  /** What the listener beneath does with a connection of which nothing was read. */
  decide(start: Uint8Array, descriptor: number): ReturnType<NonNullable<ListenOptions['firstLook']>['decide']> {
    const proxy = this.#options.expectsProxyHeader === undefined ? undefined : this.#remoteOf(descriptor)
    if (proxy === undefined || this.#options.expectsProxyHeader?.(proxy.address) !== true)
      return this.#decideStream(start, descriptor, undefined)
    try {
      const found = lookForHeader(start, proxy)
      if (found.kind === 'more') return found.needs
      // With both ends always: whoever is given the connection is not to look for a header that was read here.
      const origin = found.origin ?? { local: this.#localOf(descriptor), remote: proxy }
      return () => this.#behindHeader(descriptor, found.length, origin)
    } catch (error) {
      return () => this.#refuse(descriptor, error as TransportError)
    }
  }

  /** A plain stream that the listener beneath has opened. It said too little, or there is nothing but plain streams. */
  kept(stream: ByteStream): StreamHandlers {
    const isLate = this.#options.expectsProxyHeader?.(stream.remote.address) === true
    if (isLate) this.#options.onError?.(headerProblem(stream.remote, 'none came'))
    if (!isLate && (this.acceptor === undefined || this.#options.alsoPlain === true)) return this.#onConnection(stream)
    stream.reset()
    return { onData() {} }
  }

  adopt(descriptor: number, origin: Origin): void {
    if (this.#isClosed) this.#sockets.close(descriptor)
    else this.#open(descriptor, origin)
  }

  close(): void {
    this.#isClosed = true
    this.acceptor?.close()
    for (const look of this.#looks) look.giveUp()
  }

  #decideStream(
    start: Uint8Array,
    descriptor: number,
    origin: Origin | undefined,
  ): ReturnType<NonNullable<ListenOptions['firstLook']>['decide']> {
    if (this.acceptor !== undefined) {
      const secure = (): void => this.#secure(descriptor, origin)
      if (this.#options.alsoPlain !== true) return secure
      if (start.length === 0) return 1
      if (start[0] === TLS_HANDSHAKE) return secure
    }
    const decision = this.#options.firstLook?.decide(start, descriptor) ?? 'keep'
    return typeof decision === 'function' && origin !== undefined ? (given) => decision(given, origin) : decision
  }

  #behindHeader(descriptor: number, length: number, origin: Origin): void {
    const { address } = origin.remote
    this.#sockets.calls.receive(descriptor, new Uint8Array(length), 0, length)
    if (this.#isClosed || this.#looks.size >= MAX_LOOKS || this.#looksOfAddress.of(address) >= MAX_LOOKS_OF_AN_ADDRESS) {
      this.#sockets.close(descriptor)
      return
    }
    this.connections++
    this.#looksOfAddress.add(address)
    const decided = (isKept: boolean): void => {
      this.connections--
      this.#looks.delete(look)
      this.#looksOfAddress.remove(address)
      if (isKept) this.#open(descriptor, origin)
    }
    const look = takeFirstLook(
      this.#sockets,
      descriptor,
      { milliseconds: FRONT_PATIENCE, decide: (start) => this.#decideStream(start, descriptor, origin) },
      decided,
    )
    this.#looks.add(look)
    look.begin()
  }

  #refuse(descriptor: number, error: TransportError): void {
    this.#sockets.close(descriptor)
    this.#options.onError?.(error)
  }

  /** A plain stream behind its header. */
  #open(descriptor: number, origin: Origin | undefined): void {
    const stream = this.#streamOf(descriptor)
    if (stream === undefined) return
    if (this.acceptor !== undefined && this.#options.alsoPlain !== true) return stream.reset()
    stream.attach(this.#onConnection(origin === undefined ? stream : new ReaddressedStream(stream, origin)))
  }

  #secure(descriptor: number, origin: Origin | undefined): void {
    const remote = this.#remoteOf(descriptor)
    // It is gone.
    if (remote === undefined) return this.#sockets.close(descriptor)
    const { acceptor } = this
    if (acceptor instanceof NativeTlsAcceptor) {
      const stream = this.#streamOf(descriptor)
      if (stream !== undefined)
        acceptor.begin(stream, origin?.remote ?? remote, (over) =>
          this.#onConnection(origin === undefined ? over : new ReaddressedStream(over, origin)),
        )
    } else if (acceptor !== undefined) this.#secureByRuntime(acceptor, descriptor, remote, origin)
  }

  #secureByRuntime(acceptor: TlsAcceptor, descriptor: number, remote: Endpoint, origin: Origin | undefined): void {
    if (this.#isFull()) return this.#sockets.close(descriptor)
    let below: Duplex | undefined = socketOf(descriptor)
    let ends = origin
    if (below === undefined) {
      const stream = this.#streamOf(descriptor)
      if (stream === undefined) return
      below = new StreamDuplex(stream)
      ends ??= { local: stream.local, remote: stream.remote }
    } else {
      this.connections++
      below.once('close', () => this.connections--)
    }
    acceptor.begin(below, ends?.remote ?? remote, (over) => this.#accept(over, ends))
  }

  #accept(socket: TLSSocket, origin: Origin | undefined): void {
    const stream = new SocketStream(socket, tlsInfo(socket), this.#options)
    stream.attach(this.#onConnection(origin === undefined ? stream : new ReaddressedStream(stream, origin)))
  }

  #streamOf(descriptor: number): NativeStream | undefined {
    const { congestionControl, dscp } = this.#options
    try {
      if (this.#isFull()) {
        this.#sockets.close(descriptor)
        return undefined
      }
      if (congestionControl !== undefined) this.#sockets.calls.setCongestionControl(descriptor, congestionControl)
      if (dscp !== undefined) this.#sockets.calls.setDscp(descriptor, dscp)
      const stream = new NativeStream(this.#sockets, descriptor, this.#options)
      this.connections++
      stream.onGone = () => this.connections--
      return stream
    } catch (cause) {
      this.#sockets.close(descriptor)
      const error = systemError(cause)
      if (error.code !== 'ENOTCONN')
        this.#options.onError?.(transportError(error, 'listen', this.local?.address ?? '', this.local?.port ?? 0))
      return undefined
    }
  }

  #isFull(): boolean {
    const { maxConnections } = this.#options
    return maxConnections !== undefined && this.connections >= maxConnections
  }

  #localOf(descriptor: number): Endpoint {
    const { address, port } = this.#sockets.calls.localAddress(descriptor)
    return { address: unmapped(address), port }
  }

  #remoteOf(descriptor: number): Endpoint | undefined {
    try {
      const { address, port } = this.#sockets.calls.remoteAddress(descriptor)
      return { address: unmapped(address), port }
    } catch {
      return undefined
    }
  }
}
