/** What session tickets are sealed with (RFC 5077), and that it does not last. */
import { createHash, hkdfSync, randomFillSync } from 'node:crypto'

/**
 * What session tickets are sealed with is made of it, anew each day (RFC 9325 §3.4). Plain data: it may be sent to another thread. A listener
 * copies the octets: overwrite them once the last one is there, for of them the secrets of all days can be had.
 */
export interface TicketSecret {
  readonly octets: Uint8Array
  /** When it was made, by the system's clock. */
  readonly since: number
}

export function ticketSecret(): TicketSecret {
  return { octets: randomFillSync(new Uint8Array(32)), since: Date.now() }
}

const DAY = 86_400_000

/** The secret of today. */
export class Tickets {
  readonly #since: number
  #octets: Uint8Array
  /** Days that it has been made anew. */
  #day = 0

  constructor({ octets, since }: TicketSecret = ticketSecret()) {
    this.#octets = octets.slice()
    this.#since = since
  }

  /** Answers whether there is another since it was asked last. */
  changeDaily(): boolean {
    const day = Math.floor((Date.now() - this.#since) / DAY)
    if (day <= this.#day) return false
    // What was is not to be had of what is: who learns today's secret cannot read yesterday's tickets.
    for (; this.#day < day; this.#day++) {
      const next = createHash('sha256').update(this.#octets).digest()
      this.#octets.fill(0)
      this.#octets = next
    }
    return true
  }

  /** @param use Keys of different use are different. */
  keys(length: number, use: string): Uint8Array {
    return new Uint8Array(hkdfSync('sha256', this.#octets, new Uint8Array(0), use, length))
  }
}
