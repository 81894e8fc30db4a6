/** Where the TUN device goes: it may come late, be exchanged, or fail, and the loop does not care. */
import type { Input, PacketBatch } from '../contract.ts'
import type { DriverFailure, TunPort } from './ports.ts'

export interface TunSlotOptions {
  hand(input: Input): void
  report(failure: DriverFailure): void
}

export class TunSlot {
  readonly #options: TunSlotOptions
  readonly counters = { 'driver.tunUnattached': 0, 'driver.tunFailed': 0 }
  #tun: TunPort | undefined
  /** One object for every batch: the core is lent it, as it is lent the octets. */
  readonly #input: { kind: 'tun-packets'; batch: PacketBatch } = { kind: 'tun-packets', batch: EMPTY_BATCH }

  constructor(options: TunSlotOptions) {
    this.#options = options
  }

  /** `undefined` detaches. */
  attach(tun: TunPort | undefined): void {
    this.#tun = tun
    if (tun === undefined) return
    tun.start(
      (batch) => {
        if (this.#tun !== tun) return
        this.#input.batch = batch
        this.#options.hand(this.#input)
      },
      (error) => {
        if (this.#tun !== tun) return
        this.#tun = undefined
        this.#options.report({ code: 'TUN_FAILED', isFatal: false, error })
      },
    )
  }

  /** Without a device the packets are dropped and counted. */
  write(batch: PacketBatch): void {
    if (this.#tun === undefined) {
      this.counters['driver.tunUnattached'] += batch.count
      return
    }
    try {
      this.#tun.write(batch)
    } catch (error) {
      if (this.counters['driver.tunFailed']++ === 0) this.#options.report({ code: 'TUN_FAILED', isFatal: false, error })
    }
  }

  /** The driver has stopped. */
  halt(): void {
    this.#tun?.pause()
  }
}

const EMPTY_BATCH: PacketBatch = { buffer: new Uint8Array(0), offsets: new Uint32Array(0), lengths: new Uint32Array(0), count: 0 }
