// ESP packets of one length in memory, to be sent as datagrams, as many at once as UDP_SEGMENT (udp(7)) cuts out of one send.
const [SOL_UDP, UDP_SEGMENT, EAGAIN, ENOBUFS] = [17, 103, 11, 105]
/** What one UDP datagram may be before it is cut, and in how many pieces. */
const LONGEST = 65_000
const MOST = 60

export class SealedDatagrams {
  size = 0
  sent = 0
  #buffer
  #length = 0

  /** Room for `octets`. */
  constructor(octets) {
    this.#buffer = new Uint8Array(octets)
  }

  /** @returns {number} of each datagram */
  get length() {
    return this.#length
  }

  append({ buffer, offsets, lengths, count }) {
    this.#length ||= lengths[0]
    for (let i = 0; i < count; i++) {
      if (lengths[i] !== this.#length) throw new Error(`an ESP packet of ${lengths[i]} octets among those of ${this.#length}`)
      this.#buffer.set(buffer.subarray(offsets[i], offsets[i] + lengths[i]), this.size)
      this.size += lengths[i]
    }
  }

  /** At most `packets`, on a connected socket that `cutting` was called for. @returns how many were sent; 0 where it is full or all is sent */
  sendTo(calls, socket, packets) {
    const count = Math.min(packets, MOST, Math.floor(LONGEST / this.#length), (this.size - this.sent) / this.#length)
    if (count === 0) return 0
    const sent = calls.send(socket, this.#buffer, this.sent, count * this.#length)
    if (sent === -EAGAIN || sent === -ENOBUFS) return 0
    if (sent < 0) throw new Error(`send: errno ${-sent}`)
    this.sent += sent
    return sent / this.#length
  }

  close() {
    this.#buffer = undefined
  }
}

/** Every send on the socket is cut into datagrams of `length` octets. */
export const cutting = (libc, socket, length) => libc.setsockopt(socket, SOL_UDP, UDP_SEGMENT, length)
