/**
 * A gateway of several threads: each worker has a core, a driver, sockets on the same ports and a TUN queue of its own; this thread tells
 * them of each other, and is to the program what one session is. No packet passes here.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { Limits, SessionEvent, SessionStatus } from '@underpass/session-manager'
import type { DriverFailure, TunPort } from '@underpass/session-manager/driver'
import { type CertificatePair, type TicketSecret, ticketSecret } from '@underpass/tls-transport'
import type { RunningSession, SessionOptions } from '../program/ports.ts'
import type { RuntimeOptions } from '../run/index.ts'
import { withoutShadowed } from '../run/runtime.ts'
import { requireFreePorts } from './free-ports.ts'
import { Identities } from './identities.ts'
import { mergedStatus, summed } from './merged-status.ts'
import { receivedError, type WorkerStart } from './messages.ts'
import { slicedPeers } from './pool-slices.ts'
import { QueuedTun } from './queued-tun.ts'
import { type Started, WorkerThread } from './worker-thread.ts'

/** Throws what the first listener that cannot be bound threw; no thread stays then. */
export async function startWorkers(options: SessionOptions, count: number): Promise<RunningSession> {
  const supervisor = new Supervisor(options, count)
  try {
    await supervisor.start()
  } catch (error) {
    await supervisor.close()
    throw error
  }
  return supervisor
}

class Supervisor implements RunningSession {
  readonly #options: SessionOptions
  readonly #threads: readonly WorkerThread[]
  readonly #identities: Identities
  readonly #eventListeners = new Set<(event: SessionEvent) => void>()
  readonly #failureListeners = new Set<(failure: DriverFailure) => void>()
  #started: Started | undefined
  #tun: QueuedTun | undefined
  #lastStatus: SessionStatus = mergedStatus([])

  constructor(options: SessionOptions, count: number) {
    this.#options = options
    this.#identities = new Identities(options.sessionConfig.limits.maxIkeSasPerIdentity)
    this.#threads = Array.from(
      { length: count },
      (_, index) =>
        new WorkerThread(
          index,
          (from, message) => {
            if (message.kind === 'event') this.#heed(from, message.event)
            else if (message.kind === 'stranger') this.#options.onStranger?.(message.text)
            else this.#fail({ code: message.code, isFatal: message.isFatal, error: receivedError(message.error) })
          },
          (_from, error) => this.#fail({ code: 'CORE_FAILED', isFatal: true, error }),
        ),
    )
  }

  get listening(): RunningSession['listening'] {
    return this.#started?.listening ?? { tcp: [], udp: [] }
  }

  get cryptoReason(): string {
    return this.#started?.cryptoReason ?? ''
  }

  readonly driver: RunningSession['driver'] = {
    attachTun: (tun: TunPort | undefined) => this.#attachTun(tun),
    command: (command) => {
      for (const thread of this.#threads) thread.post({ kind: 'command', command })
    },
    inspect: () => this.#lastStatus,
    onEvent: (listener) => subscribed(this.#eventListeners, listener),
    onFailure: (listener) => subscribed(this.#failureListeners, listener),
  }

  /** One after the other: the kernel counts the sockets of a port in the order in which they are bound. */
  async start(): Promise<void> {
    const { listeners } = this.#options
    const count = this.#threads.length
    const channels = channelsAmong(count)
    const tickets = ticketSecret()
    const backlog = new SharedArrayBuffer(4 * count)
    let ports: RuntimeOptions['listeners'] = { ...listeners, tcp: withTickets(withoutShadowed(listeners.tcp), tickets) }
    try {
      await requireFreePorts(ports)
      for (const [index, thread] of this.#threads.entries()) {
        const message: WorkerStart = {
          kind: 'start',
          index,
          count,
          sessionConfig: this.#configFor(index),
          crypto: this.#options.crypto,
          credentials: this.#options.credentials,
          tcpTuning: this.#options.tcpTuning,
          cpu: this.#options.cpus[index],
          listeners: ports,
          neighbours: channels[index]!,
          backlog,
        }
        const started = await thread.start(message)
        this.#started ??= started
        ports = withPorts(ports, this.#started.listening)
      }
    } finally {
      // Each worker has its own (RFC 9325 §3.4).
      tickets.octets.fill(0)
    }
  }

  async inspect(): Promise<SessionStatus> {
    const answers = await Promise.all(this.#threads.map((thread) => thread.inspect()))
    this.#lastStatus = mergedStatus(answers.map((answer) => answer?.status ?? mergedStatus([])))
    if (this.#tun) Object.assign(this.#tun.counters, summed(answers.flatMap((answer) => (answer?.tun ? [{ ...answer.tun }] : []))))
    return this.#lastStatus
  }

  replaceCertificate(pair: CertificatePair): void {
    for (const thread of this.#threads) thread.post({ kind: 'certificate', pair })
  }

  async close({ graceMilliseconds = 1_000 }: { readonly graceMilliseconds?: number } = {}): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop(graceMilliseconds)))
  }

  #attachTun(tun: TunPort | undefined): void {
    if (!(tun instanceof QueuedTun)) throw new TypeError('a TUN with a queue for each worker is needed')
    this.#tun = tun
    for (const [index, thread] of this.#threads.entries()) thread.post({ kind: 'attach-tun', queue: tun.give(index) })
  }

  #configFor(index: number): WorkerStart['sessionConfig'] {
    const { sessionConfig } = this.#options
    const count = this.#threads.length
    return {
      ...sessionConfig,
      peers: slicedPeers(sessionConfig.peers, index, count),
      limits: dividedLimits(sessionConfig.limits, count),
      shard: { index, count },
    }
  }

  #heed(worker: number, event: SessionEvent): void {
    for (const { worker: other, command } of this.#identities.heed(worker, event)) this.#threads[other]!.post({ kind: 'command', command })
    if (event.kind === 'child-sa-installed') {
      const owned = { worker, child: `${worker} ${event.inboundSpi}`, remoteTs: event.remoteTs }
      for (const [other, thread] of this.#threads.entries()) if (other !== worker) thread.post({ kind: 'owned', owned })
    } else if (event.kind === 'child-sa-removed') {
      const child = `${worker} ${event.inboundSpi}`
      for (const [other, thread] of this.#threads.entries()) if (other !== worker) thread.post({ kind: 'disowned', child })
    }
    for (const listener of this.#eventListeners) listener(event)
  }

  #fail(failure: DriverFailure): void {
    for (const listener of this.#failureListeners) listener(failure)
  }
}

/** What memory and handshakes all workers together may cost. What is per address, identity or connection stays as it is. */
export function dividedLimits(limits: Limits, count: number): Limits {
  const share = (limit: number): number => Math.max(1, Math.ceil(limit / count))
  return {
    ...limits,
    // Below a share of maxHalfOpen whatever the two are.
    cookieThreshold: Math.floor(limits.cookieThreshold / count),
    maxHalfOpen: share(limits.maxHalfOpen),
    maxIkeSas: share(limits.maxIkeSas),
    maxConnections: share(limits.maxConnections),
    maxSendQueues: share(limits.maxSendQueues),
  }
}

/** RFC 9329 Appendix B.3: a session is resumed whichever worker a connection comes to. */
function withTickets(listeners: RuntimeOptions['listeners']['tcp'], tickets: TicketSecret): RuntimeOptions['listeners']['tcp'] {
  return listeners.map((config) => (config.tls === undefined ? config : { ...config, tls: { ...config.tls, tickets } }))
}

/** Port 0 was any that is free; all workers have the one that the first found. */
function withPorts(listeners: RuntimeOptions['listeners'], { tcp, udp }: Started['listening']): RuntimeOptions['listeners'] {
  let at = 0
  return {
    tcp: listeners.tcp.map((config, i) => ({ ...config, port: tcp[i]!.port })),
    udp: listeners.udp.map((config) => {
      const { port } = udp[at]!
      // Every address is a socket for each family that the machine has.
      at += config.address === undefined && udp[at + 1]?.port === port && udp[at + 1]?.address === '::' ? 2 : 1
      return { ...config, port }
    }),
  }
}

/** A channel for each two: [worker][other], `undefined` to itself. */
function channelsAmong(count: number): (MessagePort | undefined)[][] {
  const ports: (MessagePort | undefined)[][] = Array.from({ length: count }, () => Array.from({ length: count }, () => undefined))
  for (let a = 0; a < count; a++) {
    for (let b = a + 1; b < count; b++) {
      const { port1, port2 } = new MessageChannel()
      ports[a]![b] = port1
      ports[b]![a] = port2
    }
  }
  return ports
}

function subscribed<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}
