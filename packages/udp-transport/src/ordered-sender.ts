// Keeps packets in order. ESP over UDP that overtakes itself costs the TCP inside its speed, and beyond the replay window packets.
import type { Socket } from 'node:dgram'
import type { Endpoint } from './endpoint.ts'
import type { Slab } from './send-buffers.ts'

interface Waiting {
  readonly slab: Slab
  readonly start: number
  readonly length: number
  readonly remote: Endpoint
}

/**
 * A runtime with a send queue (Node, Bun) hands packets to the kernel in the order of the calls. One without (Deno) starts each send on
 * its own, and a burst arrives back to front: there the next one waits for the one before, which is also faster.
 */
export class OrderedSender {
  readonly #socket: Socket
  readonly #hasQueue: boolean
  readonly #waiting: Waiting[] = []
  #head = 0
  #current: Slab | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    this.#hasQueue = typeof (socket as Partial<Pick<Socket, 'getSendQueueCount'>>).getSendQueueCount === 'function'
  }

  /** Calls `slab.sent` once, now or later. */
  send(slab: Slab, start: number, length: number, remote: Endpoint): void {
    if (this.#hasQueue) this.#transmit(slab, start, length, remote, slab.sent)
    else if (this.#current !== undefined) this.#waiting.push({ slab, start, length, remote })
    else this.#sendNext(slab, start, length, remote)
  }

  /** Forgets what waits, for a socket that is closed. */
  clear(): void {
    this.#waiting.length = 0
    this.#head = 0
  }

  #sendNext(slab: Slab, start: number, length: number, remote: Endpoint): void {
    this.#current = slab
    this.#transmit(slab, start, length, remote, this.#onSent)
  }

  readonly #onSent = (error: Error | null): void => {
    const sent = this.#current
    this.#current = undefined
    sent?.sent(error)
    if (this.#head === this.#waiting.length) {
      this.#waiting.length = 0
      this.#head = 0
      return
    }
    const { slab, start, length, remote } = this.#waiting[this.#head++]
    this.#sendNext(slab, start, length, remote)
  }

  #transmit(slab: Slab, start: number, length: number, remote: Endpoint, onSent: (error: Error | null) => void): void {
    try {
      this.#socket.send(slab.bytes, start, length, remote.port, remote.address, onSent)
    } catch (error) {
      onSent(error as Error)
    }
  }
}
