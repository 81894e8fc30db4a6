import { isIP, type Socket, type TcpNetConnectOpts, connect as tcpConnect } from 'node:net'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import type { ByteStream, StreamHandlers } from './byte-stream.ts'
import { pinOfPeer, pinProblem } from './certificate.ts'
import { connectNative } from './native-connect.ts'
import { nativeSockets } from './native-sockets.ts'
import { nativeTls } from './native-tls.ts'
import { connectNativeTls } from './native-tls-connect.ts'
import { tuneRuntimeSocket } from './native-tuning.ts'
import { dialogueWith, MAX_CONNECTIONS } from './proxy/begin.ts'
import { asksWithoutEnd, type ProxyDialogue } from './proxy/dialogue.ts'
import { describeProxy, type ProxyServer } from './proxy/proxy.ts'
import { type SocketOptions, SocketStream, tlsInfo } from './socket-stream.ts'
import { connectThroughProxy } from './through-proxy.ts'
import { clientParameters, type TlsParameters } from './tls-parameters.ts'
import { TransportError, type TransportPhase, transportError } from './transport-error.ts'

/** RFC 9329 Appendix A. TLS only gets the stream through; it authenticates nobody to IKE. */
export interface TlsClientOptions extends TlsParameters {
  /** SNI, and the name the certificate is checked against. Default: `host` if it is a name. */
  readonly servername?: string
  /** PEM. Default: the runtime's CAs. */
  readonly ca?: string | readonly string[]
  /** PEM of a client certificate, for a proxy in front that asks for one. */
  readonly cert?: string
  readonly key?: string
  readonly alpn?: readonly string[]
  /** Whether a CA must have signed the certificate. Default true, false beside `pins`. With neither any will do; IKE authenticates the gateway. */
  readonly rejectUnauthorized?: boolean
  /** The certificate's key must be one of these: 'sha256/' and base64 of the SHA-256 of its SubjectPublicKeyInfo (RFC 7469 §2.4). */
  readonly pins?: readonly string[]
  /**
   * A session that `onSession` gave before, to resume (RFC 9329 Appendix B.3). What its connection was checked by then is not checked again
   * by every runtime: give it back only beside the same `ca`, `pins` and name. Deno's own TLS ignores it.
   */
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
  /** Connects to the proxy, which connects to `host` (RFC 9329 Appendix A) and resolves it where it is a name. */
  readonly via?: ProxyServer
}

/** @throws TransportError */
export function connect(options: ConnectOptions, handlers: StreamHandlers): Promise<ByteStream> {
  const isPlain = (options.tls === undefined || options.tls === false) && options.via?.protocol !== 'https'
  if (isPlain && options.via !== undefined) return connectThroughProxy(connect, options, options.via, handlers)
  // Names, with their several addresses, are for the runtime's resolver.
  if (isPlain && isIP(options.host) !== 0 && options.sockets !== 'node') {
    const sockets = nativeSockets()
    if ('calls' in sockets) return connectNative(sockets, options, handlers)
  }
  const { tls = false, via } = options
  if (tls !== false && via?.protocol !== 'https' && isIP((via ?? options).host) !== 0 && options.sockets !== 'node') {
    const native = nativeTls()
    if ('libssl' in native) return connectNativeTls(native, connect, options, tls, handlers)
  }
  return connectThroughRuntime(options, handlers)
}

function connectThroughRuntime(options: ConnectOptions, handlers: StreamHandlers): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const { host, port, signal, tls, via } = options
    const dialogue = via && dialogueWith(via, { host, port })
    let phase: TransportPhase = 'connect'
    /** Whom it is with. */
    let at = placeOf(via ?? options)
    let timer: ReturnType<typeof setTimeout> | undefined
    let connections = 0
    /** TCP first, then what is around it. */
    let sockets: Socket[] = []

    const fail = (cause: unknown): void => {
      settle()
      drop()
      reject(transportError(cause, phase, at.host, at.port))
    }
    /** Errors of a connection that is given up are nobody's. */
    const drop = (): void => {
      for (const each of sockets.reverse())
        each
          .off('error', fail)
          .off('close', onClose)
          .on('error', () => {})
          .destroy()
      sockets = []
    }
    const onAbort = (): void => fail(new TransportError('ABORTED', `the attempt to reach ${host}:${port} was given up`, { host, port }))
    const onClose = (): void =>
      fail(
        via === undefined || phase === 'handshake'
          ? Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })
          : new TransportError('PROXY_REFUSED', `the proxy ${describeProxy(via)} closed the connection without a word`, at),
      )
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      for (const each of sockets) each.off('error', fail).off('close', onClose)
    }
    const watched = <S extends Socket>(socket: S): S => {
      sockets.push(socket)
      return socket.once('error', fail).once('close', onClose)
    }
    /** What is done when an event comes may throw, and is the attempt's failure then. */
    const then = (next: () => void) => (): void => {
      try {
        next()
      } catch (cause) {
        phase = 'connect'
        fail(cause)
      }
    }
    const succeed = (open: Socket, info?: ReturnType<typeof tlsInfo>): void => {
      settle()
      // TLS reports what happens below it.
      for (const each of sockets) if (each !== open) each.on('error', () => {})
      const stream = new SocketStream(open, info, options)
      stream.attach(handlers)
      resolve(stream)
    }
    const secure = (below: Socket, whom: typeof at, clientOptions: TlsClientOptions, next: (over: TLSSocket) => void): void => {
      phase = 'handshake'
      at = placeOf(whom)
      const sessions = heldSessions(clientOptions.onSession)
      const over = watched(startTls(below, whom.host, { ...clientOptions, ...(clientOptions.onSession && { onSession: sessions.take }) }))
      over.once(
        'secureConnect',
        then(() => {
          const { pins } = clientOptions
          const problem = pins && pinProblem(pinOfPeer(over), over.isSessionReused(), pins, whom)
          if (problem !== undefined) return fail(problem)
          sessions.release()
          next(over)
        }),
      )
    }
    const reached = (open: Socket): void => {
      if (tls === undefined || tls === false) succeed(open)
      else secure(open, options, tls, (over) => succeed(over, tlsInfo(over)))
    }
    const ask = (proxy: Socket, whom: ProxyDialogue): void => {
      phase = 'connect'
      converse(proxy, whom, fail, (outcome) => {
        if (outcome === 'open') return reached(proxy)
        drop()
        if (connections < MAX_CONNECTIONS) dial()
        else fail(asksWithoutEnd(via as ProxyServer))
      })
    }
    const dial = (): void => {
      connections++
      const tcp = watched(tcpConnect(tcpOptions(options, via ?? options)))
      tcp.once(
        'connect',
        then(() => {
          tuneRuntimeSocket(tcp, options)
          if (via === undefined || dialogue === undefined) reached(tcp)
          else if (via.protocol === 'https') secure(tcp, via, {}, (over) => ask(over, dialogue))
          else ask(tcp, dialogue)
        }),
      )
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
    then(dial)()
  })
}

/** The socket is left without listeners of ours, and with the target's octets, if it has said something already. */
function converse(
  socket: Socket,
  dialogue: ProxyDialogue,
  fail: (cause: unknown) => void,
  over: (outcome: 'open' | 'reconnect') => void,
): void {
  const onData = (bytes: Uint8Array): void => {
    try {
      const step = dialogue.receive(bytes)
      if (step.kind === 'wait') return
      if (step.kind === 'send') {
        socket.write(step.bytes)
        return
      }
      socket.off('data', onData).pause()
      if (step.kind === 'open' && step.rest.length > 0) socket.unshift(Buffer.from(step.rest))
      over(step.kind)
    } catch (cause) {
      fail(cause)
    }
  }
  socket.on('data', onData).resume()
  socket.write(dialogue.begin())
}

/** Of a proxy without its credentials: it goes into errors. */
function placeOf({ host, port }: { readonly host: string; readonly port: number }): { readonly host: string; readonly port: number } {
  return { host, port }
}

function tcpOptions(options: ConnectOptions, to: { readonly host: string; readonly port: number }): TcpNetConnectOpts {
  return {
    host: to.host,
    port: to.port,
    noDelay: options.noDelay ?? true,
    ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
  }
}

/** Of a connection that was not taken a session is worth nothing, and would pass for one that was. */
function heldSessions(onSession: TlsClientOptions['onSession']): { take(session: Uint8Array): void; release(): void } {
  let held: Uint8Array[] | undefined = []
  return {
    take(session) {
      if (held === undefined) onSession?.(session)
      else held.push(session)
    },
    release() {
      for (const session of held ?? []) onSession?.(session)
      held = undefined
    },
  }
}

function startTls(tcp: Socket, host: string, tls: TlsClientOptions): TLSSocket {
  const servername = tls.servername ?? (isIP(host) === 0 ? host : undefined)
  const socket = tlsConnect({
    socket: tcp,
    host,
    rejectUnauthorized: tls.rejectUnauthorized ?? tls.pins === undefined,
    ...clientParameters(tls),
    ...(servername === undefined ? {} : { servername }),
    ...(tls.ca === undefined ? {} : { ca: typeof tls.ca === 'string' ? tls.ca : [...tls.ca] }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.alpn === undefined ? {} : { ALPNProtocols: [...tls.alpn] }),
    ...(tls.session === undefined ? {} : { session: Buffer.from(tls.session) }),
  })
  if (tls.onSession !== undefined) socket.on('session', (session) => tls.onSession?.(new Uint8Array(session)))
  return socket
}
