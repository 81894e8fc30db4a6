import { setImmediate, setTimeout } from 'node:timers'
import { Errno, type Libc, type Readiness, watchReadable } from '@underpass/native'
import type { PacketBatch } from './packet-batch.ts'
import { type PacketLayout, PacketReader } from './packet-reader.ts'
import { PacketWriter } from './packet-writer.ts'
import { createCounters, type TunCounters, type TunDevice, TunError } from './tun-device.ts'

/** Turns of the event loop that look for packets once more before a thread is sent to wait for them: a waiting thread costs ~50 µs. */
const IDLE_TURNS = 4

/** Milliseconds between an interface's going down and the question whether it still exists: removal takes both steps in this order. */
const REMOVAL_TIME = 100

/**
 * A device behind a non-blocking descriptor. One turn reads at most one batch, so that sockets and timers get theirs; while packets
 * keep coming the next turn follows at once, and when they stop a poll(2) on a thread of the pool waits for more.
 */
export class DescriptorDevice implements TunDevice {
  readonly name: string
  readonly kind: 'tun' | 'packet'
  readonly mtu: number
  readonly counters: TunCounters = createCounters()
  readonly reader: PacketReader
  readonly writer: PacketWriter
  readonly #libc: Libc
  readonly #fd: number
  readonly #interface: string
  readonly #readiness: Readiness
  #onPackets: ((batch: PacketBatch) => void) | undefined
  #onError: ((error: TunError) => void) | undefined
  #state: 'stopped' | 'waiting' | 'scheduled' | 'closed' = 'stopped'
  #idleTurns = 0

  /** `name` is the host's side, `descriptorInterface` the one that the descriptor belongs to; only a packet device has two. */
  constructor(libc: Libc, fd: number, kind: 'tun' | 'packet', name: string, descriptorInterface: string, layout: PacketLayout) {
    this.name = name
    this.#interface = descriptorInterface
    this.kind = kind
    this.mtu = layout.mtu
    this.#libc = libc
    this.#fd = fd
    this.reader = new PacketReader(libc, fd, layout, this.counters)
    this.writer = new PacketWriter(libc, fd, layout, this.counters)
    this.#readiness = watchReadable(libc, fd)
  }

  start(onPackets: (batch: PacketBatch) => void, onError?: (error: TunError) => void): void {
    this.#onPackets = onPackets
    this.#onError = onError
    this.resume()
  }

  pause(): void {
    if (this.#state === 'closed') return
    this.#state = 'stopped'
    this.#readiness.disarm()
  }

  resume(): void {
    if (this.#state !== 'stopped' || this.#onPackets === undefined) return
    this.#schedule()
  }

  write(batch: PacketBatch): void {
    if (this.#state !== 'closed') this.writer.write(batch)
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#readiness.close()
    this.#libc.close(this.#fd)
  }

  #schedule(): void {
    this.#state = 'scheduled'
    setImmediate(this.#turn)
  }

  readonly #turn = (): void => {
    if (this.#state !== 'scheduled') return
    const result = this.reader.fill()
    const { batch } = this.reader
    if (batch.count > 0) this.#onPackets?.(batch)
    // The callback may have paused or closed the device.
    if ((this.#state as string) !== 'scheduled') return
    if (result === 'failed') this.#fail()
    else if (result === 'down') setTimeout(this.#checkInterface, REMOVAL_TIME)
    else if (result === 'full' || batch.count > 0) this.#again()
    else if (this.#idleTurns++ < IDLE_TURNS) setImmediate(this.#turn)
    else this.#wait()
  }

  #again(): void {
    this.#idleTurns = 0
    setImmediate(this.#turn)
  }

  #wait(): void {
    this.#state = 'waiting'
    this.#readiness.arm(this.#woken)
  }

  readonly #woken = (): void => {
    if (this.#state !== 'waiting') return
    this.counters.wakeUps++
    this.#idleTurns = 0
    this.#state = 'scheduled'
    this.#turn()
  }

  /** A packet socket reports once that its interface is down, and works again when that is up again. */
  readonly #checkInterface = (): void => {
    if (this.#state !== 'scheduled') return
    if (this.#libc.ifNameToIndex(this.#interface) === undefined) this.#fail()
    else this.#again()
  }

  #fail(): void {
    const errno = this.#libc.errnoName(this.reader.errno)
    const isGone = this.reader.errno === Errno.EBADFD || this.reader.errno === Errno.ENETDOWN
    const onError = this.#onError
    this.close()
    const text = `${this.name}: ${this.#libc.errnoText(this.reader.errno)}`
    onError?.(new TunError(isGone ? 'INTERFACE_GONE' : 'SYSTEM', text, { interface: this.name, errno }))
  }
}
