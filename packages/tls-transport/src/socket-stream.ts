// Room: the wire. A socket of the runtime behind the ByteStream interface.
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ByteStream, Endpoint, StreamHandlers, TlsInfo } from './byte-stream.ts'
import { nativeSockets } from './native-sockets.ts'
import type { SocketTuning } from './native-tuning.ts'
import { type TransportError, transportError } from './transport-error.ts'

export interface SocketOptions extends SocketTuning {
  /** Nagle off. Default true: a frame is written whole, waiting for more only adds delay. */
  readonly noDelay?: boolean
  /** TCP keepalive, with the idle time in milliseconds if a number. Default false. It says nothing about IKE (RFC 9329 §6.7). */
  readonly keepAlive?: boolean | number
  /** Octets queued above which `write` returns false. Default 256 KiB. */
  readonly highWaterMark?: number
  /** Octets that one read takes at most. Native sockets only. Default 256 KiB, which a core's cache has room for. */
  readonly readLength?: number
  /** 'node': the runtime's own sockets even where native ones can be had. Default 'auto'. */
  readonly sockets?: 'auto' | 'node'
  /**
   * TCP_NOTSENT_LOWAT: octets that the kernel holds unsent, beyond what is in flight. 'adaptive': no more than keeps the connection busy.
   * Native sockets only. Default: the system's, no limit.
   */
  readonly notSentLowWater?: number | 'adaptive'
}

export const DEFAULT_HIGH_WATER_MARK: number = 0x40000
export const DEFAULT_READ_LENGTH: number = 0x40000

/** Octets of a TLS record at most (RFC 8446 §5.1). */
const RECORD = 0x4000
/** Octets that may lie in a TLS socket: four records, or each write would be one. */
const TLS_HIGH_WATER_MARK = 4 * RECORD

export class SocketStream implements ByteStream {
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly tls?: TlsInfo
  readonly #socket: Socket
  readonly #highWaterMark: number
  #handlers: StreamHandlers | undefined
  #isWaitingForDrain = false
  #isOurs = false
  #error: TransportError | undefined
  /** Records of this turn of the event loop. */
  #records: Uint8Array[] = []
  #recordOctets = 0
  #isPaused = false

  constructor(socket: Socket, tls: TlsInfo | undefined, options: SocketOptions) {
    this.#socket = socket
    if (tls !== undefined) this.tls = tls
    // The addresses are gone once the socket is closed.
    this.local = { address: unmapped(socket.localAddress), port: socket.localPort ?? 0 }
    this.remote = { address: unmapped(socket.remoteAddress), port: socket.remotePort ?? 0 }
    // 'drain' comes only after the runtime's own mark was passed.
    const least = Math.max(socket.writableHighWaterMark, tls === undefined ? 0 : TLS_HIGH_WATER_MARK)
    this.#highWaterMark = Math.max(options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK, least)
    setOptions(socket, options)
  }

  /** Begins to deliver. */
  attach(handlers: StreamHandlers): void {
    this.#handlers = handlers
    const socket = this.#socket
    socket.on('data', (bytes: Uint8Array) => {
      // A Buffer's `slice` is a view where Uint8Array's is a copy: give no Buffers away.
      const view = new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength)
      if (this.tls === undefined || (this.#recordOctets === 0 && view.length > RECORD)) handlers.onData(view)
      else this.#collect(view)
    })
    socket.on('drain', () => this.#drained())
    socket.on('end', () => {
      this.#isPaused = false
      this.#deliver()
      handlers.onEnd?.()
    })
    socket.on('error', (cause) => this.#failed(cause))
    const sockets = nativeSockets()
    const gone = 'calls' in sockets ? sockets.countRuntimeStream() : () => {}
    socket.once('close', () => {
      gone()
      this.#isPaused = false
      this.#deliver()
      if (this.#error === undefined) handlers.onClose?.()
      else handlers.onClose?.(this.#error)
    })
  }

  get room(): number {
    return Math.max(0, this.#highWaterMark - this.queued)
  }

  get queued(): number {
    return this.#socket.writableLength
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket
    if (!socket.writable) return false
    // A copy: the runtime keeps what it cannot send at once, and the octets are lent for the call.
    socket.write(bytes.slice())
    if (socket.writableLength <= this.#highWaterMark) return true
    this.#isWaitingForDrain = true
    return false
  }

  end(): void {
    if (this.#socket.writable) this.#socket.end()
  }

  reset(): void {
    if (this.#socket.destroyed) return
    this.#isOurs = true
    this.#records = []
    this.#recordOctets = 0
    try {
      this.#socket.resetAndDestroy()
    } catch {
      // Node has no RST for TLS: it refuses here, and resetting the TCP socket underneath can crash the process.
    }
    this.#socket.destroy()
  }

  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#deliver()
    // Who was given them may have had enough.
    if (!this.#isPaused) this.#socket.resume()
  }

  /** Node hands each record over by itself, and a batch of packets that is a record's is a short one. */
  #collect(record: Uint8Array): void {
    if (this.#recordOctets === 0) setImmediate(this.#deliver)
    this.#records.push(record)
    this.#recordOctets += record.length
    if (this.#recordOctets >= DEFAULT_READ_LENGTH) this.#deliver()
  }

  readonly #deliver = (): void => {
    if (this.#recordOctets === 0 || this.#isPaused) return
    const bytes = this.#records.length === 1 ? (this.#records[0] as Uint8Array) : joined(this.#records, this.#recordOctets)
    this.#records = []
    this.#recordOctets = 0
    this.#handlers?.onData(bytes)
  }

  #drained(): void {
    if (!this.#isWaitingForDrain) return
    this.#isWaitingForDrain = false
    this.#handlers?.onDrain?.()
  }

  #failed(cause: Error): void {
    if (this.#isOurs) return
    this.#error ??= transportError(cause, 'stream', this.remote.address, this.remote.port)
  }
}

export function tlsInfo(socket: TLSSocket): TlsInfo {
  const alpn = typeof socket.alpnProtocol === 'string' && socket.alpnProtocol !== '' ? socket.alpnProtocol : undefined
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher()?.name ?? 'unknown',
    ...(alpn === undefined ? {} : { alpn }),
    isAuthorized: socket.authorized,
    isResumed: socket.isSessionReused?.() ?? false,
  }
}

function joined(chunks: readonly Uint8Array[], octets: number): Uint8Array {
  const all = new Uint8Array(octets)
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

function setOptions(socket: Socket, options: SocketOptions): void {
  socket.setNoDelay(options.noDelay ?? true)
  if (options.keepAlive === undefined || options.keepAlive === false) return
  socket.setKeepAlive(true, options.keepAlive === true ? 0 : options.keepAlive)
}

/** A dual-stack listener sees IPv4 peers as ::ffff:a.b.c.d; NAT_DETECTION hashes the address that is on the wire. */
export function unmapped(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '')
}
