// Room: the wire. A listening descriptor.
import type { ByteStream, StreamHandlers } from './byte-stream.ts'
import type { Listener, ListenOptions } from './listen.ts'
import type { NativeSockets } from './native-sockets.ts'
import { NativeStream, systemError } from './native-stream.ts'
import { transportError } from './transport-error.ts'

const POLLIN = 1
const EAGAIN = 11
/** Connections taken in one turn of the event loop. */
const BUDGET = 64
/** Milliseconds without accepting after the descriptors ran out: the event would come back at once, and in vain. */
const REST = 100
/** errno values of accept(2) that are about the connection that was to be accepted, and not about the listener. */
const OF_THE_CONNECTION = new Set(['ECONNABORTED', 'EPROTO', 'EINTR', 'EPERM', 'ETIMEDOUT', 'ENETDOWN', 'ENETUNREACH', 'EHOSTUNREACH'])

/** There is no TLS. @throws TransportError */
export function listenNative(
  sockets: NativeSockets,
  options: ListenOptions,
  onConnection: (stream: ByteStream) => StreamHandlers,
): Listener {
  const { calls, reactor } = sockets
  const address = options.address ?? '::'
  const port = options.port ?? 0
  let fd: number
  try {
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw Object.assign(new Error(`port ${port}`), { code: 'ERR_SOCKET_BAD_PORT' })
    fd = calls.listen({ address, port, backlog: options.backlog ?? 511, reusePort: options.reusePort ?? false })
  } catch (cause) {
    throw transportError(systemError(cause), 'listen', address, port)
  }
  const local = calls.localAddress(fd)
  let connections = 0
  let isClosed = false

  const accept = (descriptor: number): void => {
    let stream: NativeStream
    try {
      if (options.maxConnections !== undefined && connections >= options.maxConnections) {
        sockets.close(descriptor)
        return
      }
      stream = new NativeStream(sockets, descriptor, options)
    } catch {
      // Gone before it was accepted: there is no address to speak of.
      sockets.close(descriptor)
      return
    }
    connections++
    stream.onGone = () => connections--
    stream.attach(onConnection(stream))
  }
  const watch = reactor.watch(fd, POLLIN, () => {
    for (let i = 0; i < BUDGET && !isClosed; i++) {
      const descriptor = calls.accept(fd)
      if (descriptor === -EAGAIN) return
      if (descriptor >= 0) {
        accept(descriptor)
        continue
      }
      const code = sockets.nameOf(-descriptor)
      if (OF_THE_CONNECTION.has(code)) continue
      options.onError?.(transportError(Object.assign(new Error(code), { code }), 'listen', local.address, local.port))
      watch.want(0)
      setTimeout(() => watch.want(POLLIN), REST).unref()
      return
    }
  })
  return {
    local,
    get connections() {
      return connections
    },
    close() {
      if (!isClosed) {
        isClosed = true
        watch.close()
        sockets.close(fd)
      }
      return Promise.resolve()
    },
  }
}
