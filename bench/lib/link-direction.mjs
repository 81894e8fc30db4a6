// One direction of an emulated link: a rate, a bounded queue that drops what finds it full, losses on the wire, a delay. Packets keep their
// order. When a packet leaves is reckoned when it comes, so that the rate is exact however late a timer is.

/** Packets under way at most, those that wait included. */
const SLOTS = 8192
const SLOT = 1536
/** Octets in front of a packet, as devices leave them. */
const HEADROOM = 32
/** Packets handed on at once. */
const BATCH = 128
/** Milliseconds before its time that a packet may be handed on: half of a timer's grain. */
const EARLY = 0.5
/** Milliseconds behind its time from which on a packet is counted as late: the machine had no time for the link. */
const LATE = 3

export class LinkDirection {
  #buffer = new Uint8Array(SLOTS * SLOT)
  #dueAt = new Float64Array(SLOTS)
  #lengths = new Uint32Array(SLOTS)
  #first = 0
  #count = 0
  #freeAt = 0
  #batch = { buffer: this.#buffer, offsets: new Uint32Array(BATCH), lengths: new Uint32Array(BATCH), count: 0 }
  #how = { octetsPerMillisecond: 1, delay: 0, queueOctets: 0, isLost: (_now) => false }
  counters = { arrived: 0, overflowed: 0, lost: 0, delivered: 0, late: 0 }

  /**
   * @param {{ octetsPerMillisecond: number, delay: number, queueOctets: number, isLost: (now: number) => boolean }} how `delay` in milliseconds;
   *   packets that are under way keep what they were given
   */
  configure(how) {
    this.#how = how
    this.counters = { arrived: 0, overflowed: 0, lost: 0, delivered: 0, late: 0 }
  }

  get isIdle() {
    return this.#count === 0
  }

  arrive({ buffer, offsets, lengths, count }, now) {
    for (let i = 0; i < count; i++) this.#arrive(buffer, offsets[i], lengths[i], now)
  }

  #arrive(buffer, offset, length, now) {
    const { octetsPerMillisecond, delay, queueOctets, isLost } = this.#how
    this.counters.arrived++
    const begins = Math.max(this.#freeAt, now)
    if ((begins - now) * octetsPerMillisecond + length > queueOctets || this.#count === SLOTS) {
      this.counters.overflowed++
      return
    }
    this.#freeAt = begins + length / octetsPerMillisecond
    // It is lost behind the queue: its time on the wire is spent.
    if (isLost(now)) {
      this.counters.lost++
      return
    }
    const slot = (this.#first + this.#count++) % SLOTS
    this.#buffer.set(buffer.subarray(offset, offset + length), slot * SLOT + HEADROOM)
    this.#lengths[slot] = length
    this.#dueAt[slot] = this.#freeAt + delay
  }

  /** Hands on what is due, in order. */
  deliver(device, now) {
    const batch = this.#batch
    while (this.#count > 0 && this.#dueAt[this.#first] <= now + EARLY) {
      if (now - this.#dueAt[this.#first] > LATE) this.counters.late++
      batch.offsets[batch.count] = this.#first * SLOT + HEADROOM
      batch.lengths[batch.count++] = this.#lengths[this.#first]
      this.#first = (this.#first + 1) % SLOTS
      this.#count--
      this.counters.delivered++
      if (batch.count === BATCH) this.#flush(device)
    }
    this.#flush(device)
  }

  #flush(device) {
    if (this.#batch.count > 0) device.write(this.#batch)
    this.#batch.count = 0
  }
}
