import type { PacketBatch } from './packet-batch.ts'

/** A network interface of the host whose packets this process reads and writes. IP packets, no link layer. */
export interface TunDevice {
  /** Name of the interface on the host's side. */
  readonly name: string
  readonly kind: 'tun' | 'packet' | 'memory'
  /** Octets; what the interface had when it was opened. */
  readonly mtu: number
  /**
   * Begins to read. `batch` and its buffer are lent for the call: the next one overwrites them. `onError` is told once when the
   * interface is gone; the device has closed itself then.
   */
  start(onPackets: (batch: PacketBatch) => void, onError?: (error: TunError) => void): void
  /** Reads no more until {@link TunDevice.resume}; what the host sends then waits in the interface's queue, and past that is dropped there. */
  pause(): void
  resume(): void
  /** Hands packets to the host, synchronously. The buffer is the caller's again on return. What the host refuses is counted, not thrown. */
  write(batch: PacketBatch): void
  readonly counters: Readonly<TunCounters>
  /** Idempotent. After it nothing is delivered, writes are ignored, and nothing keeps the process alive. */
  close(): void
}

/** Totals since the device was opened. */
export interface TunCounters {
  packetsRead: number
  octetsRead: number
  packetsWritten: number
  octetsWritten: number
  /** System calls that returned packets. Fewer than packets where the kernel hands over super-packets. */
  reads: number
  /** System calls that took packets. */
  writes: number
  /** Read, but not an IP packet, or a super-packet that contradicts itself. */
  readDrops: number
  /** Refused by the host: interface down, malformed packet, no buffers. */
  writeDrops: number
}

/** All at 0. */
export function createCounters(): TunCounters {
  return {
    packetsRead: 0,
    octetsRead: 0,
    packetsWritten: 0,
    octetsWritten: 0,
    reads: 0,
    writes: 0,
    readDrops: 0,
    writeDrops: 0,
  }
}

/**
 * - `UNAVAILABLE`: no native calls here (koffi), or no /dev/net/tun.
 * - `PERMISSION_DENIED`: the device file or the network namespace is somebody else's.
 * - `NAME_IN_USE`: another process has this TUN, or the name belongs to an interface of another kind.
 * - `NO_SUCH_INTERFACE`
 * - `INTERFACE_GONE`: the interface was removed while the device was open.
 * - `ARGUMENT`: a name or MTU that no interface can have.
 * - `COMMAND_FAILED`: `ip` did not do what was asked; the message has its words.
 * - `SYSTEM`: any other failing call; `cause` has it.
 */
export type TunErrorCode =
  | 'UNAVAILABLE'
  | 'PERMISSION_DENIED'
  | 'NAME_IN_USE'
  | 'NO_SUCH_INTERFACE'
  | 'INTERFACE_GONE'
  | 'ARGUMENT'
  | 'COMMAND_FAILED'
  | 'SYSTEM'

/** The only error class of this package. */
export class TunError extends Error {
  readonly code: TunErrorCode
  readonly context: { readonly interface?: string; readonly errno?: string }

  constructor(code: TunErrorCode, message: string, context: TunError['context'] = {}, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TunError'
    this.code = code
    this.context = context
  }
}
