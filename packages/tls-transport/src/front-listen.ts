// Room: the wire. A listener of the runtime's sockets, with what may stand before the stream.
import { createServer, type Server, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { AddressCounts } from './address-counts.ts'
import type { ByteStream, Endpoint, StreamHandlers } from './byte-stream.ts'
import type { CertificatePair } from './certificate.ts'
import { FRONT_PATIENCE, headerProblem, lookForHeader, TLS_HANDSHAKE } from './front.ts'
import type { Listener, ListenOptions } from './listen.ts'
import { tuneRuntimeListener } from './native-tuning.ts'
import type { Origin } from './proxy-protocol.ts'
import { ReaddressedStream } from './readdressed-stream.ts'
import { SocketStream, tlsInfo, unmapped } from './socket-stream.ts'
import { TlsAcceptor } from './tls-acceptor.ts'
import { type TransportError, transportError } from './transport-error.ts'

/** @throws TransportError */
export async function listenThroughRuntime(
  options: ListenOptions,
  onConnection: (stream: ByteStream) => StreamHandlers,
): Promise<Listener> {
  const address = options.address ?? '::'
  const port = options.port ?? 0
  let front: RuntimeFront
  let server: Server
  try {
    front = new RuntimeFront(options, onConnection)
    server = createServer({ pauseOnConnect: true }, (socket) => front.take(socket))
    if (options.maxConnections !== undefined) server.maxConnections = options.maxConnections
    await bind(server, options)
  } catch (cause) {
    throw transportError(cause, 'listen', address, port)
  }
  const bound = server.address()
  const local = typeof bound === 'object' && bound !== null ? { address: bound.address, port: bound.port } : { address, port }
  try {
    tuneRuntimeListener(local, options)
  } catch (cause) {
    server.close()
    throw transportError(cause, 'listen', address, port)
  }
  server.on('error', (cause) => options.onError?.(transportError(cause, 'listen', local.address, local.port)))
  let closed: Promise<void> | undefined
  return {
    local,
    get connections() {
      return front.streams.size
    },
    ...(front.acceptor && { replaceCertificate: (pair: CertificatePair) => replaceCertificate(front.acceptor!, pair, local) }),
    close() {
      closed ??= close(server, front)
      return closed
    },
  }
}

/** @throws TransportError BAD_OPTION */
export function replaceCertificate(
  acceptor: Pick<TlsAcceptor, 'replaceCertificate'>,
  pair: CertificatePair,
  { address, port }: Endpoint,
): void {
  try {
    acceptor.replaceCertificate(pair)
  } catch (cause) {
    throw transportError(cause, 'listen', address, port)
  }
}

/** Sockets of which it is not known yet what they are, at once, in all and of one address; a proxy that is to send a header brings those of many. */
const MAX_UNDECIDED = 4_096
const MAX_UNDECIDED_OF_AN_ADDRESS = 64

class RuntimeFront {
  readonly streams = new Set<Socket>()
  readonly acceptor: TlsAcceptor | undefined
  readonly #options: ListenOptions
  readonly #onConnection: (stream: ByteStream) => StreamHandlers
  /** Those that are not streams yet, nor in the hands of TLS. */
  readonly #undecided = new Set<Socket>()
  readonly #undecidedOfAddress = new AddressCounts()

  constructor(options: ListenOptions, onConnection: (stream: ByteStream) => StreamHandlers) {
    this.#options = options
    this.#onConnection = onConnection
    const { tls = false } = options
    if (tls !== false) this.acceptor = new TlsAcceptor(tls, (error) => options.onError?.(error))
  }

  take(socket: Socket): void {
    // A peer may be gone before it is accepted: there is no address to speak of.
    if (socket.destroyed || socket.remoteAddress === undefined) {
      socket.on('error', () => {})
      socket.destroy()
      return
    }
    const remote = { address: unmapped(socket.remoteAddress), port: socket.remotePort ?? 0 }
    if (this.#options.expectsProxyHeader?.(remote.address) === true) this.#readHeader(socket, remote)
    else this.#decide(socket, remote, undefined)
  }

  giveUp(): void {
    this.acceptor?.close()
    for (const socket of this.#undecided) socket.destroy()
  }

  #readHeader(socket: Socket, proxy: Endpoint): void {
    const refuse = (error: TransportError): void => {
      socket.destroy()
      this.#options.onError?.(error)
    }
    this.#look(socket, undefined, {
      // Whatever it has said by then.
      atEnd: () => refuse(headerProblem(proxy, 'none came')),
      look: (start) => {
        try {
          const found = lookForHeader(start, proxy)
          if (found.kind === 'more') return undefined
          return { read: found.length, next: () => this.#decide(socket, found.origin?.remote ?? proxy, found.origin) }
        } catch (error) {
          return { read: 0, next: () => refuse(error as TransportError) }
        }
      },
    })
  }

  #decide(socket: Socket, remote: Endpoint, origin: Origin | undefined): void {
    const { acceptor } = this
    const secure = (): void => acceptor!.begin(socket, remote, (over) => this.#accept(over, origin))
    if (acceptor === undefined) this.#accept(socket, origin)
    else if (this.#options.alsoPlain !== true) secure()
    else
      this.#look(socket, remote.address, {
        // It said nothing.
        atEnd: () => socket.destroy(),
        look: (start) => ({ read: 0, next: start[0] === TLS_HANDSHAKE ? secure : () => this.#accept(socket, origin) }),
      })
  }

  /** `limited`: the address whose limit it counts for. */
  #look(
    socket: Socket,
    limited: string | undefined,
    {
      look,
      atEnd,
    }: { look(start: Uint8Array): { readonly read: number; readonly next: () => void } | undefined; readonly atEnd: () => void },
  ): void {
    const isTooMany = limited !== undefined && this.#undecidedOfAddress.of(limited) >= MAX_UNDECIDED_OF_AN_ADDRESS
    if (isTooMany || this.#undecided.size >= MAX_UNDECIDED) {
      socket.on('error', () => {}).destroy()
      return
    }
    let start = new Uint8Array(0)
    const over = (next: () => void): void => {
      clearTimeout(timer)
      this.#undecided.delete(socket)
      if (limited !== undefined) this.#undecidedOfAddress.remove(limited)
      socket.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onError).pause()
      next()
    }
    const onData = (bytes: Uint8Array): void => {
      start = Uint8Array.from([...start, ...bytes])
      const found = look(start)
      if (found === undefined) return
      over(() => {
        if (start.length > found.read) socket.unshift(Buffer.from(start.subarray(found.read)))
        found.next()
      })
    }
    const onEnd = (): void => over(atEnd)
    const onClose = (): void => over(() => {})
    const onError = (): void => {}
    const timer = setTimeout(() => over(atEnd), FRONT_PATIENCE)
    this.#undecided.add(socket)
    if (limited !== undefined) this.#undecidedOfAddress.add(limited)
    socket.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onError).resume()
  }

  #accept(socket: Socket | TLSSocket, origin: Origin | undefined): void {
    const { maxConnections } = this.#options
    if (socket.destroyed || (maxConnections !== undefined && this.streams.size >= maxConnections)) {
      socket.on('error', () => {}).destroy()
      return
    }
    this.streams.add(socket)
    socket.once('close', () => this.streams.delete(socket))
    const stream = new SocketStream(socket, socket instanceof TLSSocket ? tlsInfo(socket) : undefined, this.#options)
    // It flows once somebody listens, unless its owner pauses it.
    socket.resume()
    stream.attach(this.#onConnection(origin === undefined ? stream : new ReaddressedStream(stream, origin)))
  }
}

function bind(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const { address, backlog, port = 0 } = options
    const where = { port, ...(address === undefined ? {} : { host: address }), ...(backlog === undefined ? {} : { backlog }) }
    server.listen(where, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** The runtime reports the end of a server only after that of its connections; the port is free before. */
function close(server: Server, front: RuntimeFront): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    front.giveUp()
    if (front.streams.size > 0) setTimeout(resolve, 0)
  })
}
