/**
 * The TCP connections by number: stream callbacks become inputs, outputs become writes and closes. However a connection goes,
 * the core hears of it exactly once, and not at all where it closed the connection itself.
 */
import type { ConnectionId, Endpoint, FramingProfileName, Input, Output, TcpRole } from '../contract.ts'
import { Alarm } from './alarm.ts'
import type { Clock, PendingStream, StreamHandlers, StreamPort } from './ports.ts'

/** Consecutive small writes are joined into one up to this many octets: a copy costs less than a system call. */
const JOIN_LIMIT = 65_536

export interface ConnectionsOptions {
  readonly clock: Clock
  connect(remote: Endpoint, framing: FramingProfileName, handlers: StreamHandlers, carrier?: string): PendingStream
  hand(input: Input): void
  /** How long a connection that was ended may take to send what it holds before it is reset. */
  readonly lingerMilliseconds: number
}

interface Connection {
  readonly id: ConnectionId
  readonly role: TcpRole
  readonly framing: FramingProfileName
  state: 'opening' | 'open' | 'lingering' | 'gone'
  stream: StreamPort | undefined
  pending: PendingStream | undefined
  /** Octets that came before the open was reported. */
  early: Uint8Array[]
  isBlocked: boolean
  deadline: number
}

export class Connections {
  readonly #options: ConnectionsOptions
  readonly #open = new Map<ConnectionId, Connection>()
  /** In order of their deadlines: all linger equally long. */
  readonly #lingering = new Set<Connection>()
  readonly #lingerAlarm: Alarm
  readonly #chunks: Uint8Array[] = []
  /** One for all chunks: what is lent is lent with its envelope. */
  readonly #bytesInput: { kind: 'connection-bytes'; connection: ConnectionId; bytes: Uint8Array } = {
    kind: 'connection-bytes',
    connection: 0,
    bytes: new Uint8Array(0),
  }
  #chunksFor: Connection | undefined
  #chunkOctets = 0
  #nextAccepted = 1
  #whenNone: (() => void) | undefined
  /** Writes for connections that had gone by then. */
  lateWrites = 0

  constructor(options: ConnectionsOptions) {
    this.#options = options
    this.#lingerAlarm = new Alarm(options.clock, () => this.#resetOverdue())
  }

  open({ connection: id, remote, framing, carrier }: Extract<Output, { kind: 'open-connection' }>): void {
    const connection = this.#add(id, 'originator', framing)
    try {
      connection.pending = this.#options.connect(remote, framing, this.#handlers(connection), carrier)
    } catch (error) {
      this.#lost(connection, 'failed', textOf(error))
      return
    }
    connection.pending.opened.then(
      (stream) => this.#opened(connection, stream),
      (error: unknown) => this.#lost(connection, 'failed', textOf(error)),
    )
  }

  accept(stream: StreamPort, framing: FramingProfileName): StreamHandlers {
    const connection = this.#add(this.#nextAccepted, 'responder', framing)
    this.#nextAccepted += 2
    const handlers = this.#handlers(connection)
    this.#opened(connection, stream)
    return handlers
  }

  /** Holds the octets until `flush`, which the driver calls before any other effect. */
  write(id: ConnectionId, bytes: Uint8Array): void {
    const connection = this.#open.get(id)
    if (connection === undefined || connection.state !== 'open') {
      this.lateWrites++
      return
    }
    if (connection !== this.#chunksFor || this.#chunkOctets + bytes.length > JOIN_LIMIT) this.flush()
    this.#chunksFor = connection
    this.#chunks.push(bytes)
    this.#chunkOctets += bytes.length
  }

  flush(): void {
    const connection = this.#chunksFor
    if (connection === undefined) return
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : join(this.#chunks, this.#chunkOctets)
    this.#dropChunks()
    let isTaken: boolean
    try {
      isTaken = connection.stream!.write(bytes)
    } catch (error) {
      this.#lost(connection, 'reset', textOf(error))
      return
    }
    if (isTaken || connection.isBlocked || connection.state !== 'open') return
    connection.isBlocked = true
    this.#options.hand({ kind: 'connection-flow', connection: connection.id, state: 'blocked' })
  }

  /** Everything has been flushed. Who is blocked is told of by `onDrain`. */
  reportFlow(id: ConnectionId): void {
    const connection = this.#open.get(id)
    if (connection?.state !== 'open' || connection.isBlocked) return
    this.#drained(connection)
  }

  close(id: ConnectionId, how: 'end' | 'reset'): void {
    const connection = this.#open.get(id)
    if (connection !== undefined) this.#release(connection, how)
  }

  closeAll(how: 'end' | 'reset'): void {
    for (const connection of this.#open.values()) this.#release(connection, how)
    if (how === 'end') return
    for (const connection of this.#lingering) this.#reset(connection)
  }

  /** Resolves when every connection, those that linger included, is gone. */
  async none(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#whenNone = resolve
      this.#noteNone()
    })
  }

  #add(id: ConnectionId, role: TcpRole, framing: FramingProfileName): Connection {
    const connection: Connection = {
      id,
      role,
      framing,
      state: 'opening',
      stream: undefined,
      pending: undefined,
      early: [],
      isBlocked: false,
      deadline: 0,
    }
    this.#open.set(id, connection)
    return connection
  }

  #opened(connection: Connection, stream: StreamPort): void {
    if (connection.state !== 'opening') {
      stream.reset()
      return
    }
    const { id, role, framing, early } = connection
    const { local, remote, carrier } = stream
    connection.stream = stream
    connection.pending = undefined
    connection.state = 'open'
    this.#options.hand({
      kind: 'connection-opened',
      connection: id,
      role,
      local,
      remote,
      framing,
      ...(carrier === undefined ? {} : { carrier }),
    })
    connection.early = []
    for (const bytes of early) this.#received(connection, bytes)
  }

  #handlers(connection: Connection): StreamHandlers {
    return {
      onData: (bytes) => this.#received(connection, bytes),
      onDrain: () => {
        if (!connection.isBlocked || connection.state !== 'open') return
        connection.isBlocked = false
        this.#drained(connection)
      },
      onEnd: () => this.#lost(connection, 'end', 'closed by the other end'),
      onClose: (error) => {
        if (connection.state === 'lingering') this.#forget(connection)
        else if (connection.state === 'opening')
          this.#lost(connection, 'failed', error === undefined ? 'closed before it was open' : textOf(error))
        else this.#lost(connection, error === undefined ? 'end' : 'reset', error === undefined ? 'closed' : textOf(error))
      },
    }
  }

  #drained({ id, stream }: Connection): void {
    const room = stream?.room
    this.#options.hand({ kind: 'connection-flow', connection: id, state: 'drained', ...(room === undefined ? {} : { room }) })
  }

  #received(connection: Connection, bytes: Uint8Array): void {
    if (connection.state === 'open') {
      this.#bytesInput.connection = connection.id
      this.#bytesInput.bytes = bytes
      this.#options.hand(this.#bytesInput)
    } else if (connection.state === 'opening') {
      connection.early.push(bytes.slice())
    }
  }

  #lost(connection: Connection, reason: 'end' | 'reset' | 'failed', detail: string): void {
    if (connection.state !== 'opening' && connection.state !== 'open') return
    this.#release(connection, reason === 'end' ? 'end' : 'reset')
    this.#options.hand({ kind: 'connection-closed', connection: connection.id, reason, detail })
  }

  #release(connection: Connection, how: 'end' | 'reset'): void {
    this.#open.delete(connection.id)
    if (connection === this.#chunksFor) this.#dropChunks()
    const { stream, pending } = connection
    connection.pending = undefined
    if (stream === undefined || how === 'reset') {
      connection.state = 'gone'
      pending?.cancel()
      stream?.reset()
      this.#noteNone()
      return
    }
    connection.state = 'lingering'
    connection.deadline = this.#options.clock.now() + this.#options.lingerMilliseconds
    this.#lingering.add(connection)
    if (this.#lingering.size === 1) this.#lingerAlarm.set(connection.deadline)
    stream.end()
  }

  #dropChunks(): void {
    this.#chunksFor = undefined
    this.#chunks.length = 0
    this.#chunkOctets = 0
  }

  #resetOverdue(): void {
    const now = this.#options.clock.now()
    for (const connection of this.#lingering) {
      if (connection.deadline > now) {
        this.#lingerAlarm.set(connection.deadline)
        return
      }
      this.#reset(connection)
    }
  }

  #reset(connection: Connection): void {
    this.#forget(connection)
    connection.stream!.reset()
  }

  #forget(connection: Connection): void {
    connection.state = 'gone'
    this.#lingering.delete(connection)
    if (this.#lingering.size === 0) this.#lingerAlarm.cancel()
    this.#noteNone()
  }

  #noteNone(): void {
    if (this.#open.size === 0 && this.#lingering.size === 0) this.#whenNone?.()
  }
}

function join(chunks: readonly Uint8Array[], octets: number): Uint8Array {
  const joined = new Uint8Array(octets)
  let at = 0
  for (const chunk of chunks) {
    joined.set(chunk, at)
    at += chunk.length
  }
  return joined
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
