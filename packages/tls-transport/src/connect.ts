import { isIP, type Socket, type TcpNetConnectOpts, connect as tcpConnect } from 'node:net'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import type { ByteStream, StreamHandlers } from './byte-stream.ts'
import { connectNative } from './native-connect.ts'
import { nativeSockets } from './native-sockets.ts'
import { type SocketOptions, SocketStream, tlsInfo } from './socket-stream.ts'
import { TransportError, type TransportPhase, transportError } from './transport-error.ts'

/** RFC 9329 Appendix A. TLS only gets the stream through; it authenticates nobody to IKE. */
export interface TlsClientOptions {
  /** SNI, and the name the certificate is checked against. Default: `host` if it is a name. */
  readonly servername?: string
  /** PEM. Default: the runtime's CAs. */
  readonly ca?: string | readonly string[]
  /** PEM of a client certificate, for a proxy in front that asks for one. */
  readonly cert?: string
  readonly key?: string
  readonly alpn?: readonly string[]
  /** Default true. With false any certificate will do; IKE authenticates the gateway. */
  readonly rejectUnauthorized?: boolean
  /** Default 'TLSv1.2' (RFC 9325 §3.1.1). */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** OpenSSL cipher string. Bun and Deno take only part of it. */
  readonly ciphers?: string
  /** A session that `onSession` gave before, to resume (RFC 9329 Appendix B.3). Deno ignores it. */
  readonly session?: Uint8Array
  onSession?(session: Uint8Array): void
}

export interface ConnectOptions extends SocketOptions {
  /** Name or IP literal. Of a name's addresses the first that answers is taken. */
  readonly host: string
  readonly port: number
  readonly localAddress?: string
  /** Milliseconds until the stream, TLS included, has to be open. Default: the system's. */
  readonly timeout?: number
  /** Gives up the attempt; an open stream is not touched. */
  readonly signal?: AbortSignal
  readonly tls?: TlsClientOptions | false
}

/** @throws TransportError */
export function connect(options: ConnectOptions, handlers: StreamHandlers): Promise<ByteStream> {
  const isPlain = options.tls === undefined || options.tls === false
  // Names, with their several addresses, are for the runtime's resolver.
  if (isPlain && isIP(options.host) !== 0 && options.sockets !== 'node') {
    const sockets = nativeSockets()
    if ('calls' in sockets) return connectNative(sockets, options, handlers)
  }
  return connectThroughRuntime(options, handlers)
}

function connectThroughRuntime(options: ConnectOptions, handlers: StreamHandlers): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const { host, port, signal, tls } = options
    let phase: TransportPhase = 'connect'
    let timer: ReturnType<typeof setTimeout> | undefined
    let tcp: Socket | undefined
    let socket: Socket | undefined

    const fail = (cause: unknown): void => {
      settle()
      for (const each of [socket, tcp]) {
        // Errors of a connection that is given up are nobody's.
        each?.on('error', () => {})
        each?.destroy()
      }
      reject(transportError(cause, phase, host, port))
    }
    const onAbort = (): void => fail(new TransportError('ABORTED', `the attempt to reach ${host}:${port} was given up`, { host, port }))
    const onClose = (): void => fail(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }))
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      for (const each of [socket, tcp]) each?.off('error', fail).off('close', onClose)
    }
    const succeed = (open: Socket, info?: ReturnType<typeof tlsInfo>): void => {
      settle()
      // TLS reports what happens below it.
      if (open !== tcp) tcp?.on('error', () => {})
      const stream = new SocketStream(open, info, options)
      stream.attach(handlers)
      resolve(stream)
    }
    const secure = (plain: Socket, clientOptions: TlsClientOptions): void => {
      phase = 'handshake'
      const over = startTls(plain, host, clientOptions)
      socket = over.once('error', fail).once('close', onClose)
      over.once('secureConnect', () => succeed(over, tlsInfo(over)))
    }

    if (signal?.aborted === true) {
      onAbort()
      return
    }
    signal?.addEventListener('abort', onAbort)
    if (options.timeout !== undefined) {
      const text = `no connection with ${host}:${port} within ${options.timeout} ms`
      timer = setTimeout(() => fail(new TransportError('TIMED_OUT', text, { host, port })), options.timeout)
    }
    try {
      tcp = tcpConnect(tcpOptions(options)).once('error', fail).once('close', onClose)
      tcp.once('connect', () => {
        try {
          if (tls === undefined || tls === false) succeed(tcp as Socket)
          else secure(tcp as Socket, tls)
        } catch (cause) {
          phase = 'connect'
          fail(cause)
        }
      })
    } catch (cause) {
      fail(cause)
    }
  })
}

function tcpOptions(options: ConnectOptions): TcpNetConnectOpts {
  return {
    host: options.host,
    port: options.port,
    noDelay: options.noDelay ?? true,
    ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
  }
}

function startTls(tcp: Socket, host: string, tls: TlsClientOptions): TLSSocket {
  const servername = tls.servername ?? (isIP(host) === 0 ? host : undefined)
  const socket = tlsConnect({
    socket: tcp,
    host,
    rejectUnauthorized: tls.rejectUnauthorized ?? true,
    minVersion: tls.minVersion ?? 'TLSv1.2',
    ...(servername === undefined ? {} : { servername }),
    ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
    ...(tls.ca === undefined ? {} : { ca: typeof tls.ca === 'string' ? tls.ca : [...tls.ca] }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.alpn === undefined ? {} : { ALPNProtocols: [...tls.alpn] }),
    ...(tls.ciphers === undefined ? {} : { ciphers: tls.ciphers }),
    ...(tls.session === undefined ? {} : { session: Buffer.from(tls.session) }),
  })
  if (tls.onSession !== undefined) socket.on('session', (session) => tls.onSession?.(new Uint8Array(session)))
  return socket
}
