/**
 * All timers of the core: a binary heap, so that ten thousand idle SAs cost as little per packet as one. A timer that moves
 * leaves its old entry behind, which is skipped when its turn comes; where such entries are more than the live ones they are
 * thrown out, so that the queue holds no owner that is long gone. Equal times fire in the order in which they were set.
 */
export class TimerQueue<Owner extends TimerOwner> {
  #heap: Entry<Owner>[] = []
  #order = 0
  #live = 0

  /** Sets, or moves, the owner's timer of that name. */
  set(owner: Owner, name: Owner['timerNames'], at: number): void {
    const entry: Entry<Owner> = { owner, name, at, order: this.#order++ }
    if (!owner.timers.has(name)) this.#live++
    owner.timers.set(name, entry)
    this.#compact()
    this.#heap.push(entry)
    this.#rise(this.#heap.length - 1)
  }

  /** Moves a timer that is set forward, never back. */
  hasten(owner: Owner, name: Owner['timerNames'], at: number): void {
    const entry = owner.timers.get(name) as Entry<Owner> | undefined
    if (entry && at < entry.at) this.set(owner, name, at)
  }

  clear(owner: Owner, name: Owner['timerNames']): void {
    if (owner.timers.delete(name)) this.#live--
    this.#compact()
  }

  clearAll(owner: Owner): void {
    this.#live -= owner.timers.size
    owner.timers.clear()
    this.#compact()
  }

  /** Entries held, live or not. */
  get size(): number {
    return this.#heap.length
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
    this.#live--
    return first
  }

  #dropStale(): void {
    while (this.#heap.length > 0 && !isLive(this.#heap[0]!)) this.#removeFirst()
  }

  /** Each rebuilding is paid for by as many sets before it: constant work per timer. */
  #compact(): void {
    if (this.#heap.length <= SMALL || this.#heap.length <= 2 * this.#live) return
    // In order of time an array is a heap.
    this.#heap = this.#heap.filter(isLive).sort((a, b) => a.at - b.at || a.order - b.order)
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

/** Below this many entries it does not matter. */
const SMALL = 64

function isLive<Owner extends TimerOwner>(entry: Entry<Owner>): boolean {
  return entry.owner.timers.get(entry.name) === entry
}

function isBefore(a: { at: number; order: number }, b: { at: number; order: number }): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function swap<T>(array: T[], i: number, j: number): void {
  const held = array[i]!
  array[i] = array[j]!
  array[j] = held
}
