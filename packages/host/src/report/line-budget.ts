/** So many lines a second, and one that says how many were left out. */
export class LineBudget {
  readonly #perSecond: number
  readonly #now: () => number
  readonly #tellLeftOut: (count: number) => void
  #second = 0
  #count = 0
  #leftOut = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(perSecond: number, now: () => number, tellLeftOut: (count: number) => void) {
    this.#perSecond = perSecond
    this.#now = now
    this.#tellLeftOut = tellLeftOut
  }

  /** Whether one more may be written. */
  take(): boolean {
    const second = Math.floor(this.#now() / 1_000)
    if (this.#second !== second) {
      this.#tell()
      this.#second = second
      this.#count = 0
    }
    if (this.#count++ < this.#perSecond) return true
    this.#leftOut++
    // Where nothing more comes, it is said all the same.
    this.#timer ??= setTimeout(() => this.#tell(), 1_000)
    this.#timer.unref()
    return false
  }

  #tell(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const count = this.#leftOut
    this.#leftOut = 0
    if (count > 0) this.#tellLeftOut(count)
  }
}
