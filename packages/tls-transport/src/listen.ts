import type { ByteStream, Endpoint, StreamHandlers } from './byte-stream.ts'
import type { CertificatePair } from './certificate.ts'
import type { FirstLook } from './first-look.ts'
import type { FrontOptions } from './front.ts'
import { listenThroughRuntime } from './front-listen.ts'
import { listenNativeFront } from './native-front.ts'
import { listenNative } from './native-listen.ts'
import { nativeSockets } from './native-sockets.ts'
import { nativeTls } from './native-tls.ts'
import type { Origin } from './proxy-protocol.ts'
import type { SocketOptions } from './socket-stream.ts'
import type { TlsServerOptions } from './tls-acceptor.ts'
import type { TransportError } from './transport-error.ts'

export interface ListenOptions extends SocketOptions, FrontOptions {
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
  /** Of plain streams. Native sockets only; without them each connection is kept. */
  readonly firstLook?: FirstLook
  /** What goes wrong after listening began: a failed handshake, no PROXY header, no file descriptors. Never fatal to the listener. */
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
  readonly adopt?: (descriptor: number, origin?: Origin) => void
  /**
   * For handshakes from now on; open streams keep what they began with. Where there is TLS only.
   *
   * @throws TransportError BAD_OPTION and changes nothing where it is none, or the key is of another
   */
  readonly replaceCertificate?: (pair: CertificatePair) => void
  /** Stops accepting; open streams go on. The port is free when it resolves. */
  close(): Promise<void>
}

/** @throws TransportError */
export async function listen(options: ListenOptions, onConnection: (stream: ByteStream) => StreamHandlers): Promise<Listener> {
  const { tls = false, sockets, alsoPlain = false, expectsProxyHeader, reusePort = false } = options
  if (sockets !== 'node') {
    const native = nativeSockets()
    if ('calls' in native) {
      if (tls === false && expectsProxyHeader === undefined) return listenNative(native, options, onConnection)
      // Where every octet is the runtime's TLS's, and nobody shares the port, accepting is all that there is to do: the runtime's sockets do it.
      if (tls === false || alsoPlain || reusePort || expectsProxyHeader !== undefined || 'libssl' in nativeTls())
        return listenNativeFront(native, options, onConnection)
    }
  }
  return await listenThroughRuntime(options, onConnection)
}
