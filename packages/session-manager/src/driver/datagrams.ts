/** Datagrams in, out, and not got there. What the system or ICMP says of them becomes a hint for the core (RFC 7296 §2.4). */
import type { DatagramKind, Endpoint, Input, Output, PacketBatch } from '../contract.ts'
import type { DatagramPort, DriverFailure } from './ports.ts'

export interface DatagramsOptions {
  readonly port: DatagramPort
  hand(input: Input): void
  report(failure: DriverFailure): void
}

export class Datagrams {
  readonly #options: DatagramsOptions
  readonly counters = { 'driver.datagramFailed': 0 }
  /** One object for every datagram: the core is lent it, as it is lent the octets. */
  readonly #input: { kind: 'datagram'; local: Endpoint; remote: Endpoint; message: DatagramKind; bytes: Uint8Array } = {
    kind: 'datagram',
    local: ANYWHERE,
    remote: ANYWHERE,
    message: 'keepalive',
    bytes: new Uint8Array(0),
  }

  readonly #espInput: { kind: 'esp-datagrams'; local: Endpoint; remote: Endpoint; batch: PacketBatch } = {
    kind: 'esp-datagrams',
    local: ANYWHERE,
    remote: ANYWHERE,
    batch: EMPTY_BATCH,
  }

  constructor(options: DatagramsOptions) {
    this.#options = options
  }

  received(local: Endpoint, remote: Endpoint, message: DatagramKind, bytes: Uint8Array): void {
    const input = this.#input
    input.local = local
    input.remote = remote
    input.message = message
    input.bytes = bytes
    this.#options.hand(input)
  }

  espReceived(local: Endpoint, remote: Endpoint, batch: PacketBatch): void {
    const input = this.#espInput
    input.local = local
    input.remote = remote
    input.batch = batch
    this.#options.hand(input)
  }

  send(output: Extract<Output, { kind: 'send-datagram' | 'send-esp-datagrams' }>): void {
    const { port, report } = this.#options
    try {
      if (output.kind === 'send-datagram') port.send(output.local, output.remote, output.message, output.bytes)
      else port.sendBatch(output.local, output.remote, output.batch)
    } catch (error) {
      if (this.counters['driver.datagramFailed'] === 0) report({ code: 'DATAGRAM_FAILED', isFatal: false, error })
      this.failed(output.local, output.remote, error)
    }
  }

  /** `remote` is read from the error's context where it is not known otherwise. */
  failed(local: Endpoint, remote: Endpoint | undefined, error: unknown): void {
    this.counters['driver.datagramFailed']++
    // The packet was at fault, not the way.
    if (isObject(error) && (error.code === 'MESSAGE_TOO_LONG' || error.code === 'EMSGSIZE')) return
    const reason = error instanceof Error ? error.message : String(error)
    this.#options.hand({ kind: 'datagram-failed', local, remote: remote ?? remoteIn(error), reason })
  }
}

/** As the transport's errors have it in their `context`, and the runtimes' own in themselves. */
function remoteIn(error: unknown): Endpoint | undefined {
  if (!isObject(error)) return undefined
  const { address, port } = isObject(error.context) ? error.context : error
  return typeof address === 'string' && typeof port === 'number' ? { address, port } : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

const ANYWHERE: Endpoint = { address: '', port: 0 }
const EMPTY_BATCH: PacketBatch = { buffer: new Uint8Array(0), offsets: new Uint32Array(0), lengths: new Uint32Array(0), count: 0 }
