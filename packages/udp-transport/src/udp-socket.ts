// Room: the wire. One socket is one local port; the owner opens 500 and 4500.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIP } from 'node:net'
import { classifyDatagram, type Datagram, isIkeOnly, NAT_KEEPALIVE, NON_ESP_MARKER } from './datagram.ts'
import type { Endpoint, PacketBatch } from './endpoint.ts'
import { localAddressToward } from './local-address.ts'
import { OrderedSender } from './ordered-sender.ts'
import { MAX_DATAGRAM, SendBuffers } from './send-buffers.ts'
import { bindError, sendError, UdpError } from './udp-error.ts'

export interface UdpOptions {
  /** IP literal to bind; default all addresses of the family. */
  readonly address?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** Default: the family of `address`, else 4. A socket for IPv6 carries no IPv4, so both can share a port. */
  readonly family?: 4 | 6
  /** SO_RCVBUF in octets, as far as the system grants it. */
  readonly receiveBuffer?: number
  /** Octets that may wait for the kernel; beyond that ESP is dropped and counted, IKE never. Default 4 MiB. */
  readonly sendLimit?: number
  /** `message` belongs to the receiver. `remote` is the same object for consecutive datagrams from one peer. */
  onDatagram(message: Uint8Array, kind: Datagram, remote: Endpoint, local: Endpoint): void
  /** A hint, at most one a second for each code: the socket goes on, and so do the SAs (RFC 7296 §2.4). */
  onError(error: UdpError): void
}

export interface UdpCounters {
  /** Datagrams handed to `onDatagram`. */
  received: number
  /** Datagrams too short to be anything, dropped. */
  malformed: number
  sent: number
  /** Not sent: the queue was full, or the destination impossible. */
  sendDrops: number
  /** Errors of the system, for a send or from ICMP. */
  errors: number
}

export interface UdpSocket {
  readonly local: Endpoint
  readonly counters: Readonly<UdpCounters>
  /** Adds the marker to IKE when neither port is 500. `message` is copied; for 'keepalive' it is not looked at. */
  send(kind: Datagram, message: Uint8Array, remote: Endpoint): void
  /** ESP packets, copied. */
  sendBatch(batch: PacketBatch, remote: Endpoint): void
  /** The address this host sends from toward `remote`: what NAT_DETECTION_SOURCE_IP needs. @throws UdpError */
  localAddressFor(remote: Endpoint): Promise<string>
  close(): Promise<void>
}

/** @throws UdpError 'ADDRESS_IN_USE', 'PERMISSION_DENIED', 'ADDRESS_NOT_AVAILABLE', 'BAD_ADDRESS', 'SOCKET_ERROR' */
export async function openUdp(options: UdpOptions): Promise<UdpSocket> {
  const literal = options.address === undefined ? undefined : isIP(options.address)
  const family = options.family ?? (literal === 6 ? 6 : 4)
  const address = options.address ?? (family === 6 ? '::' : '0.0.0.0')
  const port = options.port ?? 0
  if (literal !== undefined && literal !== family) {
    throw new UdpError('BAD_ADDRESS', `${address} is not an IPv${family} address`, { address, port })
  }
  const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4', ipv6Only: family === 6, lookup: lookupLiteral })
  await new Promise<void>((resolve, reject) => {
    const onError = (cause: Error): void => {
      socket.close()
      reject(bindError(cause, address, port))
    }
    socket.once('error', onError)
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', onError)
      resolve()
    })
  })
  if (options.receiveBuffer !== undefined) setReceiveBuffer(socket, options.receiveBuffer)
  return new DgramSocket(socket, family, options)
}

class DgramSocket implements UdpSocket {
  readonly local: Endpoint
  readonly counters: UdpCounters = { received: 0, malformed: 0, sent: 0, sendDrops: 0, errors: 0 }
  readonly #socket: Socket
  readonly #family: 4 | 6
  readonly #options: UdpOptions
  readonly #buffers: SendBuffers
  readonly #sender: OrderedSender
  #remote: Endpoint = { address: '', port: 0 }
  /** The destination last found to be of our family. */
  #checked = ''
  #closed: Promise<void> | undefined
  #reportedAt = new Map<string, number>()

  constructor(socket: Socket, family: 4 | 6, options: UdpOptions) {
    this.#socket = socket
    this.#family = family
    this.#options = options
    const { address, port } = socket.address()
    this.local = { address, port }
    this.#buffers = new SendBuffers(options.sendLimit ?? 0x400000, (error) => {
      if (error === null || error === undefined) this.counters.sent++
      else this.#report(sendError(error))
    })
    this.#sender = new OrderedSender(socket)
    socket.on('message', (bytes, from) => this.#receive(bytes, from))
    socket.on('error', (error) => this.#report(sendError(error)))
  }

  send(kind: Datagram, message: Uint8Array, remote: Endpoint): void {
    if (this.#closed !== undefined || !this.#isPossible(kind, remote)) return
    switch (kind) {
      case 'ike':
        this.#transmit(message, 0, message.length, !isIkeOnly(this.local.port, remote.port), true, remote)
        return
      case 'esp':
        this.#transmit(message, 0, message.length, false, false, remote)
        return
      case 'keepalive':
        this.#transmit(NAT_KEEPALIVE, 0, 1, false, true, remote)
        return
      default:
        kind satisfies never
    }
  }

  sendBatch(batch: PacketBatch, remote: Endpoint): void {
    if (this.#closed !== undefined || !this.#isPossible('esp', remote)) return
    for (let i = 0; i < batch.count; i++) this.#transmit(batch.buffer, batch.offsets[i], batch.lengths[i], false, false, remote)
  }

  async localAddressFor(remote: Endpoint): Promise<string> {
    if (this.local.address !== '0.0.0.0' && this.local.address !== '::') return this.local.address
    if (isIP(remote.address) !== this.#family) throw badAddress(remote, this.#family)
    return await localAddressToward(remote)
  }

  close(): Promise<void> {
    this.#sender.clear()
    this.#closed ??= new Promise((resolve) => this.#socket.close(() => resolve()))
    return this.#closed
  }

  #receive(bytes: Uint8Array, from: RemoteInfo): void {
    if (this.#closed !== undefined) return
    if (from.port !== this.#remote.port || from.address !== this.#remote.address) {
      this.#remote = { address: from.address, port: from.port }
    }
    // A Buffer's `slice` is a view where Uint8Array's is a copy: give no Buffers away.
    const plain = new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength)
    const { kind, message } = classifyDatagram(plain, this.local.port, from.port)
    if (kind === 'malformed') {
      this.counters.malformed++
      return
    }
    this.counters.received++
    this.#options.onDatagram(message, kind, this.#remote, this.local)
  }

  #transmit(from: Uint8Array, offset: number, length: number, hasMarker: boolean, isUrgent: boolean, remote: Endpoint): void {
    const total = hasMarker ? NON_ESP_MARKER.length + length : length
    if (total > MAX_DATAGRAM) {
      this.counters.sendDrops++
      this.#report(new UdpError('MESSAGE_TOO_LONG', `${total} octets are more than a datagram holds`, remote))
      return
    }
    const slab = this.#buffers.take(total, isUrgent)
    if (slab === undefined) {
      this.counters.sendDrops++
      return
    }
    const start = slab.used
    slab.used += total
    if (hasMarker) slab.bytes.set(NON_ESP_MARKER, start)
    slab.bytes.set(offset === 0 && length === from.length ? from : from.subarray(offset, offset + length), start + total - length)
    this.#sender.send(slab, start, total, remote)
  }

  #isPossible(kind: Datagram, remote: Endpoint): boolean {
    if (kind === 'esp' && this.local.port === 500) {
      this.counters.sendDrops++
      this.#report(new UdpError('BAD_ADDRESS', 'ESP MUST NOT be sent from port 500 (RFC 7296 §2.23)', remote))
      return false
    }
    if (remote.address === this.#checked) return true
    if (isIP(remote.address) !== this.#family) {
      this.counters.sendDrops++
      this.#report(badAddress(remote, this.#family))
      return false
    }
    this.#checked = remote.address
    return true
  }

  /** An unreachable peer would otherwise make one call per packet. */
  #report(error: UdpError): void {
    if (this.#closed !== undefined) return
    this.counters.errors++
    const now = performance.now()
    if (now - (this.#reportedAt.get(error.code) ?? Number.NEGATIVE_INFINITY) < 1000) return
    this.#reportedAt.set(error.code, now)
    this.#options.onError(error)
  }
}

function badAddress(remote: Endpoint, family: 4 | 6): UdpError {
  return new UdpError('BAD_ADDRESS', `${remote.address} is not an IPv${family} address`, remote)
}

/** Addresses here are literals: with this `send` reaches the kernel before it returns instead of a resolver. */
function lookupLiteral(address: string, options: unknown, callback?: (error: Error | null, address: string, family: number) => void): void {
  const done = (callback ?? options) as (error: Error | null, address: string, family: number) => void
  done(null, address, address.includes(':') ? 6 : 4)
}

function setReceiveBuffer(socket: Socket, octets: number): void {
  try {
    socket.setRecvBufferSize(octets)
  } catch {
    // Best effort: not every runtime and system lets it be set, and the default works.
  }
}
