/** A machine with a core of a `Node` on it, and all that the driver does for the core: its streams by number, its datagrams, its proxies. */
import type { ConnectionId, DatagramKind, Endpoint, FramingProfileName, Output } from '../../src/index.ts'
import type { Network, Node } from '../network.ts'
import { Host } from './host.ts'
import { answerOf, askFor } from './http-connect.ts'
import type { Access, Internet } from './internet.ts'
import type { IcmpError, IpPacket } from './packet.ts'
import type { StreamHandlers, TcpSocket } from './tcp.ts'

export interface NodePorts {
  readonly udp?: readonly number[]
  readonly tcp?: Readonly<Record<number, FramingProfileName>>
}

type Open = Extract<Output, { kind: 'open-connection' }>

interface Stream {
  readonly socket: TcpSocket
  readonly framing: FramingProfileName
  isReported: boolean
}

export class NodeHost extends Host {
  readonly node: Node
  readonly network: Network
  /** UDP ports that are bound; a client has one, of its system's choice. */
  readonly udpPorts: Set<number>
  /** By the words of a transport's `carrier`: the proxy that it goes through. */
  readonly proxies: Map<string, Endpoint> = new Map()
  /** The process does not run; the machine does. */
  isStopped = false
  readonly #ports: NodePorts
  #streams = new Map<ConnectionId, Stream>()
  #nextAccepted = 1

  constructor(internet: Internet, network: Network, node: Node, access: Access, ports: NodePorts) {
    super(internet, node.address, access)
    this.network = network
    this.node = node
    this.#ports = ports
    this.udpPorts = new Set(ports.udp ?? [this.freshPort()])
    this.#listen()
  }

  /** The machine is at another place, with another address; connections are not told. */
  attach(access: Access, address: string): void {
    this.access = access
    this.address = address
    this.node.address = address
  }

  /** The process ends, its connections with RST, or with the whole machine and in silence; after `downtime` milliseconds a new one runs. */
  restart(downtime: number, how: 'process' | 'power' = 'process'): void {
    const isProcess = how === 'process'
    if (isProcess) this.stack.resetAll()
    else this.stack.forgetAll()
    this.#streams = new Map()
    this.listeners.clear()
    this.isStopped = true
    this.isOff = !isProcess
    this.node.isFrozen = true
    this.node.restart()
    this.network.later(downtime, () => {
      this.#listen()
      this.isStopped = false
      this.isOff = false
      this.node.isFrozen = false
    })
  }

  open({ connection, remote, framing, carrier }: Open): void {
    const proxy = carrier === undefined ? undefined : this.proxies.get(carrier)
    let answer = ''
    const handlers: StreamHandlers = {
      onOpen: () => (proxy ? socket.write(askFor(remote)) : this.#opened(connection, remote)),
      onBytes: (bytes) => {
        if (this.#streams.get(connection)?.isReported) return this.#received(connection, bytes)
        answer += String.fromCharCode(...bytes)
        const { isComplete, isGranted, rest } = answerOf(answer)
        if (!isComplete) return
        if (!isGranted) return this.#failed(connection, 'the proxy refused')
        this.#opened(connection, remote)
        if (rest.length > 0) this.#received(connection, rest)
      },
      onDrain: () => this.#drained(connection),
      onClose: (reason, detail) => this.#closed(connection, reason, detail),
    }
    const socket = this.connect(proxy ?? remote, handlers)
    this.#streams.set(connection, { socket, framing, isReported: false })
  }

  write(connection: ConnectionId, bytes: Uint8Array): void {
    const stream = this.#streams.get(connection)
    if (!stream) return
    this.network.logStream(this.node, bytes, stream.framing)
    if (!stream.socket.write(bytes) && !this.node.blocked.has(connection)) this.#report(connection, 'blocked')
  }

  close(connection: ConnectionId, how: 'end' | 'reset'): void {
    const stream = this.#streams.get(connection)
    this.#streams.delete(connection)
    if (how === 'end') stream?.socket.end()
    else stream?.socket.reset()
  }

  reportFlow(connection: ConnectionId): void {
    if (!this.node.blocked.has(connection)) this.#report(connection, 'drained')
  }

  sendDatagram(local: Endpoint, remote: Endpoint, kind: DatagramKind, bytes: Uint8Array): void {
    const [first] = this.udpPorts
    const port = local.port === 0 ? first! : local.port
    const source = { address: this.others.has(local.address) ? local.address : this.address, port }
    this.send({ source, destination: remote, body: { protocol: 'udp', kind, bytes: bytes.slice() } })
  }

  override receiveDatagram(packet: IpPacket): void {
    const { source, destination, body } = packet
    if (body.protocol !== 'udp') return
    if (this.isStopped || !this.udpPorts.has(destination.port)) return super.receiveDatagram(packet)
    this.network.input(this.node, { kind: 'datagram', local: destination, remote: source, message: body.kind, bytes: body.bytes })
  }

  override receiveError(error: IcmpError): void {
    super.receiveError(error)
    const { source: local, destination: remote, body } = error.about
    if (body.protocol === 'udp' && error.type !== 'too big')
      this.network.input(this.node, { kind: 'datagram-failed', local, remote, reason: error.type })
  }

  #listen(): void {
    for (const [port, framing] of Object.entries(this.#ports.tcp ?? {}))
      this.listeners.set(Number(port), (socket) => this.#accept(socket, framing))
  }

  #accept(socket: TcpSocket, framing: FramingProfileName): StreamHandlers {
    const connection = this.#nextAccepted
    this.#nextAccepted += 2
    this.#streams.set(connection, { socket, framing, isReported: true })
    const { local, remote } = socket
    return {
      onOpen: () => this.network.input(this.node, { kind: 'connection-opened', connection, role: 'responder', local, remote, framing }),
      onBytes: (bytes) => this.#received(connection, bytes),
      onDrain: () => this.#drained(connection),
      onClose: (reason, detail) => this.#closed(connection, reason, detail),
    }
  }

  #opened(connection: ConnectionId, remote: Endpoint): void {
    const stream = this.#streams.get(connection)
    if (!stream) return
    stream.isReported = true
    const { socket, framing } = stream
    this.network.input(this.node, { kind: 'connection-opened', connection, role: 'originator', local: socket.local, remote, framing })
  }

  #received(connection: ConnectionId, bytes: Uint8Array): void {
    if (this.#streams.has(connection)) this.network.input(this.node, { kind: 'connection-bytes', connection, bytes })
  }

  #drained(connection: ConnectionId): void {
    const stream = this.#streams.get(connection)
    if (stream && this.node.blocked.has(connection))
      this.network.input(this.node, { kind: 'connection-flow', connection, state: 'drained', room: stream.socket.room })
  }

  #failed(connection: ConnectionId, detail: string): void {
    this.#streams.get(connection)?.socket.reset()
    this.#closed(connection, 'failed', detail)
  }

  #closed(connection: ConnectionId, reason: 'end' | 'reset' | 'failed', detail: string): void {
    const stream = this.#streams.get(connection)
    if (!stream) return
    this.#streams.delete(connection)
    if (reason === 'end') stream.socket.end()
    this.network.input(this.node, { kind: 'connection-closed', connection, reason: stream.isReported ? reason : 'failed', detail })
  }

  /** The core drains its outputs: it hears of it afterwards. */
  #report(connection: ConnectionId, state: 'blocked' | 'drained'): void {
    const { node } = this
    const { core } = node
    this.network.later(0, () => {
      const stream = this.#streams.get(connection)
      if (!stream || node.core !== core) return
      if (state === 'blocked' && stream.socket.room > 0) return
      const flow = { kind: 'connection-flow', connection } as const
      this.network.input(node, state === 'blocked' ? { ...flow, state } : { ...flow, state, room: stream.socket.room })
    })
  }
}
