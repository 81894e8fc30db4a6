/** A worker's ways to the others: packets from its TUN queue that are theirs, and connections that came to the wrong listener. */
import type { MessagePort } from 'node:worker_threads'
import type { PacketBatch } from '@underpass/session-manager'
import type { Origin } from '@underpass/tls-transport'
import { packPackets, unpackPackets } from './handed-packets.ts'
import type { StreamMessage } from './handed-streams.ts'
import type { ToNeighbour, WorkerStart } from './messages.ts'
import type { OwnerTable } from './owner-table.ts'

export interface NeighbourHandlers {
  /** The batch is lent for the call. */
  onPackets(batch: PacketBatch): void
  /** The descriptor is the receiver's. */
  onConnection(listener: number, descriptor: number, origin: Origin | undefined): void
  onStream(worker: number, message: StreamMessage): void
}

export class Neighbours {
  /** 'tun-no-policy' as the core counts it where it is alone. */
  readonly counters = {
    'tun-no-policy': 0,
    'worker.packetsHandedOver': 0,
    'worker.packetsRefused': 0,
    'worker.connectionsHandedOver': 0,
    'worker.streamsHandedOver': 0,
  }
  readonly #index: number
  readonly #ports: readonly (MessagePort | undefined)[]
  readonly #backlog: Int32Array
  readonly #owners: OwnerTable
  /** Of the batch in hand, by worker: the places of its packets. */
  readonly #places: readonly number[][]

  constructor({ index, neighbours, backlog }: WorkerStart, owners: OwnerTable) {
    this.#index = index
    this.#ports = neighbours
    this.#backlog = new Int32Array(backlog)
    this.#owners = owners
    this.#places = neighbours.map(() => [])
  }

  /** What came before waits in the ports. */
  listen(handlers: NeighbourHandlers): void {
    for (const [worker, port] of this.#ports.entries())
      port?.on('message', (message: ToNeighbour) => this.#received(worker, message, handlers))
  }

  /** Packets for which there is no Child SA here. */
  handOver(batch: PacketBatch): void {
    for (const its of this.#places) its.length = 0
    for (let i = 0; i < batch.count; i++) {
      const owner = this.#owners.find(batch.buffer, batch.offsets[i]!, batch.lengths[i]!)
      if (owner === undefined || this.#ports[owner] === undefined) this.counters['tun-no-policy']++
      else this.#places[owner]!.push(i)
    }
    for (let owner = 0; owner < this.#places.length; owner++) {
      const its = this.#places[owner]!
      if (its.length > 0) this.#sendPackets(owner, batch, its)
    }
  }

  /** False where there is no such worker; the descriptor stays the caller's then. */
  hasWorker(worker: number): boolean {
    return this.#ports[worker] !== undefined
  }

  giveConnection(worker: number, listener: number, descriptor: number, origin: Origin | undefined): void {
    this.counters['worker.connectionsHandedOver']++
    this.#ports[worker]!.postMessage({ kind: 'connection', listener, descriptor, origin } satisfies ToNeighbour)
  }

  sendOfStream(worker: number, message: StreamMessage): void {
    const { said } = message
    if (said.what === 'open') this.counters['worker.streamsHandedOver']++
    this.#ports[worker]!.postMessage({ kind: 'stream', message } satisfies ToNeighbour, said.what === 'octets' ? [said.octets] : [])
  }

  close(): void {
    for (const port of this.#ports) port?.close()
  }

  #sendPackets(owner: number, batch: PacketBatch, places: readonly number[]): void {
    // As an interface's queue would drop: what is posted has no other bound.
    if (Atomics.load(this.#backlog, owner) > MAX_BACKLOG) {
      this.counters['worker.packetsRefused'] += places.length
      return
    }
    const packed = packPackets(batch, places)
    Atomics.add(this.#backlog, owner, packed.byteLength)
    this.counters['worker.packetsHandedOver'] += places.length
    this.#ports[owner]!.postMessage({ kind: 'packets', packed } satisfies ToNeighbour, [packed])
  }

  #received(worker: number, message: ToNeighbour, handlers: NeighbourHandlers): void {
    switch (message.kind) {
      case 'packets':
        Atomics.sub(this.#backlog, this.#index, message.packed.byteLength)
        handlers.onPackets(unpackPackets(message.packed))
        return
      case 'connection':
        handlers.onConnection(message.listener, message.descriptor, message.origin)
        return
      case 'stream':
        handlers.onStream(worker, message.message)
        return
      default:
        message satisfies never
    }
  }
}

/** Octets that may wait for one worker. */
const MAX_BACKLOG = 4_194_304
