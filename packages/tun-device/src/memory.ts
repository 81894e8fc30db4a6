import { batchOf, type PacketBatch } from './packet-batch.ts'
import { createCounters, type TunCounters, type TunDevice, type TunError } from './tun-device.ts'

export interface MemoryTunOptions {
  /** Default `memory0` and `memory1`. */
  readonly names?: readonly [string, string]
  /** Octets; longer packets are dropped when written. Default 1,500. */
  readonly mtu?: number
  /** Packets that wait at an end that does not read, before more are dropped. Default 1,000. */
  readonly queueLength?: number
  /** `microtask`: as soon as the writer has returned. `manual`: when {@link MemoryTun.deliver} is called. Default `microtask`. */
  readonly delivery?: 'microtask' | 'manual'
}

/** Two ends: what is written to one is read at the other, as batches, in order. No device, no native code. */
export function memoryTunPair(options: MemoryTunOptions = {}): [MemoryTun, MemoryTun] {
  const [first, second] = options.names ?? ['memory0', 'memory1']
  const one = new MemoryTun(first, options)
  const other = new MemoryTun(second, options)
  one.connect(other)
  other.connect(one)
  return [one, other]
}

/** One end of {@link memoryTunPair}. */
export class MemoryTun implements TunDevice {
  readonly name: string
  readonly kind = 'memory'
  readonly mtu: number
  readonly counters: TunCounters = createCounters()
  readonly #queueLength: number
  readonly #isManual: boolean
  #peer: MemoryTun | undefined
  #queue: Uint8Array[] = []
  #onPackets: ((batch: PacketBatch) => void) | undefined
  #isReading = false
  #isScheduled = false
  #isClosed = false

  constructor(name: string, options: MemoryTunOptions = {}) {
    this.name = name
    this.mtu = options.mtu ?? 1500
    this.#queueLength = options.queueLength ?? 1000
    this.#isManual = options.delivery === 'manual'
  }

  /** What is written here from now on is read at `peer`. */
  connect(peer: MemoryTun): void {
    this.#peer = peer
  }

  start(onPackets: (batch: PacketBatch) => void, _onError?: (error: TunError) => void): void {
    this.#onPackets = onPackets
    this.resume()
  }

  pause(): void {
    this.#isReading = false
  }

  resume(): void {
    if (this.#isClosed || this.#onPackets === undefined) return
    this.#isReading = true
    this.#schedule()
  }

  write(batch: PacketBatch): void {
    if (this.#isClosed) return
    const accepted: Uint8Array[] = []
    for (let i = 0; i < batch.count; i++) {
      const length = batch.lengths[i]
      if (length === 0 || length > this.mtu) this.counters.writeDrops++
      else accepted.push(batch.buffer.slice(batch.offsets[i], batch.offsets[i] + length))
    }
    this.counters.writes++
    this.counters.packetsWritten += accepted.length
    this.counters.octetsWritten += accepted.reduce((sum, packet) => sum + packet.length, 0)
    this.#peer?.accept(accepted)
  }

  /** Hands everything that waits to the reader, now. Returns the number of packets. */
  deliver(): number {
    if (!this.#isReading || this.#queue.length === 0) return 0
    const packets = this.#queue
    this.#queue = []
    this.counters.reads++
    this.counters.packetsRead += packets.length
    this.counters.octetsRead += packets.reduce((sum, packet) => sum + packet.length, 0)
    this.#onPackets?.(batchOf(packets))
    return packets.length
  }

  close(): void {
    this.#isClosed = true
    this.#isReading = false
    this.#queue = []
  }

  /** The other end's write. */
  accept(packets: readonly Uint8Array[]): void {
    if (this.#isClosed) return
    for (const packet of packets) {
      if (this.#queue.length < this.#queueLength) this.#queue.push(packet)
      else this.counters.readDrops++
    }
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isManual || this.#isScheduled || !this.#isReading || this.#queue.length === 0) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.deliver()
    })
  }
}
