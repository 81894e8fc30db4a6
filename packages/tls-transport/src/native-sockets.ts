// TCP through @underpass/native, where it can be loaded: no object per chunk, one buffer to read into, a send that is done when it
// returns, and the socket options that node:net has no calls for.
import type { Errno, PollEvent, Reactor, TcpCalls, TcpOption } from '@underpass/native'

export interface NativeSockets {
  readonly calls: TcpCalls
  readonly reactor: Reactor
  readonly tcpOption: typeof TcpOption
  readonly pollEvent: typeof PollEvent
  readonly errno: typeof Errno
  /** A socket of the runtime's carries packets beside them, until what is returned is called. */
  countRuntimeStream(): () => void
  close(fd: number): void
  nameOf(errno: number): string
}

// An optional dependency: where it is not installed, node:net serves.
const native = await import('@underpass/native').catch((cause: unknown) => ({ cause }))

let loaded: NativeSockets | { readonly reason: string } | undefined

/** `reason` says why there are none. */
export function nativeSockets(): NativeSockets | { readonly reason: string } {
  loaded ??= load()
  return loaded
}

/** Which sockets plain TCP runs on here, and why not on native ones. */
export function tcpSockets(): { readonly kind: 'native' } | { readonly kind: 'node'; readonly reason: string } {
  const sockets = nativeSockets()
  return 'reason' in sockets ? { kind: 'node', reason: sockets.reason } : { kind: 'native' }
}

function load(): NativeSockets | { readonly reason: string } {
  if (!('loadTcpCalls' in native)) return { reason: '@underpass/native is not installed' }
  try {
    const libc = native.loadLibc()
    return {
      calls: native.loadTcpCalls(),
      reactor: native.sharedReactor(),
      tcpOption: native.TcpOption,
      pollEvent: native.PollEvent,
      errno: native.Errno,
      countRuntimeStream: native.countRuntimeStream,
      close: (fd) => libc.close(fd),
      nameOf: (errno) => libc.errnoName(errno),
    }
  } catch (cause) {
    return { reason: cause instanceof Error ? cause.message : String(cause) }
  }
}

/** An errno as node:net would report it. */
export function errnoError(sockets: NativeSockets, errno: number): Error {
  const code = sockets.nameOf(errno)
  return Object.assign(new Error(code), { code })
}

/** An error of @underpass/native under the code that the system gave it, as node:net would report it. */
export function systemError(cause: unknown): Error & { readonly code?: string } {
  if (!('NativeError' in native) || !(cause instanceof native.NativeError)) return cause instanceof Error ? cause : new Error(String(cause))
  const code = cause.code === 'ARGUMENT' ? 'ERR_INVALID_IP_ADDRESS' : (cause.context.errno ?? cause.code)
  return Object.assign(new Error(cause.message), { code })
}
