import { setImmediate, setTimeout } from 'node:timers'
import { Errno, type Libc, type Readiness, watchReadable } from '@underpass/native'
import type { PacketBatch } from './packet-batch.ts'
import { type PacketLayout, PacketReader } from './packet-reader.ts'
import { PacketWriter } from './packet-writer.ts'
import { createCounters, type TunCounters, type TunDevice, TunError } from './tun-device.ts'

/**
 * Milliseconds for which turns of the event loop look for packets once more before a thread is sent to wait for them. Sending and
 * waking it takes as long or longer, above all on a busy machine.
 */
const LINGER = 0.05

/** Milliseconds between an interface's going down and the question whether it still exists: removal takes both steps in this order. */
const REMOVAL_TIME = 100

/** `waiting`: for a wake-up. `scheduled`: a turn of the event loop is to come. */
type DeviceState = 'stopped' | 'waiting' | 'scheduled' | 'closed'

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
  #state: DeviceState = 'stopped'
  #idleSince = 0
  #isTurnQueued = false

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
    this.#state = 'scheduled'
    this.#again()
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

  readonly #turn = (): void => {
    this.#isTurnQueued = false
    if (this.#state !== 'scheduled') return
    const result = this.reader.fill()
    const { batch } = this.reader
    if (batch.count > 0) this.#onPackets?.(batch)
    // The callback may have paused or closed the device.
    const state = this.#state as DeviceState
    if (state === 'closed') return
    if (result === 'failed') this.#fail()
    else if (result === 'down') setTimeout(this.#checkInterface, REMOVAL_TIME)
    else if (state === 'stopped') return
    else if (result === 'full' || batch.count > 0) this.#again()
    else this.#idle()
  }

  #again(): void {
    this.#idleSince = 0
    this.#queueTurn()
  }

  #idle(): void {
    const now = performance.now()
    if (this.#idleSince === 0) this.#idleSince = now
    if (now - this.#idleSince < LINGER) this.#queueTurn()
    else this.#wait()
  }

  /** One at a time, also when pause() and resume() were called since the last was queued. */
  #queueTurn(): void {
    if (this.#isTurnQueued) return
    this.#isTurnQueued = true
    setImmediate(this.#turn)
  }

  #wait(): void {
    this.#state = 'waiting'
    this.#readiness.arm(this.#woken)
  }

  readonly #woken = (): void => {
    if (this.#state !== 'waiting') return
    this.counters.wakeUps++
    this.#idleSince = 0
    this.#state = 'scheduled'
    this.#turn()
  }

  /** A packet socket reports once that its interface is down, and works again when that is up again. */
  readonly #checkInterface = (): void => {
    if (this.#state === 'closed') return
    if (this.#libc.ifNameToIndex(this.#interface) === undefined) this.#fail()
    else if (this.#state === 'scheduled') this.#again()
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
