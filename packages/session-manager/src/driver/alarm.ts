/** One wake-up. A time that moves later costs nothing: the timer is left to fire early, and only then set anew. */
import type { Clock } from './ports.ts'

export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #due = Number.POSITIVE_INFINITY
  #scheduled = Number.POSITIVE_INFINITY
  #cancel: (() => void) | undefined

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Milliseconds of the clock; Infinity: never. */
  set(time: number): void {
    this.#due = time
    if (time === Number.POSITIVE_INFINITY) this.#unschedule()
    else if (time < this.#scheduled) this.#schedule(time)
  }

  cancel(): void {
    this.set(Number.POSITIVE_INFINITY)
  }

  #schedule(time: number): void {
    this.#unschedule()
    this.#scheduled = time
    this.#cancel = this.#clock.schedule(time, this.#wake)
  }

  #unschedule(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#scheduled = Number.POSITIVE_INFINITY
  }

  readonly #wake = (): void => {
    this.#cancel = undefined
    this.#scheduled = Number.POSITIVE_INFINITY
    if (this.#clock.now() < this.#due) {
      if (this.#due !== Number.POSITIVE_INFINITY) this.#schedule(this.#due)
      return
    }
    this.#due = Number.POSITIVE_INFINITY
    this.#ring()
  }
}
