/** A network in a test: nodes with a core each, a virtual clock, byte pipes that chunk and delay, datagrams that may be lost. */
import { decodeHeader, decodeMessage, describeMessage, HeaderFlag } from '@underpass/ike-codec'
import { nodeKeyExchange } from '@underpass/ike-crypto/node'
import { Deframer } from '@underpass/tcp-framing'
import { openMessage, type Protection } from '../src/ike/protection.ts'
import type {
  Command,
  ConnectionId,
  CryptoResult,
  CryptoWork,
  DatagramKind,
  Endpoint,
  FramingProfileName,
  Input,
  Output,
  PacketBatch,
  SessionConfig,
  SessionEvent,
} from '../src/index.ts'
import { SessionManager } from '../src/index.ts'

export interface LinkOptions {
  /** One way, in milliseconds. */
  latency: number
  /** Octets a read delivers at most; Infinity delivers what one write wrote. */
  chunk: number
  /** Datagrams vanish. */
  isUdpBlocked: boolean
  /** Datagrams are refused, and ICMP says so to their sender. */
  isUdpRefused: boolean
  /** Called for each datagram: true loses it. */
  loses: (datagram: { from: Node; kind: DatagramKind; bytes: Uint8Array }) => boolean
  /** New TCP connections fail. */
  isTcpBlocked: boolean
  /** What is written to connections vanishes, and nothing says so: a black hole, as where a route is lost. */
  isTcpSilent: boolean
  /** Attempts to open a connection are never answered. */
  isSynDropped: boolean
  /** Connections with these ports fail, or open and lose what is written to them. */
  refusesTcp: (port: number) => boolean
  swallows: (port: number, pipe: Pipe) => boolean
}

export interface Pipe {
  readonly originator: Node
  readonly responder: Node
  readonly originatorId: ConnectionId
  readonly responderId: ConnectionId
  readonly framing: FramingProfileName
  /** That was dialled. */
  readonly port: number
  isOpen: boolean
  /** Raw octets each way, for tests of the stream itself. */
  readonly fromOriginator: number[]
  readonly fromResponder: number[]
}

/** What carries octets between the nodes in place of the network's own link: `internet/internet.ts`. */
export interface Wires {
  open(node: Node, output: Extract<Output, { kind: 'open-connection' }>): void
  write(node: Node, connection: ConnectionId, bytes: Uint8Array): void
  close(node: Node, connection: ConnectionId, how: 'end' | 'reset'): void
  reportFlow(node: Node, connection: ConnectionId): void
  datagram(node: Node, local: Endpoint, remote: Endpoint, kind: DatagramKind, bytes: Uint8Array): void
}

/** One core with an address. */
export class Node {
  #core: SessionManager
  readonly #config: SessionConfig
  readonly #random: (length: number) => Uint8Array
  readonly name: string
  address: string
  /** What others see this node as, where a NAT stands before it. */
  natAddress: string | undefined
  readonly events: SessionEvent[] = []
  readonly received: Uint8Array[] = []
  /** Everything the core put out, for determinism tests. */
  readonly outputs: string[] = []
  readonly inputs: { input: Input; now: number }[] = []
  /** While true crypto jobs are kept here instead of done. */
  holdsJobs = false
  readonly heldJobs: { job: number; work: CryptoWork }[] = []
  wakeAt = Number.POSITIVE_INFINITY
  /** Connections whose sockets are full. */
  readonly blocked = new Set<ConnectionId>()
  /** What the core gave back for others to send. */
  readonly unmatched: Uint8Array[] = []
  /** Alive for the kernel, dead for IKE: nothing is handed in, no timer runs. */
  isFrozen = false

  constructor(name: string, address: string, config: SessionConfig, random = seededRandom(name)) {
    this.name = name
    this.address = address
    this.#config = config
    this.#random = random
    this.#core = new SessionManager(config, random)
  }

  get core(): SessionManager {
    return this.#core
  }

  /** The process ends and another begins, which knows nothing. What becomes of its sockets is for whoever calls. */
  restart(): void {
    this.#core = new SessionManager(this.#config, this.#random)
    this.wakeAt = Number.POSITIVE_INFINITY
    this.blocked.clear()
    this.heldJobs.length = 0
  }

  /** The events of one kind, in order. */
  eventsOf<Kind extends SessionEvent['kind']>(kind: Kind): Extract<SessionEvent, { kind: Kind }>[] {
    return this.events.filter((event): event is Extract<SessionEvent, { kind: Kind }> => event.kind === kind)
  }
}

/** A connection whose other end is the test itself. */
export interface RawConnection {
  readonly id: ConnectionId
  write(octets: Uint8Array): void
  /** All that came so far. */
  read(): Uint8Array
  isClosed(): boolean
  close(reason: 'end' | 'reset'): void
}

export class Network {
  now = 0
  /** Who signs and believes signatures for all nodes: `signatures.ts`. */
  signatures: (work: CryptoWork) => CryptoResult | undefined = () => undefined
  readonly link: LinkOptions = {
    latency: 10,
    chunk: Number.POSITIVE_INFINITY,
    isUdpBlocked: false,
    isUdpRefused: false,
    loses: () => false,
    isTcpBlocked: false,
    isTcpSilent: false,
    isSynDropped: false,
    refusesTcp: () => false,
    swallows: () => false,
  }
  /** Set, it is what carries; `link` and `pipes` are not used. */
  wires: Wires | undefined
  /** Whether the nodes keep their inputs and outputs: in a long run they are too many. */
  isRecording = true
  readonly nodes: Node[] = []
  readonly pipes: Pipe[] = []
  /** Every IKE message put on the wire: who, by what, in the RFC's notation. */
  readonly log: { at: number; from: Node; transport: 'udp' | 'tcp'; text: string; octets: Uint8Array }[] = []
  /** Datagrams put on the wire that are no IKE. */
  readonly datagrams: { at: number; from: Node; kind: DatagramKind; remote: Endpoint }[] = []
  readonly #queue: { at: number; run: () => void }[] = []
  #responderIds = 1
  #port = 40_000
  /** By SPI, each with the keys that an SA had one after another. */
  readonly #protections = new Map<bigint, Protection[]>()
  readonly #remembered = new WeakSet<Protection>()

  add(name: string, address: string, config: SessionConfig, random?: (length: number) => Uint8Array): Node {
    const node = new Node(name, address, config, random)
    this.nodes.push(node)
    return node
  }

  command(node: Node, command: Command): void {
    this.input(node, { kind: 'command', command })
  }

  /** Hands one input in and drains. */
  input(node: Node, input: Input): void {
    if (node.isFrozen) return
    if (this.isRecording) node.inputs.push({ input: structuredClone(input), now: this.now })
    if (input.kind === 'connection-flow' && input.state === 'blocked') node.blocked.add(input.connection)
    else if (input.kind === 'connection-flow') node.blocked.delete(input.connection)
    node.core.handleInput(input, this.now)
    this.#rememberKeys(node)
    for (let output = node.core.pollOutput(); ; output = node.core.pollOutput()) {
      if (this.isRecording && output.kind !== 'wait-until') node.outputs.push(fingerprint(output))
      this.#carryOut(node, output)
      if (output.kind === 'wait-until') break
    }
  }

  /** Runs until nothing happens before `until` (ms of virtual time from now), or until `done`. */
  run(milliseconds: number, done: () => boolean = () => false): void {
    const end = this.now + milliseconds
    for (let steps = 0; steps < 100_000; steps++) {
      if (done()) return
      const wake = Math.min(...this.nodes.map((node) => (node.isFrozen ? Number.POSITIVE_INFINITY : node.wakeAt)))
      const next = this.#queue[0]
      const at = Math.min(next?.at ?? Number.POSITIVE_INFINITY, wake)
      if (at > end) {
        this.now = end
        return
      }
      this.now = Math.max(this.now, at)
      if (next && next.at <= wake) {
        this.#queue.shift()
        next.run()
      } else for (const node of this.nodes) if (!node.isFrozen && node.wakeAt <= this.now) this.input(node, { kind: 'timeout' })
    }
    throw new Error('the network does not come to rest')
  }

  /** IP packets as if programs on the node had sent them. */
  send(node: Node, ...packets: Uint8Array[]): void {
    this.input(node, { kind: 'tun-packets', batch: batchOf(packets) })
  }

  /** Breaks the connection: RST both ways, or FIN from one side. What is in flight is lost. */
  cut(pipe: Pipe, reason: 'reset' | 'end' = 'reset', only?: Node): void {
    pipe.isOpen = false
    for (const [node, id] of [
      [pipe.originator, pipe.originatorId],
      [pipe.responder, pipe.responderId],
    ] as const) {
      if (only === undefined || node === only) this.input(node, { kind: 'connection-closed', connection: id, reason, detail: '' })
    }
  }

  /** Octets into the stream toward `to`, there at once: what an attacker, or a peer under a test's control, sends. */
  inject(pipe: Pipe, to: Node, octets: Uint8Array): void {
    this.input(to, { kind: 'connection-bytes', connection: to === pipe.originator ? pipe.originatorId : pipe.responderId, bytes: octets })
  }

  /** Opens a raw connection to a node: what a stranger would do. */
  dialRaw(to: Node, from: string = '203.0.113.99', options: { framing?: FramingProfileName; port?: number } = {}): RawConnection {
    const id = this.#responderIds
    this.#responderIds += 2
    const sent: number[] = []
    let closed = false
    this.#raw.set(id, {
      data: (bytes) => sent.push(...bytes),
      close: () => {
        closed = true
      },
    })
    this.input(to, {
      kind: 'connection-opened',
      connection: id,
      role: 'responder',
      local: { address: to.address, port: options.port ?? 4500 },
      remote: { address: from, port: this.#port++ },
      framing: options.framing ?? 'rfc9329',
    })
    return {
      id,
      write: (octets) => {
        if (!closed) this.input(to, { kind: 'connection-bytes', connection: id, bytes: octets })
      },
      read: () => Uint8Array.from(sent),
      isClosed: () => closed,
      close: (reason) => {
        if (closed) return
        closed = true
        this.input(to, { kind: 'connection-closed', connection: id, reason, detail: '' })
      },
    }
  }

  /** Does `run` in so many milliseconds, after what was put off until then before it. */
  later(delay: number, run: () => void): void {
    const at = this.now + delay
    let index = this.#queue.length
    while (index > 0 && this.#queue[index - 1]!.at > at) index--
    this.#queue.splice(index, 0, { at, run })
  }

  /** The IKE messages of what a node wrote to a stream go into the log. */
  logStream(node: Node, bytes: Uint8Array, framing: FramingProfileName): void {
    this.#logFrames(node, bytes, framing)
  }

  readonly #raw = new Map<ConnectionId, { data: (bytes: Uint8Array) => void; close: () => void }>()

  #carryOut(node: Node, output: Output): void {
    switch (output.kind) {
      case 'wait-until':
        node.wakeAt = output.time
        return
      case 'event':
        node.events.push(output.event)
        return
      case 'crypto-job':
        if (node.holdsJobs) node.heldJobs.push(output)
        else this.#doJob(node, output)
        return
      case 'write-tun':
        node.received.push(...packetsOf(output.batch))
        return
      case 'report-flow':
        if (this.wires) this.wires.reportFlow(node, output.connection)
        else if (!node.blocked.has(output.connection))
          this.later(0, () => this.input(node, { kind: 'connection-flow', connection: output.connection, state: 'drained' }))
        return
      case 'unmatched-packets':
        node.unmatched.push(...packetsOf(output.batch))
        return
      case 'open-connection':
        return this.wires ? this.wires.open(node, output) : this.#open(node, output)
      case 'write-connection':
        return this.wires ? this.wires.write(node, output.connection, output.bytes) : this.#write(node, output.connection, output.bytes)
      case 'close-connection':
        return this.wires ? this.wires.close(node, output.connection, output.how) : this.#close(node, output.connection, output.how)
      case 'send-datagram':
        return this.#datagram(node, output.local, output.remote, output.message, output.bytes)
      case 'send-esp-datagrams':
        for (const packet of packetsOf(output.batch)) this.#datagram(node, output.local, output.remote, 'esp', packet)
        return
      default:
        return output satisfies never
    }
  }

  /** The core that asked gets the result, or nobody. */
  #doJob(node: Node, { job, work }: Extract<Output, { kind: 'crypto-job' }>): void {
    const { core } = node
    this.later(0, () => {
      if (node.core === core) this.input(node, { kind: 'crypto-result', job, result: this.signatures(work) ?? doWork(work) })
    })
  }

  #open(node: Node, output: Extract<Output, { kind: 'open-connection' }>): void {
    const to = this.nodes.find((other) => other.address === output.remote.address)
    if (this.link.isSynDropped) return
    this.later(2 * this.link.latency, () => {
      if (!to || this.link.isTcpBlocked || this.link.refusesTcp(output.remote.port))
        return this.input(node, {
          kind: 'connection-closed',
          connection: output.connection,
          reason: 'failed',
          detail: 'connection refused',
        })
      const pipe: Pipe = {
        originator: node,
        responder: to,
        originatorId: output.connection,
        responderId: this.#responderIds,
        framing: output.framing,
        port: output.remote.port,
        isOpen: true,
        fromOriginator: [],
        fromResponder: [],
      }
      this.#responderIds += 2
      this.pipes.push(pipe)
      const from = { address: node.address, port: this.#port++ }
      const seen = { ...from, address: node.natAddress ?? from.address }
      const at = { address: to.address, port: output.remote.port }
      this.input(to, {
        kind: 'connection-opened',
        connection: pipe.responderId,
        role: 'responder',
        local: at,
        remote: seen,
        framing: output.framing,
      })
      if (pipe.isOpen)
        this.input(node, {
          kind: 'connection-opened',
          connection: output.connection,
          role: 'originator',
          local: from,
          remote: at,
          framing: output.framing,
        })
    })
  }

  #write(node: Node, connection: ConnectionId, bytes: Uint8Array): void {
    this.#raw.get(connection)?.data(bytes)
    const pipe = this.#pipeOf(node, connection)
    if (!pipe?.isOpen) return
    const isOriginator = pipe.originator === node
    const [peer, id] = isOriginator ? [pipe.responder, pipe.responderId] : [pipe.originator, pipe.originatorId]
    ;(isOriginator ? pipe.fromOriginator : pipe.fromResponder).push(...bytes)
    this.#logFrames(node, bytes, pipe.framing)
    if (this.link.isTcpSilent || this.link.swallows(pipe.port, pipe)) return
    for (let at = 0; at < bytes.length; at += this.link.chunk) {
      const chunk = bytes.slice(at, Math.min(bytes.length, at + this.link.chunk))
      this.later(this.link.latency, () => {
        if (pipe.isOpen) this.input(peer, { kind: 'connection-bytes', connection: id, bytes: chunk })
      })
      if (this.link.chunk === Number.POSITIVE_INFINITY) break
    }
  }

  #close(node: Node, connection: ConnectionId, how: 'end' | 'reset'): void {
    this.#raw.get(connection)?.close()
    const pipe = this.#pipeOf(node, connection)
    if (!pipe) return
    const [peer, id] = pipe.originator === node ? [pipe.responder, pipe.responderId] : [pipe.originator, pipe.originatorId]
    this.later(this.link.latency, () => {
      if (!pipe.isOpen) return
      pipe.isOpen = false
      this.input(peer, { kind: 'connection-closed', connection: id, reason: how, detail: '' })
    })
  }

  #datagram(node: Node, from: Endpoint, remote: Endpoint, kind: DatagramKind, bytes: Uint8Array): void {
    const to = this.nodes.find((other) => (other.natAddress ?? other.address) === remote.address)
    if (kind === 'ike') this.#logMessage(node, 'udp', bytes)
    else if (this.isRecording) this.datagrams.push({ at: this.now, from: node, kind, remote })
    if (this.wires) return this.wires.datagram(node, from, remote, kind, bytes)
    if (this.link.isUdpRefused) return this.#refuse(node, remote)
    if (!to || this.link.isUdpBlocked || this.link.loses({ from: node, kind, bytes })) return
    const port = node.name === 'gateway' ? remote.port : remote.port
    const copy = bytes.slice()
    this.later(this.link.latency, () =>
      this.input(to, {
        kind: 'datagram',
        local: { address: to.address, port },
        remote: { address: node.natAddress ?? node.address, port },
        message: kind,
        bytes: copy,
      }),
    )
  }

  #refuse(node: Node, remote: Endpoint): void {
    const local = { address: '0.0.0.0', port: 0 }
    this.later(2 * this.link.latency, () => this.input(node, { kind: 'datagram-failed', local, remote, reason: 'port unreachable' }))
  }

  #pipeOf(node: Node, connection: ConnectionId): Pipe | undefined {
    return this.pipes.find(
      (pipe) =>
        (pipe.originator === node && pipe.originatorId === connection) || (pipe.responder === node && pipe.responderId === connection),
    )
  }

  #logFrames(node: Node, bytes: Uint8Array, framing: FramingProfileName): void {
    const hasPrefix = bytes[0] === 0x49 && bytes[1] === 0x4b
    const deframer = new Deframer(framing, { role: hasPrefix ? 'responder' : 'originator' })
    deframer.push(bytes)
    for (let kind = deframer.next(); kind !== 'need-more' && kind !== 'fatal'; kind = deframer.next()) {
      if (kind === 'ike') this.#logMessage(node, 'tcp', deframer.buffer.slice(deframer.offset, deframer.offset + deframer.length))
    }
  }

  #logMessage(from: Node, transport: 'udp' | 'tcp', octets: Uint8Array): void {
    const header = decodeHeader(octets)
    const message = decodeMessage(octets)
    const localSpi = (header.flags & HeaderFlag.INITIATOR) !== 0 ? header.initiatorSpi : header.responderSpi
    const inner = this.#protections
      .get(localSpi)
      ?.map((protection) => openMessage(protection, octets, message))
      .find((opened) => opened.kind === 'authenticated')?.message.inner
    this.log.push({ at: this.now, from, transport, text: describeMessage(message, inner), octets: octets.slice() })
  }

  #rememberKeys(node: Node): void {
    for (const { protection, localSpi } of node.core.ikeSas.values()) {
      if (!protection || this.#remembered.has(protection)) continue
      this.#remembered.add(protection)
      this.#protections.set(localSpi, [...(this.#protections.get(localSpi) ?? []), structuredCloneProtection(protection)])
    }
  }
}

/** Fixed work for a fixed seed: jobs are done at once and in order, with what the host's driver does them with. */
export function doWork(work: CryptoWork): CryptoResult {
  if (work.kind === 'sign' || work.kind === 'verify-peer' || work.kind === 'eap') return { kind: 'failed', detail: 'nobody has keys here' }
  const method = nodeKeyExchange(work.method)
  if (!method) return { kind: 'failed', detail: `no key exchange method ${work.method}` }
  try {
    if (work.kind === 'ke-initiate') return { kind: 'ke-initiated', ...method.initiate(jobRandom) }
    if (work.kind === 'ke-respond') return { kind: 'ke-responded', ...method.respond(jobRandom, work.peerPublic) }
    return { kind: 'ke-completed', sharedSecret: method.complete(work.secret, work.peerPublic) }
  } catch (error) {
    return { kind: 'failed', detail: (error as Error).message }
  }
}

const jobRandom = seededRandom('jobs')

/** xorshift over a hash of the seed: reproducible, not secure. */
export function seededRandom(seed: string): (length: number) => Uint8Array {
  let state = 0x9e3779b9
  for (const character of seed) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193) >>> 0
  return (length) =>
    Uint8Array.from({ length }, () => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      state >>>= 0
      return (state >>> 8) & 0xff
    })
}

export function batchOf(packets: readonly Uint8Array[]): PacketBatch {
  const buffer = new Uint8Array(packets.reduce((sum, packet) => sum + packet.length, 0))
  const offsets = new Uint32Array(packets.length)
  const lengths = new Uint32Array(packets.length)
  let at = 0
  for (const [index, packet] of packets.entries()) {
    buffer.set(packet, at)
    offsets[index] = at
    lengths[index] = packet.length
    at += packet.length
  }
  return { buffer, offsets, lengths, count: packets.length }
}

export function packetsOf(batch: PacketBatch): Uint8Array[] {
  return Array.from({ length: batch.count }, (_, index) =>
    batch.buffer.slice(batch.offsets[index]!, batch.offsets[index]! + batch.lengths[index]!),
  )
}

function structuredCloneProtection(protection: Protection): Protection {
  const keys = Object.fromEntries(Object.entries(protection.keys).map(([name, key]) => [name, (key as Uint8Array).slice()]))
  return { ...protection, keys: keys as unknown as Protection['keys'] }
}

export function fingerprint(output: Output): string {
  return JSON.stringify(output, (key, value: unknown) => {
    if (key === 'batch') return packetsOf(value as PacketBatch).map((packet) => [...packet])
    if (value instanceof Uint8Array) return [...value]
    return typeof value === 'bigint' ? value.toString() : value
  })
}
