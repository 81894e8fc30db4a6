// Room: the wire. Many datagrams with one system call, in memory that is used again.
import { addressOf, Errno, type Libc, MessageFlag, NAME_WORDS, nativeBuffer, SocketMessages } from '@underpass/native'
import { type Datagram, isIkeOnly, kindOf, NON_ESP_MARKER } from './datagram.ts'
import type { Endpoint, PacketBatch } from './endpoint.ts'
import { Remotes } from './remotes.ts'
import { SOL_UDP, UDP_GRO } from './socket-options.ts'

export interface ReceiveObserver {
  /** Lent for the call. */
  onEspBatch(batch: PacketBatch, remote: Endpoint): void
  /** Lent for the call; for IKE without its marker. */
  onDatagram(buffer: Uint8Array, offset: number, length: number, kind: Datagram, remote: Endpoint): void
  onMalformed(): void
}

/** `more`: the budget is spent. `some` and `none`: the socket is empty, and something or nothing was in it. `failed`: {@link DatagramReceiver.errno}. */
export type ReceiveState = 'more' | 'some' | 'none' | 'failed'

export interface ReceiveRoom {
  /** Messages received with one call. */
  readonly messages: number
  /** Octets for each: what is longer is cut off, and dropped. */
  readonly messageLength: number
}

const ROOM: ReceiveRoom = { messages: 16, messageLength: 0x10000 }
/** Datagrams a turn, though the last message may hold many more. */
const BUDGET = 128
const MAX_BATCH = 2048
/** Beside what divides the processor's caches evenly, or the beginnings of all messages would compete for the same few lines. */
const GAP = 192

export class DatagramReceiver {
  errno = 0
  readonly #libc: Libc
  readonly #fd: number
  readonly #localPort: number
  readonly #observer: ReceiveObserver
  readonly #room: ReceiveRoom
  readonly #messages: SocketMessages
  readonly #remotes: Remotes
  readonly #batch: PacketBatch
  #isClosed = false

  constructor(libc: Libc, fd: number, localPort: number, observer: ReceiveObserver, room: ReceiveRoom = ROOM) {
    this.#libc = libc
    this.#fd = fd
    this.#localPort = localPort
    this.#observer = observer
    this.#room = room
    this.#remotes = new Remotes(libc)
    this.#messages = new SocketMessages(room.messages, room.messages, 64)
    const stride = room.messageLength + GAP
    const { bytes } = nativeBuffer(stride * room.messages)
    this.#batch = { buffer: bytes, offsets: new Uint32Array(MAX_BATCH), lengths: new Uint32Array(MAX_BATCH), count: 0 }
    for (let i = 0; i < room.messages; i++) {
      this.#messages.setVector(i, addressOf(bytes) + stride * i, room.messageLength)
      this.#messages.setVectors(i, i, 1)
    }
  }

  /** Hands over what the socket holds, as far as the budget of a turn goes. */
  receive(): ReceiveState {
    const messages = this.#messages
    const { count } = messages
    let datagrams = 0
    while (datagrams < BUDGET) {
      for (let i = 0; i < count; i++) messages.prepare(i)
      const result = this.#libc.recvmmsg(this.#fd, messages.address, count, MessageFlag.DONTWAIT)
      if (result <= 0) {
        if (result === -Errno.EINTR) continue
        if (result === -Errno.EAGAIN || result === 0) return datagrams > 0 ? 'some' : 'none'
        this.errno = -result
        return 'failed'
      }
      datagrams += this.#deliver(result)
      if (this.#isClosed) return 'none'
      // Fewer than asked for: there were no more.
      if (result < count) return 'some'
    }
    return 'more'
  }

  /** For the observer, while it is being called: it hears no more. */
  close(): void {
    this.#isClosed = true
  }

  #deliver(count: number): number {
    const messages = this.#messages
    const stride = this.#room.messageLength + GAP
    let datagrams = 0
    let remote: Endpoint | undefined
    for (let i = 0; i < count && !this.#isClosed; i++) {
      if ((messages.flags(i) & (MessageFlag.TRUNC | MessageFlag.CTRUNC)) !== 0) {
        this.#observer.onMalformed()
        datagrams++
        continue
      }
      const from = this.#remotes.at(messages.names, i * NAME_WORDS)
      if (from !== remote) {
        this.#flush(remote)
        remote = from
      }
      const length = messages.length(i)
      const control = messages.findControl(i, SOL_UDP, UDP_GRO)
      const segment = control < 0 ? 0 : messages.controlWords[control]
      datagrams += this.#split(i * stride, length, segment > 0 ? segment : length, from)
    }
    this.#flush(remote)
    return datagrams
  }

  /** The datagrams of one message: all of `segment` octets, the last may be shorter. */
  #split(start: number, length: number, segment: number, remote: Endpoint): number {
    const batch = this.#batch
    const { buffer, offsets, lengths } = batch
    const isWithoutMarker = isIkeOnly(this.#localPort, remote.port)
    const end = start + length
    let at = start
    let datagrams = 0
    // An empty datagram is one too.
    do {
      const size = Math.min(segment, end - at)
      const kind = kindOf(buffer, at, size, isWithoutMarker)
      if (kind === 'esp') {
        if (batch.count === MAX_BATCH) this.#flush(remote)
        offsets[batch.count] = at
        lengths[batch.count++] = size
      } else {
        this.#flush(remote)
        if (this.#isClosed) return datagrams
        const marker = kind === 'ike' && !isWithoutMarker ? NON_ESP_MARKER.length : 0
        if (kind === 'malformed') this.#observer.onMalformed()
        else this.#observer.onDatagram(buffer, at + marker, size - marker, kind, remote)
        if (this.#isClosed) return datagrams
      }
      datagrams++
      at += size
    } while (at < end)
    return datagrams
  }

  #flush(remote: Endpoint | undefined): void {
    const batch = this.#batch
    if (batch.count === 0) return
    try {
      if (!this.#isClosed && remote !== undefined) this.#observer.onEspBatch(batch, remote)
    } finally {
      batch.count = 0
    }
  }
}
