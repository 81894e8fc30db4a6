/** A TUN whose queues are the workers'; this thread only keeps it, and knows what it is called. */
import {
  adoptTunQueue,
  createCounters,
  openTunQueues,
  type TunCounters,
  type TunDevice,
  type TunOptions,
  type TunQueue,
  type TunQueues,
} from '@underpass/tun-device'

export class QueuedTun implements TunDevice {
  readonly kind = 'tun'
  readonly name: string
  readonly mtu: number
  /** What the workers last said, together. */
  counters: TunCounters = createCounters()
  readonly #opened: TunQueues
  #given = 0

  /** Throws `TunError`. */
  constructor(options: TunOptions, workers: number) {
    this.#opened = openTunQueues(options, workers)
    this.name = this.#opened.name
    this.mtu = this.#opened.mtu
  }

  /** Each once; it is the worker's to close. */
  give(worker: number): TunQueue {
    this.#given = Math.max(this.#given, worker + 1)
    return this.#opened.queues[worker]!
  }

  close(): void {
    for (const queue of this.#opened.queues.slice(this.#given)) adoptTunQueue(queue).close()
    this.#given = this.#opened.queues.length
    this.#opened.close()
  }

  start(): void {}
  pause(): void {}
  resume(): void {}
  write(): void {}
}
