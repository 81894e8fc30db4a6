/**
 * All timers of the core: a binary heap, so that ten thousand idle SAs cost as little per packet as one. A timer that moves
 * leaves its old entry behind, which is skipped when its turn comes. Equal times fire in the order in which they were set.
 */
export class TimerQueue<Owner extends TimerOwner> {
  readonly #heap: Entry<Owner>[] = []
  #order = 0

  /** Sets, or moves, the owner's timer of that name. */
  set(owner: Owner, name: Owner['timerNames'], at: number): void {
    const entry: Entry<Owner> = { owner, name, at, order: this.#order++ }
    owner.timers.set(name, entry)
    this.#heap.push(entry)
    this.#rise(this.#heap.length - 1)
  }

  clear(owner: Owner, name: Owner['timerNames']): void {
    owner.timers.delete(name)
  }

  clearAll(owner: Owner): void {
    owner.timers.clear()
  }

  has(owner: Owner, name: Owner['timerNames']): boolean {
    return owner.timers.has(name)
  }

  /** When the next timer is due; Infinity where there is none. */
  nextAt(): number {
    this.#dropStale()
    return this.#heap.length > 0 ? this.#heap[0]!.at : Number.POSITIVE_INFINITY
  }

  /** Takes the next timer that is due at `now`, or `undefined`. */
  takeDue(now: number): { readonly owner: Owner; readonly name: Owner['timerNames'] } | undefined {
    this.#dropStale()
    const first = this.#heap[0]
    if (first === undefined || first.at > now) return undefined
    this.#removeFirst()
    first.owner.timers.delete(first.name)
    return first
  }

  #dropStale(): void {
    while (this.#heap.length > 0 && this.#heap[0]!.owner.timers.get(this.#heap[0]!.name) !== this.#heap[0]) this.#removeFirst()
  }

  #removeFirst(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink(0)
  }

  #rise(index: number): void {
    const heap = this.#heap
    let at = index
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(heap[at]!, heap[parent]!)) return
      swap(heap, at, parent)
      at = parent
    }
  }

  #sink(index: number): void {
    const heap = this.#heap
    let at = index
    for (;;) {
      let first = at
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < heap.length && isBefore(heap[child]!, heap[first]!)) first = child
      if (first === at) return
      swap(heap, at, first)
      at = first
    }
  }
}

/** Something that has timers. The map holds what the queue needs to know an entry for the live one. */
export interface TimerOwner {
  /** Type only: the names this owner's timers may have. */
  readonly timerNames: string
  readonly timers: Map<string, unknown>
}

interface Entry<Owner extends TimerOwner> {
  readonly owner: Owner
  readonly name: Owner['timerNames']
  readonly at: number
  readonly order: number
}

function isBefore(a: { at: number; order: number }, b: { at: number; order: number }): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function swap<T>(array: T[], i: number, j: number): void {
  const held = array[i]!
  array[i] = array[j]!
  array[j] = held
}
