/**
 * CoDel (RFC 8289 §5): which packets of one queue are dropped, so that they wait `target` at most in the long run, whatever the rate of the
 * link behind it. Short bursts pass; a queue that stays is made shorter by drops that come quicker and quicker.
 */
export interface CodelTimes {
  /** Milliseconds that packets may wait in the long run (RFC 8289 §4, TARGET). */
  readonly target: number
  /** Milliseconds: about the longest round trip of the flows (RFC 8289 §4, INTERVAL). */
  readonly interval: number
}

export class Codel {
  #firstAboveAt = 0
  #dropNextAt = 0
  #count = 0
  #lastCount = 0
  #isDropping = false

  /**
   * Asked of the packet at the head, and again of the next one where the answer was yes. `isShort`: no more than a packet of full length is
   * behind it, and that is no queue.
   */
  dropsHead(arrivedAt: number, now: number, isShort: boolean, times: CodelTimes): boolean {
    const isOld = this.#isOld(arrivedAt, now, isShort, times)
    if (this.#isDropping) {
      if (!isOld) this.#isDropping = false
      else if (now >= this.#dropNextAt) {
        // The connection stood still, as TCP does until it retransmits: what was due meanwhile is not made up for at once.
        if (now - this.#dropNextAt > times.interval) this.#dropNextAt = now
        this.#count++
        this.#dropNextAt = controlLaw(this.#dropNextAt, this.#count, times.interval)
        return true
      }
      return false
    }
    if (!isOld) return false
    this.#isDropping = true
    // Where it last dropped not long ago, it begins about where it ended.
    const since = this.#count - this.#lastCount
    this.#count = since > 1 && now - this.#dropNextAt < 16 * times.interval ? since : 1
    this.#dropNextAt = controlLaw(now, this.#count, times.interval)
    this.#lastCount = this.#count
    return true
  }

  /** The queue has run empty. */
  emptied(): void {
    this.#firstAboveAt = 0
    this.#isDropping = false
  }

  /** For another queue. */
  reset(): void {
    this.emptied()
    this.#dropNextAt = 0
    this.#count = 0
    this.#lastCount = 0
  }

  /** Whether packets have waited above the target for a whole interval. */
  #isOld(arrivedAt: number, now: number, isShort: boolean, { target, interval }: CodelTimes): boolean {
    if (now - arrivedAt < target || isShort) {
      this.#firstAboveAt = 0
      return false
    }
    if (this.#firstAboveAt === 0) {
      this.#firstAboveAt = now + interval
      return false
    }
    return now >= this.#firstAboveAt
  }
}

function controlLaw(from: number, count: number, interval: number): number {
  return from + interval / Math.sqrt(count)
}
