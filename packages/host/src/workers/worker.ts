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
import type { CertificatePair, FirstLook } from '@underpass/tls-transport'
import { adoptTunQueue, type TunDevice, type TunQueue } from '@underpass/tun-device'
import { chooseAeadProvider, type Runtime, startRuntime } from '../run/index.ts'
import type { StreamLook } from '../run/stream-look.ts'
import { HandedStreams } from './handed-streams.ts'
import { type FromWorker, sentError, type ToWorker, type WorkerStart } from './messages.ts'
import { Neighbours } from './neighbours.ts'
import { OwnerTable } from './owner-table.ts'

export class GatewayWorker {
  readonly #post: (message: FromWorker) => void
  readonly #owners = new OwnerTable()
  #neighbours: Neighbours | undefined
  #streams: HandedStreams | undefined
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
      case 'certificate':
        return this.#replaceCertificate(message.pair)
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
      const streams = new HandedStreams((worker, message) => neighbours.sendOfStream(worker, message))
      this.#streams = streams
      const runtime = await startRuntime({
        sessionConfig: { ...start.sessionConfig, aeadProvider: provider },
        listeners: start.listeners,
        ...(start.credentials && { credentials: start.credentials }),
        tcpTuning: start.tcpTuning,
        cpu: start.cpu,
        sharing: {
          udp: { size: start.count, spiMask: SPI_MASK },
          firstLook: (listener, framing) => firstLook(start, neighbours, listener, framing),
          streamLook: (listener, framing) => streamLook(start, neighbours, streams, listener, framing),
        },
        unmatched: (batch: PacketBatch) => neighbours.handOver(batch),
        onStranger: (error) => this.#mayTell() && this.#post({ kind: 'stranger', text: error.message }),
        onFailure: ({ code, isFatal, error }) => this.#post({ kind: 'failure', code, isFatal, error: sentError(error) }),
      })
      this.#runtime = runtime
      runtime.driver.onEvent((event) => this.#tell(event))
      // Those that started before may have given connections away by now.
      neighbours.listen({
        onPackets: (batch) => runtime.driver.packetsHandedOver(batch),
        onConnection: (listener, descriptor, origin) => runtime.adopt(listener, descriptor, origin),
        onStream: (worker, message) => streams.receive(worker, message, (listener, stream) => runtime.acceptStream(listener, stream)),
      })
      this.#post({ kind: 'started', listening: runtime.listening, cryptoReason: reason })
    } catch (error) {
      this.#neighbours?.close()
      this.#post({ kind: 'start-failed', error: sentError(error) })
    } finally {
      // The listeners have what they need of it (RFC 9325 §3.4).
      for (const { tls } of start.listeners.tcp) tls?.tickets?.octets.fill(0)
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

  #replaceCertificate(pair: CertificatePair): void {
    try {
      this.#runtime?.replaceCertificate(pair)
    } catch (error) {
      this.#post({ kind: 'failure', code: 'COMMAND_REFUSED', isFatal: false, error: sentError(error) })
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
    if ((event.kind === 'dropped' || event.kind === 'limit-reached') && !this.#mayTell()) return
    this.#post({ kind: 'event', event })
  }

  #mayTell(): boolean {
    const second = Math.floor(performance.now() / 1_000)
    if (this.#drops.second !== second) this.#drops = { second, count: 0 }
    return this.#drops.count++ < DROPS_PER_SECOND
  }

  #inspect(): SessionStatus {
    const status = this.#runtime?.driver.inspect() ?? EMPTY
    const counters = { ...status.counters }
    for (const [name, value] of Object.entries(this.#neighbours?.counters ?? {})) counters[name] = (counters[name] ?? 0) + value
    return { ...status, counters }
  }

  async #stop(graceMilliseconds: number): Promise<void> {
    await this.#runtime?.close({ graceMilliseconds })
    // Others say their Deletes on these.
    await this.#streams?.none(graceMilliseconds)
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
      return (descriptor, origin) => neighbours.giveConnection(found.shard, listener, descriptor, origin)
    },
  }
}

/** TLS hides whose a connection is until it is open here: a new IKE SA stays where its TLS is, and of the others the octets go on. */
function streamLook(
  { index, count }: Shard,
  neighbours: Neighbours,
  streams: HandedStreams,
  listener: number,
  framing: FramingProfileName,
): StreamLook {
  return {
    milliseconds: FIRST_LOOK,
    decide(start) {
      const found = shardOfStream(framing, start, count)
      if (found === 'none') return 'keep'
      if ('needs' in found) return found.needs
      const { shard, isNew } = found
      if (isNew || shard === index || !neighbours.hasWorker(shard)) return 'keep'
      return (stream) => streams.give(shard, listener, stream)
    },
  }
}

/** The bits that `shardOfSpi` looks at. */
const SPI_MASK = MAX_SHARDS - 1
const FIRST_LOOK = 2_000
const DROPS_PER_SECOND = 100
const EMPTY: SessionStatus = { peers: [], ikeSas: [], connections: [], halfOpen: 0, counters: {} }
