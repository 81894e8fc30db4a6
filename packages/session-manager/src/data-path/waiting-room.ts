/**
 * Where inner packets wait while their connection's socket is full: each connection has its flow queues (RFC 8290), all share one store.
 * They wait here, not in the socket, because only here a packet can still overtake another flow's, and be dropped before a long queue makes
 * all of them late.
 */
import type { ChildSa } from '../child/child-sa.ts'
import type { Core } from '../core.ts'
import { readU32 } from '../octets.ts'
import type { Connection } from '../paths/connection.ts'
import type { CodelTimes } from '../queue/codel.ts'
import { flowKeyOf } from '../queue/flow-key.ts'
import { FlowQueues, type FlowQueuesCounters } from '../queue/flow-queues.ts'
import { PacketStore } from '../queue/packet-store.ts'

/** No connection's queue is longer than this share of what is free, so that those which do not drain cannot use up the store. */
const SHARE = 1 / 8

interface Shared {
  readonly store: PacketStore<ChildSa>
  readonly salt: number
  readonly times: CodelTimes
  readonly counters: FlowQueuesCounters
}

export class WaitingRoom {
  /** Made with the first packet that waits. */
  #shared: Shared | undefined
  /** Connections whose packets began to wait though their sockets are not known to be full. */
  readonly #toAsk: Connection[] = []

  enter(core: Core, connection: Connection, child: ChildSa, packet: Uint8Array, offset: number, length: number): void {
    const { store, salt, times, counters } = this.#sharedOf(core)
    connection.waiting ??= new FlowQueues(store, times, counters, core.config.thinsAcks === true)
    const { waiting } = connection
    const { maxSendQueue } = core.config.limits
    const maxOctets = waiting.storedOctets < store.freeOctets * SHARE ? maxSendQueue : Math.min(maxSendQueue, waiting.octets)
    const flow = flowKeyOf(packet, offset, length, salt)
    const drops = waiting.enqueue(packet, offset, length, flow, child, core.now, maxOctets)
    if (drops > 0) refuseForFullQueue(core, connection, drops)
    if (!connection.isBlocked && !connection.isFlowAsked && !this.#toAsk.includes(connection)) this.#toAsk.push(connection)
  }

  /** At the end of a turn, behind all that is to be written. */
  askForFlow(core: Core): void {
    for (const connection of this.#toAsk) this.awaitFlow(core, connection)
    this.#toAsk.length = 0
  }

  awaitFlow(core: Core, connection: Connection): void {
    connection.isFlowAsked = true
    core.emit({ kind: 'report-flow', connection: connection.id })
  }

  /** Where the packets of `Connection.waiting` lie, once there are any. */
  get store(): PacketStore<ChildSa> {
    return this.#shared!.store
  }

  #sharedOf(core: Core): Shared {
    const { limits, timers } = core.config
    this.#shared ??= {
      store: new PacketStore(limits.maxSendQueues),
      salt: readU32(core.random(4)),
      times: { target: timers.queueTarget, interval: timers.queueInterval },
      counters: {
        dropped: () => core.count('queue-dropped'),
        marked: () => core.count('queue-marked'),
        thinned: () => core.count('queue-thinned'),
      },
    }
    return this.#shared
  }
}

function refuseForFullQueue(core: Core, connection: Connection, packets: number): void {
  core.count('limit-maxSendQueue', packets)
  if (connection.noteFull()) core.event({ kind: 'limit-reached', limit: 'maxSendQueue', remote: connection.remote })
}
