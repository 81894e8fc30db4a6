// Room: the wire. A connection that a descriptor makes.
import type { ByteStream, StreamHandlers } from './byte-stream.ts'
import type { ConnectOptions } from './connect.ts'
import type { NativeSockets } from './native-sockets.ts'
import { NativeStream, systemError } from './native-stream.ts'
import { TransportError, transportError } from './transport-error.ts'

const POLLOUT = 4

/** `options.host` is an IP literal, and there is no TLS. @throws TransportError */
export function connectNative(sockets: NativeSockets, options: ConnectOptions, handlers: StreamHandlers): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const { host, port, signal } = options
    const { calls, reactor } = sockets
    let timer: ReturnType<typeof setTimeout> | undefined
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    const refuse = (cause: unknown): void => {
      settle()
      reject(transportError(systemError(cause), 'connect', host, port))
    }
    const onAbort = (): void => giveUp(new TransportError('ABORTED', `the attempt to reach ${host}:${port} was given up`, { host, port }))
    let giveUp = refuse
    if (signal?.aborted === true) return onAbort()

    let fd: number
    try {
      if (!Number.isInteger(port) || port < 1 || port > 65_535)
        throw Object.assign(new Error(`port ${port}`), { code: 'ERR_SOCKET_BAD_PORT' })
      fd = calls.connect({ address: host, port }, options.localAddress)
    } catch (cause) {
      return refuse(cause)
    }
    const watch = reactor.watch(fd, POLLOUT, () => {
      const errno = calls.takeError(fd)
      if (errno !== 0) return giveUp(errnoError(sockets, errno))
      let stream: NativeStream
      try {
        stream = new NativeStream(sockets, fd, options)
      } catch (cause) {
        // Not connected after all: the event was for a descriptor that had the number before.
        if (systemError(cause).code === 'ENOTCONN') return
        return giveUp(cause)
      }
      settle()
      watch.close()
      stream.attach(handlers)
      resolve(stream)
    })
    giveUp = (cause) => {
      watch.close()
      sockets.close(fd)
      refuse(cause)
    }
    signal?.addEventListener('abort', onAbort)
    if (options.timeout !== undefined) {
      const text = `no connection with ${host}:${port} within ${options.timeout} ms`
      timer = setTimeout(() => giveUp(new TransportError('TIMED_OUT', text, { host, port })), options.timeout)
    }
  })
}

function errnoError(sockets: NativeSockets, errno: number): Error {
  const code = sockets.nameOf(errno)
  return Object.assign(new Error(code), { code })
}
