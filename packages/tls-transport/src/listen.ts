import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import type { ByteStream, Endpoint, StreamHandlers, TlsInfo } from './byte-stream.ts'
import type { FirstLook } from './first-look.ts'
import { listenNative } from './native-listen.ts'
import { nativeSockets } from './native-sockets.ts'
import { tuneRuntimeListener } from './native-tuning.ts'
import { type SocketOptions, SocketStream, tlsInfo } from './socket-stream.ts'
import { type TransportError, transportError } from './transport-error.ts'

export interface TlsServerOptions {
  /** PEM, the server's certificate first, then the chain. */
  readonly cert: string
  readonly key: string
  readonly alpn?: readonly string[]
  /** Default 'TLSv1.2' (RFC 9325 §3.1.1). */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly ciphers?: string
  /** Milliseconds for a handshake. Default 10,000. */
  readonly handshakeTimeout?: number
}

export interface ListenOptions extends SocketOptions {
  /** IP literal; default all addresses. */
  readonly address?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** Connections the kernel holds until they are accepted. Default 4,096; 511 for the runtime's sockets. */
  readonly backlog?: number
  readonly tls?: TlsServerOptions | false
  /** SO_REUSEPORT: several listeners of one user share the port, and the kernel spreads the connections. Native sockets only. Default false. */
  readonly reusePort?: boolean
  /** Above this many open connections, handshakes included, new ones are closed at once (RFC 9329 §10). Default: no limit. */
  readonly maxConnections?: number
  /** Native sockets only; without them each connection is kept. */
  readonly firstLook?: FirstLook
  /** What goes wrong after listening began: a failed handshake, no file descriptors. Never fatal to the listener. */
  onError?(error: TransportError): void
}

export interface Listener {
  readonly local: Endpoint
  /** Open streams accepted here. */
  readonly connections: number
  /**
   * Takes a connected descriptor over as if it had been accepted here, without a first look: one that another listener's `firstLook` gave
   * away. Native sockets only.
   */
  readonly adopt?: (descriptor: number) => void
  /** Stops accepting; open streams go on. The port is free when it resolves. */
  close(): Promise<void>
}

/** @throws TransportError */
export async function listen(options: ListenOptions, onConnection: (stream: ByteStream) => StreamHandlers): Promise<Listener> {
  if ((options.tls === undefined || options.tls === false) && options.sockets !== 'node') {
    const sockets = nativeSockets()
    if ('calls' in sockets) return listenNative(sockets, options, onConnection)
  }
  return await listenThroughRuntime(options, onConnection)
}

async function listenThroughRuntime(options: ListenOptions, onConnection: (stream: ByteStream) => StreamHandlers): Promise<Listener> {
  const address = options.address ?? '::'
  const port = options.port ?? 0
  const streams = new Set<Socket>()
  const accept = (socket: Socket, info?: TlsInfo): void => {
    // A peer may be gone before it is accepted: there is no address to speak of.
    if (socket.destroyed || socket.remoteAddress === undefined) {
      socket.on('error', () => {})
      socket.destroy()
      return
    }
    streams.add(socket)
    socket.once('close', () => streams.delete(socket))
    const stream = new SocketStream(socket, info, options)
    stream.attach(onConnection(stream))
  }
  let server: Server
  try {
    server =
      options.tls === undefined || options.tls === false
        ? createServer((socket) => accept(socket))
        : tlsServer(options.tls, options, (socket) => accept(socket, tlsInfo(socket)))
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
      return streams.size
    },
    close() {
      closed ??= close(server, streams.size > 0)
      return closed
    },
  }
}

function tlsServer(tls: TlsServerOptions, options: ListenOptions, accept: (socket: TLSSocket) => void): Server {
  const server = createTlsServer({
    cert: tls.cert,
    key: tls.key,
    minVersion: tls.minVersion ?? 'TLSv1.2',
    handshakeTimeout: tls.handshakeTimeout ?? 10_000,
    // RFC 9329 Appendix B.1: the server does not ask for a client certificate; IKE authenticates.
    requestCert: false,
    ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
    ...(tls.alpn === undefined ? {} : { ALPNProtocols: [...tls.alpn] }),
    ...(tls.ciphers === undefined ? {} : { ciphers: tls.ciphers }),
  })
  limitHandshakes(server)
  server.on('secureConnection', accept)
  server.on('tlsClientError', (cause, secure) => {
    secure?.on('error', () => {})
    secure?.destroy()
    options.onError?.(transportError(cause, 'handshake', secure?.remoteAddress ?? 'a peer', secure?.remotePort ?? 0))
  })
  return server
}

/** Handshakes under way at once, in all and of one address: each takes a descriptor and some hundred kilobytes, and says nothing of who asks. */
const MAX_HANDSHAKES = 1_024
const MAX_HANDSHAKES_OF_AN_ADDRESS = 64

function limitHandshakes(server: Server): void {
  const underWay = new Map<string, string>()
  const ofAddress = new Map<string, number>()
  const keyOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
  const over = (key: string): void => {
    const address = underWay.get(key)
    if (address === undefined) return
    underWay.delete(key)
    const left = (ofAddress.get(address) ?? 1) - 1
    if (left > 0) ofAddress.set(address, left)
    else ofAddress.delete(address)
  }
  server.prependListener('connection', (socket: Socket) => {
    const { remoteAddress: address } = socket
    if (address === undefined) return
    const count = ofAddress.get(address) ?? 0
    if (underWay.size >= MAX_HANDSHAKES || count >= MAX_HANDSHAKES_OF_AN_ADDRESS) {
      socket.on('error', () => {}).destroy()
      return
    }
    const key = keyOf(socket)
    underWay.set(key, address)
    ofAddress.set(address, count + 1)
    socket.once('close', () => over(key))
  })
  server.prependListener('secureConnection', (socket: Socket) => over(keyOf(socket)))
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
function close(server: Server, hasConnections: boolean): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    if (hasConnections) setTimeout(resolve, 0)
  })
}
