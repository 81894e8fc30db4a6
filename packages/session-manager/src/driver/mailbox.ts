/** Inputs that came while another was being drained, in order. What was lent is copied: its owner takes it back on return. */
import type { ConnectionId, Input, PacketBatch } from '../contract.ts'

export class Mailbox {
  #inputs: Input[] = []
  #head = 0

  get isEmpty(): boolean {
    return this.#head === this.#inputs.length
  }

  put(input: Input): void {
    this.#inputs.push(owned(input))
  }

  take(): Input | undefined {
    if (this.isEmpty) return undefined
    const input = this.#inputs[this.#head++]
    if (this.isEmpty) this.clear()
    return input
  }

  /** Takes out what concerns a connection that the core has closed meanwhile. */
  forget(connection: ConnectionId): void {
    if (this.isEmpty) return
    this.#inputs = this.#inputs.slice(this.#head).filter((input) => !('connection' in input && input.connection === connection))
    this.#head = 0
  }

  clear(): void {
    this.#inputs = []
    this.#head = 0
  }
}

function owned(input: Input): Input {
  switch (input.kind) {
    case 'connection-bytes':
    case 'datagram':
      return { ...input, bytes: input.bytes.slice() }
    case 'tun-packets':
    case 'esp-datagrams':
      return { ...input, batch: copyBatch(input.batch) }
    default:
      return input
  }
}

/** With the free octets around the packets, where devices leave some. */
function copyBatch(batch: PacketBatch): PacketBatch {
  const { buffer, count } = batch
  const offsets = batch.offsets.slice(0, count)
  const lengths = batch.lengths.slice(0, count)
  let start = buffer.length
  let end = 0
  for (let i = 0; i < count; i++) {
    start = Math.min(start, offsets[i]!)
    end = Math.max(end, offsets[i]! + lengths[i]!)
  }
  start = Math.max(0, start - ROOM)
  for (let i = 0; i < count; i++) offsets[i]! -= start
  return { buffer: buffer.slice(start, end + ROOM), offsets, lengths, count, tailroom: Math.min(batch.tailroom ?? 0, ROOM) }
}

const ROOM = 64
