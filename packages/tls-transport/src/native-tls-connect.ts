// Room: the wire. TLS by libssl around a stream of ours to somebody, whatever way that goes.
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { setTimeout } from 'node:timers'
import type { TlsSession } from '@underpass/native'
import { authorityOf } from './authority.ts'
import type { ByteStream, StreamHandlers } from './byte-stream.ts'
import { pinOf, pinProblem } from './certificate.ts'
import type { ConnectOptions, TlsClientOptions } from './connect.ts'
import { defaultRoots, type NativeTls, tlsError } from './native-tls.ts'
import { nativeClientParameters } from './tls-parameters.ts'
import { TlsStream } from './tls-stream.ts'
import { TransportError, transportError } from './transport-error.ts'

type Connect = (options: ConnectOptions, handlers: StreamHandlers) => Promise<ByteStream>

/** `connect` opens the stream that TLS is to be around. @throws TransportError */
export function connectNativeTls(
  native: NativeTls,
  connect: Connect,
  options: ConnectOptions,
  tls: TlsClientOptions,
  handlers: StreamHandlers,
): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const { host, port, timeout, signal, ...rest } = options
    const attempt = new AbortController()
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    const fail = (cause: unknown): void => {
      settle()
      reject(
        cause instanceof TransportError
          ? cause
          : (problemOf(session, tls, options) ?? transportError(tlsError(cause), 'handshake', host, port)),
      )
    }
    const giveUp = (error: TransportError): void => {
      attempt.abort(error)
      stream?.giveUp()
      fail(error)
    }
    const onAbort = (): void => giveUp(new TransportError('ABORTED', `the attempt to reach ${host}:${port} was given up`, { host, port }))
    let session: TlsSession | undefined
    let stream: TlsStream | undefined
    let timer: ReturnType<typeof setTimeout> | undefined

    if (signal?.aborted === true) return onAbort()
    try {
      session = clientSession(native, host, tls)
    } catch (cause) {
      reject(transportError(tlsError(cause), 'connect', host, port))
      return
    }
    const open = session
    const tellTicket = (): void => {
      const ticket = tls.onSession && open.takeTicket()
      if (ticket !== undefined) tls.onSession?.(ticket)
    }
    const secure = new TlsStream(native, open, 'client', {
      opened: (opened) => {
        const problem = refusal(open, opened, options, tls)
        if (problem !== undefined) return problem
        settle()
        resolve(opened)
        // Of a connection that was not taken a session is worth nothing, and would pass for one that was.
        tellTicket()
        return handlers
      },
      failed: fail,
      read: tellTicket,
    })
    stream = secure
    signal?.addEventListener('abort', onAbort)
    if (timeout !== undefined) {
      const text = `no connection with ${host}:${port} within ${timeout} ms`
      timer = setTimeout(() => giveUp(new TransportError('TIMED_OUT', text, { host, port })), timeout)
    }
    connect({ ...rest, host, port, tls: false, signal: attempt.signal }, secure.below).then(
      (below) => secure.begin(below),
      (cause: unknown) => {
        secure.giveUp()
        fail(cause)
      },
    )
  })
}

/** @throws Error where the certificates or ciphers are not taken */
function clientSession({ libssl }: NativeTls, host: string, tls: TlsClientOptions): TlsSession {
  const { ca, cert, key, alpn, servername = isIP(host) === 0 ? host : undefined, session } = tls
  const isVerifying = isVerified(tls)
  const roots = ca === undefined ? (isVerifying ? defaultRoots() : []) : typeof ca === 'string' ? [ca] : ca
  const context = libssl.createContext({ ...nativeClientParameters(tls), role: 'client', roots, isVerifying, cert, key, alpn })
  const name = servername ?? host
  const created = context.createSession({ servername, host: name, isAddress: isIP(name) !== 0, resume: session })
  context.free()
  return created
}

function isVerified({ rejectUnauthorized, pins }: TlsClientOptions): boolean {
  return rejectUnauthorized ?? pins === undefined
}

/** Why a handshake that failed is the certificate's fault. */
function problemOf(session: TlsSession | undefined, tls: TlsClientOptions, { host, port }: ConnectOptions): TransportError | undefined {
  const problem = isVerified(tls) ? session?.problem() : undefined
  if (problem === undefined) return undefined
  return new TransportError('CERTIFICATE_INVALID', `no TLS with ${authorityOf({ host, port })}: ${problem}`, { host, port })
}

function refusal(
  session: TlsSession,
  { tls: info }: ByteStream,
  to: ConnectOptions,
  { pins }: TlsClientOptions,
): TransportError | undefined {
  if (pins === undefined) return undefined
  const shown = session.peerCertificate()
  return pinProblem(shown && pinOf(new X509Certificate(shown)), info?.isResumed === true, pins, to)
}
