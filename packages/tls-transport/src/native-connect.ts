// Room: the wire. A connection that a descriptor makes.
import type { Watch } from '@underpass/native'
import type { ByteStream, StreamHandlers } from './byte-stream.ts'
import type { ConnectOptions } from './connect.ts'
import { errnoError, type NativeSockets, systemError } from './native-sockets.ts'
import { NativeStream } from './native-stream.ts'
import { setOptions } from './native-tuning.ts'
import { TransportError, transportError } from './transport-error.ts'

/** `options.host` is an IP literal, and there is no TLS. @throws TransportError */
export function connectNative(sockets: NativeSockets, options: ConnectOptions, handlers: StreamHandlers): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const { host, port, signal } = options
    const { calls, reactor } = sockets
    let fd: number | undefined
    let watch: Watch | undefined
    let timer: ReturnType<typeof setTimeout> | undefined

    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      watch?.close()
    }
    const fail = (cause: unknown): void => {
      settle()
      if (fd !== undefined) sockets.close(fd)
      reject(transportError(systemError(cause), 'connect', host, port))
    }
    const onAbort = (): void => fail(new TransportError('ABORTED', `the attempt to reach ${host}:${port} was given up`, { host, port }))
    const onReady = (descriptor: number): void => {
      let stream: NativeStream
      try {
        const errno = calls.takeError(descriptor)
        if (errno !== 0) throw errnoError(sockets, errno)
        stream = new NativeStream(sockets, descriptor, options)
      } catch (cause) {
        // Not connected yet: the event was for a descriptor that had the number before.
        if (systemError(cause).code !== 'ENOTCONN') fail(cause)
        return
      }
      settle()
      // The descriptor is the stream's from here on.
      stream.attach(handlers)
      resolve(stream)
    }

    if (signal?.aborted === true) {
      onAbort()
      return
    }
    try {
      if (!Number.isInteger(port) || port < 1 || port > 65_535) throw badPort(port)
      const { localAddress: local, flowLabel } = options
      const descriptor = calls.connect({ address: host, port }, { local, flowLabel, prepare: (made) => setOptions(sockets, made, options) })
      fd = descriptor
      watch = reactor.watch(descriptor, sockets.pollEvent.POLLOUT, () => onReady(descriptor))
    } catch (cause) {
      fail(cause)
      return
    }
    signal?.addEventListener('abort', onAbort)
    if (options.timeout !== undefined) {
      const text = `no connection with ${host}:${port} within ${options.timeout} ms`
      timer = setTimeout(() => fail(new TransportError('TIMED_OUT', text, { host, port })), options.timeout)
    }
  })
}

/** As node:net has it. */
export function badPort(port: number): Error {
  return Object.assign(new Error(`${port} is no port`), { code: 'ERR_SOCKET_BAD_PORT' })
}
