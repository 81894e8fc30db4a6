// Copies of what is being sent. A runtime may keep pointing at the octets after `send` has returned, and the caller reuses its buffers:
// without the copy another packet's octets, even plaintext, could leave in their place.

/** Longest datagram there is, IP header left aside; longer ones are refused before they are copied. */
export const MAX_DATAGRAM: number = 0xffff

const SLAB = 0x40000

export type SendCallback = (error: Error | null) => void

/** A part of a slab that is in use until `sent` has been called as often as `take` returned it. */
export interface Slab {
  readonly bytes: Uint8Array
  readonly sent: SendCallback
  used: number
  pending: number
}

/** Slabs used in turn; nothing is allocated per packet once there are enough. */
export class SendBuffers {
  readonly #maxSlabs: number
  readonly #onSent: SendCallback
  readonly #free: Slab[] = []
  #current: Slab | undefined
  #slabs = 0

  /** @param maxOctets What may wait in the runtime before `take` refuses. */
  constructor(maxOctets: number, onSent: SendCallback) {
    this.#maxSlabs = Math.max(1, Math.ceil(maxOctets / SLAB))
    this.#onSent = onSent
  }

  /** A slab with `length` octets of room at `used`; the caller advances `used`. undefined: the limit is reached, unless `isUrgent`. */
  take(length: number, isUrgent: boolean): Slab | undefined {
    let slab = this.#current
    if (slab === undefined || slab.used + length > slab.bytes.length) {
      slab = this.#free.pop() ?? (isUrgent || this.#slabs < this.#maxSlabs ? this.#allocate() : undefined)
      if (slab === undefined) return undefined
      this.#current = slab
    }
    slab.pending++
    return slab
  }

  #allocate(): Slab {
    this.#slabs++
    const slab: Slab = {
      bytes: new Uint8Array(SLAB),
      used: 0,
      pending: 0,
      sent: (error) => {
        slab.pending--
        if (slab.pending === 0) this.#release(slab)
        this.#onSent(error)
      },
    }
    return slab
  }

  #release(slab: Slab): void {
    slab.used = 0
    // The current one is used again from its start.
    if (slab === this.#current) return
    if (this.#slabs > this.#maxSlabs) this.#slabs--
    else this.#free.push(slab)
  }
}
