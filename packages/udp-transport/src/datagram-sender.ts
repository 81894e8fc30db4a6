// Room: the wire. Packets of one buffer to one destination, as few system calls as there can be, straight from the caller's memory.
import { addressOf, Errno, type Libc, MessageFlag, nativeBuffer, SocketMessages } from '@underpass/native'
import { NON_ESP_MARKER } from './datagram.ts'
import { type Destination, LONGEST } from './destinations.ts'
import { SOL_UDP, UDP_SEGMENT } from './socket-options.ts'

/** What stands beside the packets of a buffer: those of a `PacketBatch`, or of a queue. */
export interface Packets {
  readonly buffer: Uint8Array
  readonly offsets: Uint32Array
  readonly lengths: Uint32Array
}

/** Must not send: it is called in the middle of that. */
export interface SendObserver {
  sent(packets: number): void
  /** They cannot be sent, now or later. */
  failed(errno: number, packets: number, destination: Destination): void
  /** A send returned an error that may be about an earlier one: it is tried again afterwards. */
  errorPending(): void
}

/** `blocked`: the socket's buffer is full, it becomes writable again. `congested`: the device's queue is full, which nothing tells the end of. */
export type SendState = 'done' | 'blocked' | 'congested'

const MAX_MESSAGES = 64
const MAX_VECTORS = 1024
/** UDP_MAX_SEGMENTS of linux/udp.h, 128 since Linux 6.9. */
const MAX_SEGMENTS = 64
/** 65,535 without the headers of IPv6 (which count here) and UDP. */
const MAX_OCTETS = 65_487
/** Below it a refused segment cannot be too long for any path. */
const SMALLEST_MTU = 500
/** A path's MTU may grow again. */
const RETRY_MILLISECONDS = 60_000
/** Errors of earlier packets in a row before one is taken for this one's own. */
const MAX_PENDING = 2

const FLAGS = MessageFlag.DONTWAIT | MessageFlag.NOSIGNAL

/**
 * Packets of one length (the last may be shorter) are one message that the kernel or the device cuts (UDP_SEGMENT); all messages of a
 * batch go in one sendmmsg(2).
 */
export class DatagramSender {
  /** Index of the first packet that {@link DatagramSender.send} left behind. */
  next = 0
  readonly #libc: Libc
  readonly #fd: number
  readonly #observer: SendObserver
  readonly #messages = new SocketMessages(MAX_MESSAGES, MAX_VECTORS, 24)
  /** Packet with which each message begins; one more for the end. */
  readonly #first = new Uint32Array(MAX_MESSAGES + 1)
  readonly #marker = nativeBuffer(NON_ESP_MARKER.length)
  readonly #name = nativeBuffer(32)
  #named: Destination | undefined
  #nameLength = 0
  #canSegment: boolean

  constructor(libc: Libc, fd: number, canSegment: boolean, observer: SendObserver) {
    this.#libc = libc
    this.#fd = fd
    this.#canSegment = canSegment
    this.#observer = observer
  }

  /** Packets `from … end − 1` to one destination. All but those from {@link DatagramSender.next} on are dealt with. */
  send(packets: Packets, from: number, end: number, destination: Destination): SendState {
    this.#setName(destination)
    const base = addressOf(packets.buffer)
    let at = from
    let failures = 0
    while (at < end) {
      const count = this.#plan(packets, base, at, end, destination)
      const result = this.#libc.sendmmsg(this.#fd, this.#messages.address, count, FLAGS)
      if (result > 0) {
        this.#observer.sent(this.#first[result] - at)
        at = this.#first[result]
        failures = 0
        continue
      }
      const errno = -result
      if (errno === Errno.EINTR) continue
      if (isTemporary(errno)) {
        this.next = at
        return errno === Errno.EAGAIN ? 'blocked' : 'congested'
      }
      if (this.#isWorthAnotherTry(errno, this.#first[1] - at, packets.lengths[at], destination, failures++)) continue
      this.#observer.failed(errno, this.#first[1] - at, destination)
      at = this.#first[1]
      failures = 0
    }
    this.next = end
    return 'done'
  }

  /** One datagram that begins with four zeros (RFC 3948 §2.2) which are not in the buffer. */
  sendMarked(message: Uint8Array, destination: Destination): SendState {
    this.#setName(destination)
    this.#messages.setVector(0, this.#marker.address, NON_ESP_MARKER.length)
    this.#messages.setVector(1, addressOf(message), message.length)
    this.#describe(0, 0, 2, 0)
    for (let failures = 0; ; ) {
      const result = this.#libc.sendmmsg(this.#fd, this.#messages.address, 1, FLAGS)
      const errno = -result
      if (errno === Errno.EINTR) continue
      if (isTemporary(errno)) return errno === Errno.EAGAIN ? 'blocked' : 'congested'
      if (result > 0) this.#observer.sent(1)
      else if (this.#isWorthAnotherTry(errno, 1, message.length, destination, failures++)) continue
      else this.#observer.failed(errno, 1, destination)
      return 'done'
    }
  }

  /** As many messages as fit one call, from packet `at` on; their number. */
  #plan({ offsets, lengths }: Packets, base: number, at: number, end: number, destination: Destination): number {
    const messages = this.#messages
    const maxSegment = this.#canSegment ? maxSegmentOf(destination) : 0
    let count = 0
    let vector = 0
    let packet = at
    while (packet < end && count < MAX_MESSAGES && vector < MAX_VECTORS) {
      const first = packet
      const firstVector = vector
      const endOfRun = lengths[first] > maxSegment ? first + 1 : runEnd(lengths, first, end)
      let start = offsets[packet]
      let length = lengths[packet++]
      // Packets that lie one behind the other are one vector.
      for (; packet < endOfRun; packet++) {
        if (offsets[packet] === start + length) {
          length += lengths[packet]
          continue
        }
        if (vector + 1 === MAX_VECTORS) break
        messages.setVector(vector++, base + start, length)
        start = offsets[packet]
        length = lengths[packet]
      }
      messages.setVector(vector++, base + start, length)
      this.#first[count] = first
      this.#describe(count++, firstVector, vector - firstVector, packet - first > 1 ? lengths[first] : 0)
    }
    this.#first[count] = packet
    return count
  }

  #describe(message: number, firstVector: number, vectors: number, segment: number): void {
    const messages = this.#messages
    messages.setVectors(message, firstVector, vectors)
    messages.setName(message, this.#name.address, this.#nameLength)
    if (segment > 0) messages.setControl(message, SOL_UDP, UDP_SEGMENT, segment, 2)
    else messages.clearControl(message)
  }

  /**
   * The error may be about an earlier packet (what ICMP said of it is told by the next call, which then does nothing), or the refusal
   * of a segmented send.
   */
  #isWorthAnotherTry(errno: number, packets: number, segment: number, destination: Destination, failures: number): boolean {
    if (failures > 0 && packets > 1) {
      if (errno === Errno.EIO || errno === Errno.EOPNOTSUPP) {
        this.#canSegment = false
        return true
      }
      if (errno === Errno.EMSGSIZE || errno === Errno.EINVAL) {
        // Too long for the path; where they cannot be, this destination is not to be had in segments at all.
        destination.maxSegment = segment > SMALLEST_MTU ? segment - 1 : 0
        destination.loweredAt = performance.now()
        return true
      }
    }
    if (failures >= MAX_PENDING) return false
    this.#observer.errorPending()
    return true
  }

  #setName(destination: Destination): void {
    if (destination === this.#named) return
    this.#named = destination
    this.#name.bytes.set(destination.name)
    this.#nameLength = destination.name.length
  }
}

/** Behind the last packet that can be in one message with packet `first`. */
function runEnd(lengths: Uint32Array, first: number, end: number): number {
  const segment = lengths[first]
  const most = Math.min(end, first + MAX_SEGMENTS)
  let octets = segment
  let at = first + 1
  if (segment === 0) return at
  while (at < most) {
    const length = lengths[at]
    octets += length
    if (length === 0 || length > segment || octets > MAX_OCTETS) break
    at++
    if (length < segment) break
  }
  return at
}

function maxSegmentOf(destination: Destination): number {
  if (destination.maxSegment < LONGEST && performance.now() - destination.loweredAt > RETRY_MILLISECONDS) destination.maxSegment = LONGEST
  return destination.maxSegment
}

function isTemporary(errno: number): boolean {
  return errno === Errno.EAGAIN || errno === Errno.ENOBUFS || errno === Errno.ENOMEM
}
