/** One worker: a core, a driver and sockets as in a gateway of one thread, and what it has to do with the others. */
import {
  type Command,
  type FramingProfileName,
  MAX_SHARDS,
  type PacketBatch,
  type SessionEvent,
  type SessionStatus,
  type Shard,
  shardOfStream,
} from '@underpass/session-manager'
import type { FirstLook } from '@underpass/tls-transport'
import { adoptTunQueue, type TunDevice, type TunQueue } from '@underpass/tun-device'
import { chooseAeadProvider, type Runtime, startRuntime } from '../run/index.ts'
import { type FromWorker, sentError, type ToWorker, type WorkerStart } from './messages.ts'
import { Neighbours } from './neighbours.ts'
import { OwnerTable } from './owner-table.ts'

export class GatewayWorker {
  readonly #post: (message: FromWorker) => void
  readonly #owners = new OwnerTable()
  #neighbours: Neighbours | undefined
  #runtime: Runtime | undefined
  #tun: TunDevice | undefined
  #drops = { second: 0, count: 0 }

  constructor(post: (message: FromWorker) => void) {
    this.#post = post
  }

  async handle(message: ToWorker): Promise<void> {
    switch (message.kind) {
      case 'start':
        return await this.#start(message)
      case 'attach-tun':
        return this.#attachTun(message.queue)
      case 'command':
        return this.#command(message.command)
      case 'owned':
        return this.#owners.add(message.owned)
      case 'disowned':
        return this.#owners.remove(message.child)
      case 'inspect':
        return this.#post({
          kind: 'inspected',
          question: message.question,
          status: this.#inspect(),
          tun: this.#tun && { ...this.#tun.counters },
        })
      case 'stop':
        return await this.#stop(message.graceMilliseconds)
      default:
        message satisfies never
    }
  }

  async #start(start: WorkerStart): Promise<void> {
    try {
      const { provider, reason } = chooseAeadProvider(start.crypto)
      const neighbours = new Neighbours(start, this.#owners)
      this.#neighbours = neighbours
      const runtime = await startRuntime({
        sessionConfig: { ...start.sessionConfig, aeadProvider: provider },
        listeners: start.listeners,
        tcpTuning: start.tcpTuning,
        cpu: start.cpu,
        sharing: {
          udp: { size: start.count, spiMask: SPI_MASK },
          firstLook: (listener, framing) => firstLook(start, neighbours, listener, framing),
        },
        unmatched: (batch: PacketBatch) => neighbours.handOver(batch),
        onFailure: ({ code, isFatal, error }) => this.#post({ kind: 'failure', code, isFatal, error: sentError(error) }),
      })
      this.#runtime = runtime
      runtime.driver.onEvent((event) => this.#tell(event))
      // Those that started before may have given connections away by now.
      neighbours.listen({
        onPackets: (batch) => runtime.driver.packetsHandedOver(batch),
        onConnection: (listener, descriptor) => runtime.adopt(listener, descriptor),
      })
      this.#post({ kind: 'started', listening: runtime.listening, cryptoReason: reason })
    } catch (error) {
      this.#neighbours?.close()
      this.#post({ kind: 'start-failed', error: sentError(error) })
    }
  }

  #attachTun(queue: TunQueue): void {
    try {
      this.#tun = adoptTunQueue(queue)
      this.#runtime?.driver.attachTun(this.#tun)
    } catch (error) {
      this.#post({ kind: 'failure', code: 'TUN_FAILED', isFatal: false, error: sentError(error) })
    }
  }

  #command(command: Command): void {
    try {
      this.#runtime?.driver.command(command)
    } catch (error) {
      this.#post({ kind: 'failure', code: 'COMMAND_REFUSED', isFatal: false, error: sentError(error) })
    }
  }

  /** Drops come by the thousand when they come, and each told is a message to another thread; the counters have them all. */
  #tell(event: SessionEvent): void {
    if (event.kind === 'dropped' || event.kind === 'limit-reached') {
      const second = Math.floor(performance.now() / 1_000)
      if (this.#drops.second !== second) this.#drops = { second, count: 0 }
      if (this.#drops.count++ >= DROPS_PER_SECOND) return
    }
    this.#post({ kind: 'event', event })
  }

  #inspect(): SessionStatus {
    const status = this.#runtime?.driver.inspect() ?? EMPTY
    const counters = { ...status.counters }
    for (const [name, value] of Object.entries(this.#neighbours?.counters ?? {})) counters[name] = (counters[name] ?? 0) + value
    return { ...status, counters }
  }

  async #stop(graceMilliseconds: number): Promise<void> {
    await this.#runtime?.close({ graceMilliseconds })
    this.#neighbours?.close()
    this.#tun?.close()
    this.#post({ kind: 'stopped' })
  }
}

/** What a connection is kept for, and to whom it is given. Who says nothing is IKE's to close, by the prefix timer. */
function firstLook({ index, count }: Shard, neighbours: Neighbours, listener: number, framing: FramingProfileName): FirstLook {
  return {
    milliseconds: FIRST_LOOK,
    decide(start) {
      const found = shardOfStream(framing, start, count)
      if (found === 'none') return 'keep'
      if ('needs' in found) return found.needs
      if (found.shard === index || !neighbours.hasWorker(found.shard)) return 'keep'
      return (descriptor) => neighbours.giveConnection(found.shard, listener, descriptor)
    },
  }
}

/** The bits that `shardOfSpi` looks at. */
const SPI_MASK = MAX_SHARDS - 1
const FIRST_LOOK = 2_000
const DROPS_PER_SECOND = 100
const EMPTY: SessionStatus = { peers: [], ikeSas: [], connections: [], halfOpen: 0, counters: {} }
