/**
 * The shell around the core: one loop, one mailbox, one clock. Above this line nothing does IO; here every effect goes out and
 * every cause comes in, one at a time and in order. It imports no runtime: sockets, device, clock and slow cryptography are ports.
 */
import type { Command, DatagramKind, Endpoint, FramingProfileName, Input, Output, PacketBatch } from './contract.ts'
import { Alarm } from './driver/alarm.ts'
import { Connections } from './driver/connections.ts'
import { startCryptoJob } from './driver/crypto-jobs.ts'
import { Datagrams } from './driver/datagrams.ts'
import { Listeners } from './driver/listeners.ts'
import { Mailbox } from './driver/mailbox.ts'
import type { DrivenCore, DriverFailure, DriverPorts, StreamHandlers, StreamPort, TunPort } from './driver/ports.ts'
import { TunSlot } from './driver/tun-slot.ts'
import type { SessionEvent } from './events.ts'
import type { SessionStatus } from './status.ts'

export type * from './driver/ports.ts'

export interface DriverOptions {
  /** How long a connection that was ended may take to send what it holds before it is reset. Default 5,000. */
  readonly lingerMilliseconds?: number
}

export class Driver {
  readonly #core: DrivenCore
  readonly #ports: DriverPorts
  readonly #alarm: Alarm
  readonly #connections: Connections
  readonly #datagrams: Datagrams
  readonly #tun: TunSlot
  readonly #mailbox = new Mailbox()
  readonly #eventListeners = new Listeners<SessionEvent>()
  readonly #failureListeners = new Listeners<DriverFailure>()
  #state: 'idle' | 'running' | 'stopping' | 'stopped' = 'idle'
  #isDraining = false
  #failure: DriverFailure | undefined
  #stop: Promise<void> | undefined
  #acceptToldUntil = Number.NEGATIVE_INFINITY
  readonly #counters = { 'driver.commandRefused': 0, 'driver.acceptFailed': 0 }

  constructor(core: DrivenCore, ports: DriverPorts, options: DriverOptions = {}) {
    this.#core = core
    this.#ports = ports
    this.#alarm = new Alarm(ports.clock, () => this.#hand({ kind: 'timeout' }))
    this.#connections = new Connections({
      clock: ports.clock,
      connect: (...how) => ports.connect(...how),
      hand: this.#handIn,
      lingerMilliseconds: options.lingerMilliseconds ?? 5_000,
    })
    this.#datagrams = new Datagrams({ port: ports.datagrams, hand: this.#handIn, report: this.#report })
    this.#tun = new TunSlot({ hand: this.#handIn, report: this.#report })
  }

  /** The failure that stopped the driver, if one did. */
  get failure(): DriverFailure | undefined {
    return this.#failure
  }

  /** Drains what the core has to say and takes inputs from here on; what came earlier was kept. */
  start(): void {
    if (this.#state !== 'idle') return
    this.#state = 'running'
    if (this.#ports.tun !== undefined) this.attachTun(this.#ports.tun)
    this.#isDraining = true
    this.#drain()
    this.#emptyMailbox()
    this.#isDraining = false
  }

  /**
   * Throws what the core throws with blame 'caller' (no such peer). Given from inside a listener, the command waits its turn and
   * a refusal goes to `onFailure`.
   */
  command(command: Command): void {
    const refusal = this.#hand({ kind: 'command', command })
    if (refusal !== undefined) throw refusal
  }

  acceptConnection(stream: StreamPort, framing: FramingProfileName): StreamHandlers {
    if (this.#state === 'running' || this.#state === 'idle') return this.#connections.accept(stream, framing)
    stream.reset()
    return DEAF
  }

  /** A datagram, its Non-ESP marker taken off. The octets are lent for the call. */
  datagramReceived(local: Endpoint, remote: Endpoint, message: DatagramKind, bytes: Uint8Array): void {
    this.#datagrams.received(local, remote, message, bytes)
  }

  /** ESP packets from one peer, each of a datagram of its own, in order with the datagrams. The batch is lent for the call. */
  espDatagramsReceived(local: Endpoint, remote: Endpoint, batch: PacketBatch): void {
    this.#datagrams.espReceived(local, remote, batch)
  }

  /** An address, an interface or a route of this host came or went. `network`: by what it would be known again. */
  networkChanged(network?: string): void {
    this.#hand({ kind: 'network-changed', ...(network === undefined ? {} : { network }) })
  }

  /** IP packets from another core's TUN queue, for which it had no Child SA. The batch is lent for the call. */
  packetsHandedOver(batch: PacketBatch): void {
    this.#hand({ kind: 'tun-packets', batch, isHandedOver: true })
  }

  /**
   * What a datagram socket says of something sent earlier, such as ICMP's word: as @underpass/udp-transport reports it, with the remote
   * in `context` where it is known. A hint for the core, and counted.
   */
  datagramFailed(local: Endpoint, error: Error): void {
    this.#datagrams.failed(local, undefined, error)
  }

  /** A client has its device only once addresses are assigned; until then packets for it are dropped and counted. `undefined` detaches. */
  attachTun(tun: TunPort | undefined): void {
    this.#tun.attach(tun)
  }

  /** A listener could not accept, for want of descriptors above all. Counted each time, told once in ten seconds. */
  acceptFailed(error: unknown): void {
    const now = this.#ports.clock.now()
    this.#counters['driver.acceptFailed']++
    if (now < this.#acceptToldUntil) return
    this.#acceptToldUntil = now + ACCEPT_FAILURE_INTERVAL
    this.#report({ code: 'ACCEPT_FAILED', isFatal: false, error })
  }

  onEvent(listener: (event: SessionEvent) => void): () => void {
    return this.#eventListeners.add(listener)
  }

  onFailure(listener: (failure: DriverFailure) => void): () => void {
    return this.#failureListeners.add(listener)
  }

  /** The core's status, with the driver's counters among its own. */
  inspect(): SessionStatus {
    const status = this.#core.inspect(this.#ports.clock.now())
    const ours = {
      ...this.#tun.counters,
      ...this.#datagrams.counters,
      ...this.#counters,
      'driver.lateWrites': this.#connections.lateWrites,
    }
    return { ...status, counters: { ...status.counters, ...ours } }
  }

  /**
   * Terminates every peer, gives the Deletes `graceMilliseconds` (default 1,000) to be answered (RFC 9329 §6.1), then ends the
   * connections. Resolves when the last is gone. The TUN is paused; closing it is its owner's.
   */
  stop(options: { readonly graceMilliseconds?: number } = {}): Promise<void> {
    this.#stop ??= this.#windDown(options.graceMilliseconds ?? 1_000)
    return this.#stop
  }

  readonly #handIn = (input: Input): void => void this.#hand(input)

  // One input, then everything it caused. Returns a command's refusal.
  #hand(input: Input): unknown {
    if (this.#state === 'stopped') return undefined
    if (this.#isDraining || this.#state === 'idle') {
      this.#mailbox.put(input)
      return undefined
    }
    this.#isDraining = true
    const refusal = this.#turn(input)
    this.#emptyMailbox()
    this.#isDraining = false
    return refusal
  }

  #emptyMailbox(): void {
    for (let input = this.#mailbox.take(); input !== undefined; input = this.#mailbox.take()) {
      const refusal = this.#turn(input)
      if (refusal === undefined) continue
      this.#counters['driver.commandRefused']++
      this.#report({ code: 'COMMAND_REFUSED', isFatal: false, error: refusal })
    }
  }

  #turn(input: Input): unknown {
    let refusal: unknown
    try {
      this.#core.handleInput(input, this.#ports.clock.now())
    } catch (error) {
      if (input.kind !== 'command' || !isBlamedOnCaller(error)) {
        this.#fail(error)
        return undefined
      }
      refusal = error
    }
    this.#drain()
    return refusal
  }

  #drain(): void {
    while (this.#state !== 'stopped') {
      let output: Output
      try {
        output = this.#core.pollOutput()
      } catch (error) {
        this.#fail(error)
        return
      }
      if (output.kind === 'write-connection') {
        this.#connections.write(output.connection, output.bytes)
        continue
      }
      this.#connections.flush()
      if (output.kind === 'wait-until') {
        this.#alarm.set(output.time)
        return
      }
      this.#perform(output)
    }
  }

  #perform(output: Exclude<Output, { kind: 'write-connection' | 'wait-until' }>): void {
    switch (output.kind) {
      case 'write-tun':
        this.#tun.write(output.batch)
        return
      case 'send-esp-datagrams':
      case 'send-datagram':
        this.#datagrams.send(output)
        return
      case 'open-connection':
        this.#connections.open(output)
        return
      case 'close-connection':
        this.#mailbox.forget(output.connection)
        this.#connections.close(output.connection, output.how)
        return
      case 'report-flow':
        this.#connections.reportFlow(output.connection)
        return
      case 'unmatched-packets':
        this.#ports.unmatched?.(output.batch)
        return
      case 'crypto-job':
        startCryptoJob(this.#ports, output.job, output.work, this.#handIn)
        return
      case 'event':
        this.#eventListeners.tell(output.event, (error) => this.#report({ code: 'LISTENER_FAILED', isFatal: false, error }))
        return
      default:
        output satisfies never
    }
  }

  #fail(error: unknown): void {
    this.#failure = { code: 'CORE_FAILED', isFatal: true, error }
    this.#halt('reset')
    this.#report(this.#failure)
  }

  readonly #report = (failure: DriverFailure): void => this.#failureListeners.tell(failure)

  async #windDown(graceMilliseconds: number): Promise<void> {
    const { clock } = this.#ports
    if (this.#state === 'running') {
      this.#state = 'stopping'
      this.#hand({ kind: 'command', command: { kind: 'terminate' } })
      // Called from inside a listener, what is being drained comes first.
      await Promise.resolve()
      const deadline = clock.now() + graceMilliseconds
      while (this.#isStopping() && clock.now() < deadline && this.#core.inspect(clock.now()).ikeSas.length > 0)
        await new Promise<void>((resolve) => void clock.schedule(Math.min(clock.now() + 10, deadline), resolve))
    }
    if (this.#state !== 'stopped') this.#halt('end')
    await this.#connections.none()
  }

  // The state may change while `#windDown` waits, which the type checker does not see.
  #isStopping(): boolean {
    return this.#state === 'stopping'
  }

  #halt(how: 'end' | 'reset'): void {
    this.#state = 'stopped'
    this.#alarm.cancel()
    this.#mailbox.clear()
    this.#tun.halt()
    this.#connections.closeAll(how)
  }
}

function isBlamedOnCaller(error: unknown): boolean {
  return error instanceof Error && 'blame' in error && error.blame === 'caller'
}

/** Milliseconds. */
const ACCEPT_FAILURE_INTERVAL = 10_000

const DEAF: StreamHandlers = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }
