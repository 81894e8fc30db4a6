// A plain stream through a proxy, over whatever sockets a plain stream has.
import type { ByteStream, StreamHandlers } from './byte-stream.ts'
import type { ConnectOptions } from './connect.ts'
import { dialogueWith, MAX_CONNECTIONS } from './proxy/begin.ts'
import { asksWithoutEnd } from './proxy/dialogue.ts'
import type { ProxyServer } from './proxy/proxy.ts'
import { Relay } from './proxy/relay.ts'
import { TransportError } from './transport-error.ts'

type Connect = (options: ConnectOptions, handlers: StreamHandlers) => Promise<ByteStream>

/** `connect` opens the streams to the proxy. @throws TransportError */
export async function connectThroughProxy(
  connect: Connect,
  options: ConnectOptions,
  via: ProxyServer,
  handlers: StreamHandlers,
): Promise<ByteStream> {
  const { host, port, timeout, signal, via: _via, ...rest } = options
  const attempt = new AbortController()
  const give = (error: Error): void => attempt.abort(error)
  const onAbort = (): void => give(new TransportError('ABORTED', `the attempt to reach ${host}:${port} was given up`, { host, port }))
  const late = (): void => give(new TransportError('TIMED_OUT', `no connection with ${host}:${port} within ${timeout} ms`, { host, port }))
  const timer = timeout === undefined ? undefined : setTimeout(late, timeout)
  if (signal?.aborted === true) onAbort()
  signal?.addEventListener('abort', onAbort)
  try {
    const dialogue = dialogueWith(via, { host, port })
    for (let connections = 1; ; connections++) {
      attempt.signal.throwIfAborted()
      const relay = new Relay(via, dialogue, handlers)
      const stream = await connect({ ...rest, host: via.host, port: via.port, signal: attempt.signal }, relay)
      const outcome = await Promise.race([relay.converse(stream), aborted(attempt.signal)]).catch((error: unknown) => {
        stream.reset()
        throw error
      })
      if (outcome === 'open') return stream
      stream.reset()
      if (connections === MAX_CONNECTIONS) throw asksWithoutEnd(via)
    }
  } catch (error) {
    throw attempt.signal.aborted ? attempt.signal.reason : error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
