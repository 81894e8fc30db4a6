/** Packets from the TUN for which there is no Child SA here: dropped, or, where the SAs are spread over several cores, given back as one batch. */
import type { PacketBatch } from '../contract.ts'
import type { Core } from '../core.ts'

export class UnmatchedPackets {
  #batch: PacketBatch | undefined
  #offsets = new Uint32Array(0)
  #lengths = new Uint32Array(0)
  #count = 0

  /** `isHandedOver`: another core has already given them back. */
  begin(core: Core, batch: PacketBatch, isHandedOver: boolean): void {
    this.#batch = core.config.shard === undefined || isHandedOver ? undefined : batch
    this.#count = 0
  }

  add(core: Core, offset: number, length: number): void {
    if (this.#batch === undefined) return core.count('tun-no-policy')
    if (this.#offsets.length < this.#batch.count) {
      this.#offsets = new Uint32Array(this.#batch.count)
      this.#lengths = new Uint32Array(this.#batch.count)
    }
    this.#offsets[this.#count] = offset
    this.#lengths[this.#count] = length
    this.#count++
  }

  flush(core: Core): void {
    if (this.#batch === undefined || this.#count === 0) return
    const batch = { buffer: this.#batch.buffer, offsets: this.#offsets, lengths: this.#lengths, count: this.#count }
    core.emit({ kind: 'unmatched-packets', batch })
  }
}
