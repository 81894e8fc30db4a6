/** A core whose answers the test writes, and ports that remember. Inputs are kept as text, because what is lent may not be kept. */
import type { CryptoResult, CryptoWork, Endpoint, Input, Output, PacketBatch } from '../../src/contract.ts'
import { type DrivenCore, Driver, type DriverFailure, type StreamHandlers, type StreamPort } from '../../src/driver.ts'
import type { SessionStatus } from '../../src/status.ts'

export const LOCAL: Endpoint = { address: '192.0.2.1', port: 4500 }
export const REMOTE: Endpoint = { address: '198.51.100.7', port: 40_000 }

export class ScriptedCore implements DrivenCore {
  readonly log: string[] = []
  /** What to put out for an input; nothing where it answers undefined. */
  answer: (input: Input) => readonly Output[] | undefined = () => undefined
  waitUntil = Number.POSITIVE_INFINITY
  liveSas = 0
  readonly #outputs: Output[] = []
  #isDrained = true

  handleInput(input: Input, now: number): void {
    if (!this.#isDrained) throw new Error(`re-entered with ${describe(input)}`)
    this.#isDrained = false
    this.log.push(`${now} ${describe(input)}`)
    this.#outputs.push(...(this.answer(input) ?? []))
  }

  say(...outputs: readonly Output[]): void {
    this.#outputs.push(...outputs)
  }

  pollOutput(): Output {
    const output = this.#outputs.shift()
    if (output !== undefined) return output
    this.#isDrained = true
    return { kind: 'wait-until', time: this.waitUntil }
  }

  inspect(): SessionStatus {
    const ikeSas = Array.from({ length: this.liveSas }) as SessionStatus['ikeSas']
    return { peers: [], ikeSas, connections: [], halfOpen: 0, counters: { core: 1 } }
  }
}

export class VirtualClock {
  time = 0
  scheduled = 0
  readonly #timers = new Map<number, { at: number; wake: () => void }>()

  now(): number {
    return this.time
  }

  schedule(at: number, wake: () => void): () => void {
    const id = ++this.scheduled
    this.#timers.set(id, { at, wake })
    return () => void this.#timers.delete(id)
  }

  get pending(): number {
    return this.#timers.size
  }

  /** Moves on to a time, firing what falls due, in order. */
  advanceTo(time: number): void {
    for (;;) {
      const [next] = [...this.#timers].filter(([, timer]) => timer.at <= time).sort(([, a], [, b]) => a.at - b.at)
      if (next === undefined) break
      this.#timers.delete(next[0])
      this.time = Math.max(this.time, next[1].at)
      next[1].wake()
    }
    this.time = time
  }
}

export class MemoryStream implements StreamPort {
  readonly local = LOCAL
  readonly remote = REMOTE
  readonly calls: string[] = []
  takes = true
  room?: number

  write(bytes: Uint8Array): boolean {
    this.calls.push(`write ${bytes.join(' ')}`)
    return this.takes
  }
  end(): void {
    this.calls.push('end')
  }
  reset(): void {
    this.calls.push('reset')
  }
}

export class MemoryTunPort {
  readonly calls: string[] = []
  deliver: (batch: PacketBatch) => void = () => {}
  onWrite: () => void = () => {}

  start(onPackets: (batch: PacketBatch) => void): void {
    this.calls.push('start')
    this.deliver = onPackets
  }
  pause(): void {
    this.calls.push('pause')
  }
  write(batch: PacketBatch): void {
    this.calls.push(`write ${packetsOf(batch)}`)
    this.onWrite()
  }
}

export interface Dial {
  readonly handlers: StreamHandlers
  open(stream: StreamPort): Promise<void>
  fail(error: Error): Promise<void>
  isCancelled: boolean
}

/** A running driver over a scripted core, and a hand on each of its ports. */
export function makeBench(
  options: {
    crypto?: (work: CryptoWork) => CryptoResult | Promise<CryptoResult>
    unmatched?: (batch: PacketBatch) => void
    isStarted?: boolean
  } = {},
) {
  const core = new ScriptedCore()
  const clock = new VirtualClock()
  const tun = new MemoryTunPort()
  const dials: Dial[] = []
  const sent: string[] = []
  const failures: DriverFailure[] = []
  let refusal: Error | undefined
  const send = (what: string): void => {
    if (refusal) throw refusal
    sent.push(what)
  }
  const driver = new Driver(core, {
    clock,
    tun,
    ...(options.unmatched === undefined ? {} : { unmatched: options.unmatched }),
    crypto: options.crypto ?? (() => ({ kind: 'failed', detail: 'none' })),
    connect(_remote, _framing, handlers) {
      let settle: { resolve(stream: StreamPort): void; reject(error: Error): void } | undefined
      const opened = new Promise<StreamPort>((resolve, reject) => {
        settle = { resolve, reject }
      })
      const dial: Dial = {
        handlers,
        isCancelled: false,
        async open(stream) {
          settle!.resolve(stream)
          await turn()
        },
        async fail(error) {
          settle!.reject(error)
          await turn()
        },
      }
      dials.push(dial)
      return {
        opened,
        cancel() {
          dial.isCancelled = true
        },
      }
    },
    datagrams: {
      send: (local, remote, message, bytes) => send(`${local.port} > ${remote.port} ${message} ${bytes.join(' ')}`),
      sendBatch: (local, remote, batch) => send(`${local.port} > ${remote.port} esp ${packetsOf(batch)}`),
    },
  })
  driver.onFailure((failure) => void failures.push(failure))
  if (options.isStarted !== false) driver.start()
  const refuseDatagrams = (error: Error): void => {
    refusal = error
  }
  return { core, clock, tun, dials, sent, failures, driver, refuseDatagrams }
}

export function batchOf(...packets: number[][]): PacketBatch {
  const buffer = Uint8Array.from(packets.flat())
  const lengths = Uint32Array.from(packets, (packet) => packet.length)
  const offsets = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0))
  return { buffer, offsets, lengths, count: packets.length }
}

export function packetsOf(batch: PacketBatch): string {
  return Array.from({ length: batch.count }, (_, i) =>
    batch.buffer.subarray(batch.offsets[i], batch.offsets[i]! + batch.lengths[i]!).join(' '),
  ).join(' | ')
}

/** Lets settled promises run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}

function describe(input: Input): string {
  switch (input.kind) {
    case 'network-changed':
      return 'network changed'
    case 'connection-opened':
      return `opened ${input.connection} ${input.role} ${input.framing} ${input.remote.address}`
    case 'connection-bytes':
      return `bytes ${input.connection}: ${input.bytes.join(' ')}`
    case 'connection-closed':
      return `closed ${input.connection} ${input.reason}: ${input.detail}`
    case 'connection-flow':
      return `flow ${input.connection} ${input.state}${input.state === 'drained' && input.room !== undefined ? ` room ${input.room}` : ''}`
    case 'datagram':
      return `datagram ${input.message} ${input.local.port} < ${input.remote.port}: ${input.bytes.join(' ')}`
    case 'datagram-failed':
      return `failed ${input.local.port} > ${input.remote?.port ?? 'anybody'}: ${input.reason}`
    case 'esp-datagrams':
      return `esp ${input.local.port} < ${input.remote.port}: ${packetsOf(input.batch)}`
    case 'tun-packets':
      return `tun ${input.isHandedOver === true ? 'handed over ' : ''}${packetsOf(input.batch)}`
    case 'crypto-result':
      return `crypto ${input.job} ${input.result.kind}${input.result.kind === 'failed' ? `: ${input.result.detail}` : ''}`
    case 'command':
      return `command ${input.command.kind}`
    case 'timeout':
      return 'timeout'
  }
}
