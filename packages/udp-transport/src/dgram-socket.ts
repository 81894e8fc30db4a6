// The socket of node:dgram, for where the system's own calls cannot be had.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIP } from 'node:net'
import { classifyDatagram, type Datagram, isIkeOnly, NAT_KEEPALIVE, NON_ESP_MARKER } from './datagram.ts'
import { DEFAULT_BUFFER, DEFAULT_SEND_LIMIT } from './defaults.ts'
import type { Endpoint, PacketBatch } from './endpoint.ts'
import { ErrorReports } from './error-reports.ts'
import { localAddressToward } from './local-address.ts'
import { OrderedSender } from './ordered-sender.ts'
import { MAX_DATAGRAM, SendBuffers } from './send-buffers.ts'
import { badAddress, bindError, noEspFrom500, sendError, tooLong, type UdpError } from './udp-error.ts'
import type { BindAddress, UdpBuffers, UdpCounters, UdpOptions, UdpSocket } from './udp-socket.ts'

/** @throws UdpError */
export async function openDgramSocket(where: BindAddress, options: UdpOptions, fallbackReason: string | undefined): Promise<UdpSocket> {
  const { address, port, family } = where
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
  // Best effort: not every runtime and system lets them be set, and what there is works.
  attempt(() => socket.setRecvBufferSize(options.receiveBuffer ?? DEFAULT_BUFFER))
  attempt(() => socket.setSendBufferSize(options.sendBuffer ?? DEFAULT_BUFFER))
  return new DgramSocket(socket, family, options, fallbackReason)
}

class DgramSocket implements UdpSocket {
  readonly kind = 'dgram'
  readonly fallbackReason: string | undefined
  readonly local: Endpoint
  readonly buffers: UdpBuffers
  readonly counters: UdpCounters = { received: 0, malformed: 0, sent: 0, sendDrops: 0, errors: 0 }
  readonly #socket: Socket
  readonly #family: 4 | 6
  readonly #options: UdpOptions
  readonly #slabs: SendBuffers
  readonly #sender: OrderedSender
  readonly #reports: ErrorReports
  readonly #batch: PacketBatch = { buffer: new Uint8Array(0), offsets: new Uint32Array(1), lengths: new Uint32Array(1), count: 1 }
  #remote: Endpoint = { address: '', port: 0 }
  /** The destination last found to be of our family. */
  #checked = ''
  #closed: Promise<void> | undefined

  constructor(socket: Socket, family: 4 | 6, options: UdpOptions, fallbackReason: string | undefined) {
    this.#socket = socket
    this.#family = family
    this.#options = options
    this.fallbackReason = fallbackReason
    const { address, port } = socket.address()
    this.local = { address, port }
    // Linux tells twice what one asks for.
    const factor = process.platform === 'linux' ? 2 : 1
    const granted = (octets: number | undefined): number | undefined => (octets === undefined ? undefined : octets / factor)
    this.buffers = {
      receive: granted(attempt(() => socket.getRecvBufferSize())),
      send: granted(attempt(() => socket.getSendBufferSize())),
    }
    this.#reports = new ErrorReports((error) => options.onError(error))
    this.#slabs = new SendBuffers(options.sendLimit ?? DEFAULT_SEND_LIMIT, (error) => {
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
    if (kind !== 'esp' || this.#options.onEspBatch === undefined) {
      this.#options.onDatagram(message, kind, this.#remote, this.local)
      return
    }
    this.#batch.buffer = message
    this.#batch.lengths[0] = message.length
    this.#options.onEspBatch(this.#batch, this.#remote, this.local)
  }

  #transmit(from: Uint8Array, offset: number, length: number, hasMarker: boolean, isUrgent: boolean, remote: Endpoint): void {
    const total = hasMarker ? NON_ESP_MARKER.length + length : length
    if (total > MAX_DATAGRAM) {
      this.counters.sendDrops++
      this.#report(tooLong(total, remote))
      return
    }
    const slab = this.#slabs.take(total, isUrgent)
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
      this.#report(noEspFrom500(remote))
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

  #report(error: UdpError): void {
    if (this.#closed !== undefined) return
    this.counters.errors++
    this.#reports.report(error)
  }
}

/** Addresses here are literals: with this `send` reaches the kernel before it returns instead of a resolver. */
function lookupLiteral(address: string, options: unknown, callback?: (error: Error | null, address: string, family: number) => void): void {
  const done = (callback ?? options) as (error: Error | null, address: string, family: number) => void
  done(null, address, address.includes(':') ? 6 : 4)
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
