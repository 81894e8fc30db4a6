import { setImmediate, setTimeout } from 'node:timers'
import { Errno, type Libc, PollEvent, sharedReactor, type Watch } from '@underpass/native'
import type { PacketBatch } from './packet-batch.ts'
import { type PacketLayout, PacketReader } from './packet-reader.ts'
import { PacketWriter } from './packet-writer.ts'
import { createCounters, type TunCounters, type TunDevice, TunError } from './tun-device.ts'

/** Milliseconds between an interface's going down and the question whether it still exists: removal takes both steps in this order. */
const REMOVAL_TIME = 100

/**
 * A device behind a non-blocking descriptor, under the reactor that the sockets are under too. One turn reads at most one batch, so that
 * sockets and timers get theirs.
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
  readonly #watch: Watch
  #onPackets: ((batch: PacketBatch) => void) | undefined
  #onError: ((error: TunError) => void) | undefined
  #state: 'stopped' | 'reading' | 'closed' = 'stopped'
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
    this.#watch = sharedReactor().watch(fd, 0, this.#ready)
  }

  start(onPackets: (batch: PacketBatch) => void, onError?: (error: TunError) => void): void {
    this.#onPackets = onPackets
    this.#onError = onError
    this.resume()
  }

  pause(): void {
    if (this.#state === 'closed') return
    this.#state = 'stopped'
    this.#watch.want(0)
  }

  resume(): void {
    if (this.#state !== 'stopped' || this.#onPackets === undefined) return
    this.#state = 'reading'
    this.#watch.want(PollEvent.POLLIN)
    this.#finish()
  }

  write(batch: PacketBatch): void {
    if (this.#state !== 'closed') this.writer.write(batch)
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#watch.close()
    this.#libc.close(this.#fd)
  }

  /** Errors are told while it is paused, too: the read that follows says what they are. */
  readonly #ready = (): void => {
    if (this.#state === 'closed') return
    const result = this.reader.fill()
    const { batch } = this.reader
    if (batch.count > 0) this.#onPackets?.(batch)
    if (this.#isClosed()) return
    if (result === 'failed') this.#fail()
    else if (result === 'down') setTimeout(this.#checkInterface, REMOVAL_TIME)
    else this.#finish()
  }

  /** Of what is left of a super-packet that was read the kernel knows nothing: no event would come for it. */
  #finish(): void {
    if (this.#isTurnQueued || this.#state !== 'reading' || !this.reader.hasMore) return
    this.#isTurnQueued = true
    setImmediate(this.#goOn)
  }

  readonly #goOn = (): void => {
    this.#isTurnQueued = false
    // An event may have been quicker.
    if (this.#state === 'reading' && this.reader.hasMore) this.#ready()
  }

  // The callback may have closed the device, which the type checker does not see.
  #isClosed(): boolean {
    return this.#state === 'closed'
  }

  /** A packet socket reports once that its interface is down, and works again when that is up again. */
  readonly #checkInterface = (): void => {
    if (this.#state !== 'closed' && this.#libc.ifNameToIndex(this.#interface) === undefined) this.#fail()
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
