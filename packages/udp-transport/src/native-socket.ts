// Room: the wire. The system's own calls: many packets with each, in both directions, without an object per packet.
import { isIP } from 'node:net'
import { setTimeout } from 'node:timers'
import { type Libc, loadLibc, NativeError, PollEvent, type Reactor, SocketMessages, sharedReactor, type Watch } from '@underpass/native'
import { type Datagram, isIkeOnly, NAT_KEEPALIVE, NON_ESP_MARKER } from './datagram.ts'
import { DatagramReceiver } from './datagram-receiver.ts'
import { DatagramSender, type SendState } from './datagram-sender.ts'
import { DEFAULT_SEND_LIMIT } from './defaults.ts'
import { type Destination, Destinations } from './destinations.ts'
import type { Endpoint, PacketBatch } from './endpoint.ts'
import { ErrorQueue } from './error-queue.ts'
import { ErrorReports } from './error-reports.ts'
import { asSystemError, bindDescriptor, type NativeDescriptor, nativeLocalAddress, systemError } from './native-descriptor.ts'
import { MAX_DATAGRAM } from './send-buffers.ts'
import { SendQueue } from './send-queue.ts'
import { badAddress, badPort, bindError, noEspFrom500, sendError, tooLong, type UdpError } from './udp-error.ts'
import type { BindAddress, UdpBuffers, UdpCounters, UdpOptions, UdpSocket } from './udp-socket.ts'

/** @throws NativeError, whose message says why there can be no such socket here */
export function checkAvailable(): void {
  const libc = loadLibc()
  const messages = new SocketMessages(1, 1, 8)
  const result = libc.sendmmsg(-1, messages.address, 0, 0)
  if (libc.errnoName(-result) === 'ENOSYS') throw new NativeError('UNAVAILABLE', 'the kernel has no sendmmsg')
}

/** @throws UdpError */
export function openNativeSocket(where: BindAddress, options: UdpOptions): UdpSocket {
  const libc = loadLibc()
  const descriptor = bindDescriptor(libc, where, options)
  try {
    return new NativeSocket(libc, sharedReactor(), descriptor, where.family, options)
  } catch (error) {
    libc.close(descriptor.fd)
    throw bindError(asSystemError(error), where.address, where.port)
  }
}

/** Milliseconds after which a full device queue is tried again: nothing tells when it has room. */
const CONGESTION = 1
/** Errors of the socket in a row of which its queue says nothing, before it gets a rest: a full queue has no room for what it would say. */
const MAX_FAILURES = 3
/** Milliseconds of that rest. */
const FAILURE_REST = 100

export class NativeSocket implements UdpSocket {
  readonly kind = 'native'
  readonly fallbackReason: undefined = undefined
  readonly local: Endpoint
  readonly buffers: UdpBuffers
  readonly counters: UdpCounters = { received: 0, malformed: 0, sent: 0, sendDrops: 0, errors: 0 }
  readonly #libc: Libc
  readonly #fd: number
  readonly #family: 4 | 6
  readonly #options: UdpOptions
  readonly #destinations: Destinations
  readonly #receiver: DatagramReceiver
  readonly #sender: DatagramSender
  readonly #queue: SendQueue
  readonly #errorQueue: ErrorQueue
  readonly #reports: ErrorReports
  readonly #reactor: Reactor
  #watch: Watch
  #isClosed = false
  #failures = 0

  /** @throws NativeError `SYSTEM` where no more descriptors can be watched; the descriptor stays the caller's then */
  constructor(libc: Libc, reactor: Reactor, descriptor: NativeDescriptor, family: 4 | 6, options: UdpOptions) {
    const { fd, local } = descriptor
    this.#libc = libc
    this.#reactor = reactor
    this.#fd = fd
    this.#family = family
    this.#options = options
    this.local = local
    this.buffers = descriptor.buffers
    this.#destinations = new Destinations(libc)
    this.#reports = new ErrorReports((error) => options.onError(error))
    this.#errorQueue = new ErrorQueue(libc, fd, family, (errno, remote) => this.#fail(errno, 1, remote))
    this.#queue = new SendQueue(options.sendLimit ?? DEFAULT_SEND_LIMIT)
    this.#sender = new DatagramSender(libc, fd, descriptor.canSegment, {
      sent: (packets) => {
        this.counters.sent += packets
      },
      failed: (errno, packets, { remote }) => this.#fail(errno, packets, remote),
      errorPending: () => void this.#errorQueue.drain(),
    })
    this.#receiver = new DatagramReceiver(libc, fd, local.port, {
      onEspBatch: (batch, remote) => this.#receiveEsp(batch, remote),
      onDatagram: (buffer, offset, length, kind, remote) => {
        this.counters.received++
        options.onDatagram(buffer.slice(offset, offset + length), kind, remote, local)
      },
      onMalformed: () => {
        this.counters.malformed++
      },
    })
    this.#watch = reactor.watch(fd, PollEvent.POLLIN, this.#ready)
  }

  send(kind: Datagram, message: Uint8Array, remote: Endpoint): void {
    const destination = this.#destinationOf(kind, remote)
    if (destination === undefined) return
    switch (kind) {
      case 'ike':
        this.#sendOne(message, !isIkeOnly(this.local.port, remote.port), true, destination)
        return
      case 'esp':
        this.#sendOne(message, false, false, destination)
        return
      case 'keepalive':
        this.#sendOne(NAT_KEEPALIVE, false, true, destination)
        return
      default:
        kind satisfies never
    }
  }

  sendBatch(batch: PacketBatch, remote: Endpoint): void {
    const destination = this.#destinationOf('esp', remote)
    if (destination === undefined) return
    checkInside(batch)
    if (!this.#queue.isEmpty) {
      this.#enqueue(batch, 0, destination)
      return
    }
    const state = this.#sender.send(batch, 0, batch.count, destination)
    if (state === 'done') return
    this.#enqueue(batch, this.#sender.next, destination)
    this.#waitToSend(state)
  }

  async localAddressFor(remote: Endpoint): Promise<string> {
    if (this.local.address !== '0.0.0.0' && this.local.address !== '::') return this.local.address
    if (isIP(remote.address) !== this.#family) throw badAddress(remote, this.#family)
    return nativeLocalAddress(this.#libc, remote)
  }

  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true
      this.#receiver.close()
      this.#queue.clear()
      this.#watch.close()
      this.#errorQueue.close()
      this.#libc.close(this.#fd)
    }
    return Promise.resolve()
  }

  #destinationOf(kind: Datagram, remote: Endpoint): Destination | undefined {
    if (this.#isClosed) return undefined
    if (kind === 'esp' && this.local.port === 500) return this.#refuse(noEspFrom500(remote))
    const known = this.#destinations.find(remote)
    if (known !== undefined) return known
    if (isIP(remote.address) !== this.#family) return this.#refuse(badAddress(remote, this.#family))
    if (!(remote.port > 0 && remote.port <= 0xffff)) return this.#refuse(badPort(remote))
    try {
      return this.#destinations.add(remote)
    } catch {
      // A zone without an interface.
      return this.#refuse(badAddress(remote, this.#family))
    }
  }

  #refuse(error: UdpError): undefined {
    this.counters.sendDrops++
    this.counters.errors++
    this.#reports.report(error)
  }

  readonly #one = { buffer: NAT_KEEPALIVE, offsets: Uint32Array.of(0), lengths: Uint32Array.of(0) }

  #sendOne(message: Uint8Array, hasMarker: boolean, isUrgent: boolean, destination: Destination): void {
    const total = message.length + (hasMarker ? NON_ESP_MARKER.length : 0)
    if (total > MAX_DATAGRAM) {
      this.#refuse(tooLong(total, destination.remote))
      return
    }
    let state: SendState = 'done'
    if (this.#queue.isEmpty) {
      if (hasMarker) state = this.#sender.sendMarked(message, destination)
      else {
        this.#one.buffer = message
        this.#one.lengths[0] = message.length
        state = this.#sender.send(this.#one, 0, 1, destination)
      }
      if (state === 'done') return
    }
    if (!this.#queue.put(message, 0, message.length, hasMarker, isUrgent, destination)) this.counters.sendDrops++
    if (state !== 'done') this.#waitToSend(state)
  }

  #enqueue({ buffer, offsets, lengths, count }: PacketBatch, from: number, destination: Destination): void {
    for (let i = from; i < count; i++) {
      if (!this.#queue.put(buffer, offsets[i], lengths[i], false, false, destination)) this.counters.sendDrops++
    }
  }

  #waitToSend(state: 'blocked' | 'congested'): void {
    if (this.#isClosed || this.#queue.isEmpty) return
    if (state === 'congested') {
      setTimeout(this.#sendQueued, CONGESTION)
      return
    }
    this.#watch.want(PollEvent.POLLIN | PollEvent.POLLOUT)
  }

  readonly #sendQueued = (): void => {
    for (let slab = this.#queue.first; slab !== undefined; slab = this.#queue.first) {
      const destination = slab.destinations[slab.head]!
      const state = this.#sender.send(slab, slab.head, this.#queue.runEnd(slab), destination)
      this.#queue.advance(this.#sender.next)
      if (state === 'done') continue
      this.#waitToSend(state)
      return
    }
  }

  readonly #ready = (events: number): void => {
    if ((events & PollEvent.POLLOUT) !== 0) {
      this.#watch.want(PollEvent.POLLIN)
      this.#sendQueued()
    }
    if (this.#isClosed) return
    if ((events & PollEvent.POLLERR) !== 0) this.#errorQueue.drain()
    const state = this.#receiver.receive()
    if (state !== 'failed') this.#failures = 0
    // A pending error is told once, by the call that happens to come next; what it is about is in the queue.
    else if (!this.#isClosed && this.#errorQueue.drain() === 0 && this.#failures++ >= MAX_FAILURES) this.#rest()
  }

  /** The event of an error that nothing clears would come back at once. */
  #rest(): void {
    this.#fail(this.#receiver.errno, 1, undefined)
    this.#watch.close()
    setTimeout(this.#watchAgain, FAILURE_REST)
  }

  readonly #watchAgain = (): void => {
    if (this.#isClosed) return
    try {
      // What was blocked meanwhile, or before, waits for its event.
      const events = this.#queue.isEmpty ? PollEvent.POLLIN : PollEvent.POLLIN | PollEvent.POLLOUT
      this.#watch = this.#reactor.watch(this.#fd, events, this.#ready)
    } catch {
      // Out of descriptors.
      setTimeout(this.#watchAgain, FAILURE_REST)
    }
  }

  #receiveEsp(batch: PacketBatch, remote: Endpoint): void {
    const { onEspBatch } = this.#options
    this.counters.received += batch.count
    if (onEspBatch !== undefined) {
      this.#options.onEspBatch?.(batch, remote, this.local)
      return
    }
    const { buffer, offsets, lengths, count } = batch
    for (let i = 0; i < count && !this.#isClosed; i++) {
      this.#options.onDatagram(buffer.slice(offsets[i], offsets[i] + lengths[i]), 'esp', remote, this.local)
    }
  }

  #fail(errno: number, packets: number, remote: Endpoint | undefined): void {
    if (this.#isClosed) return
    this.counters.errors += packets
    // Not now: the owner may send something, and this is in the middle of that.
    queueMicrotask(() => {
      if (!this.#isClosed) this.#reports.report(sendError(systemError(this.#libc, errno, remote), remote))
    })
  }
}

/** The addresses that the kernel is given are computed from these numbers, so a wrong one must stop here. */
function checkInside({ buffer, offsets, lengths, count }: PacketBatch): void {
  if (count > offsets.length || count > lengths.length) throw new RangeError(`a batch of ${count} packets without their offsets`)
  for (let i = 0; i < count; i++) {
    if (offsets[i] + lengths[i] > buffer.length) throw new RangeError(`packet ${i} of the batch ends behind its buffer`)
  }
}
