/** The UDP sockets as one port of the driver: which socket sends, and what address of ours a datagram came to. */
import type { DatagramKind, Endpoint, PacketBatch } from '@underpass/session-manager'
import type { DatagramPort } from '@underpass/session-manager/driver'
import { openUdp, type ReusePortGroup, UdpError, type UdpSocket, type UdpSocketKind } from '@underpass/udp-transport'
import { describeEndpoint, familyOf, isWildcard, plainAddress, plainEndpoint } from './addresses.ts'
import { bindProblem } from './bind-problem.ts'
import { LocalEndpoints } from './local-endpoints.ts'

export interface UdpListenerConfig {
  /** `undefined`: every address of the machine, of both families. */
  readonly address: string | undefined
  /** 0: any free one. */
  readonly port: number
  /** Of every datagram. */
  readonly dscp?: number
  /** Octets of SO_SNDBUF and SO_RCVBUF. */
  readonly sendBuffer?: number
  readonly receiveBuffer?: number
}

/** Where datagrams come in, and by which kind of socket. */
export interface UdpListening extends Endpoint {
  readonly kind: UdpSocketKind
  /** Why `kind` is not `native`. */
  readonly fallbackReason: string | undefined
}

export interface UdpSockets extends DatagramPort {
  readonly listening: readonly UdpListening[]
  /** The machine's addresses are others, or its routes: to which of them something came is asked anew. */
  networkChanged(): void
  close(): Promise<void>
}

export interface UdpReceivers {
  /** The octets are lent for the call. */
  onDatagram(local: Endpoint, remote: Endpoint, message: DatagramKind, bytes: Uint8Array): void
  /** ESP packets from one peer, in order with the datagrams. Lent for the call; without it `onDatagram` gets each. */
  onEspBatch?(local: Endpoint, remote: Endpoint, batch: PacketBatch): void
  /** What the network said of something sent earlier (ICMP), with the remote in its context where that is known. */
  onError?(local: Endpoint, error: UdpError): void
}

/** `group`: others have the same ports. Throws `UdpError`, whose message names the address, the port and what to do; none stays open then. */
export async function openUdpSockets(
  listeners: readonly UdpListenerConfig[],
  receivers: UdpReceivers,
  group?: ReusePortGroup,
): Promise<UdpSockets> {
  const sockets: UdpSocket[] = []
  const inbounds: Inbound[] = []
  try {
    for (const { address, port, ...tuning } of listeners) {
      if (address !== undefined) {
        sockets.push(await openSocket(address, port, receivers, inbounds, group, tuning))
        continue
      }
      const ipv4 = await openSocket('0.0.0.0', port, receivers, inbounds, group, tuning)
      sockets.push(ipv4)
      const ipv6 = await openSocket('::', ipv4.local.port, receivers, inbounds, group, tuning).catch(unlessWithoutIpv6)
      if (ipv6 !== undefined) sockets.push(ipv6)
    }
  } catch (error) {
    await Promise.all(sockets.map((socket) => socket.close()))
    throw error
  }
  return {
    listening: sockets.map(({ local, kind, fallbackReason }) => ({ ...local, kind, fallbackReason })),
    send(local, remote, message, bytes) {
      choose(sockets, local, remote).send(message, bytes, remote)
    },
    sendBatch(local, remote, batch: PacketBatch) {
      choose(sockets, local, remote).sendBatch(batch, remote)
    },
    networkChanged() {
      for (const inbound of inbounds) inbound.forget()
    },
    async close() {
      await Promise.all(sockets.map((socket) => socket.close()))
    },
  }
}

async function openSocket(
  address: string,
  port: number,
  receivers: UdpReceivers,
  inbounds: Inbound[],
  group: ReusePortGroup | undefined,
  { dscp, sendBuffer, receiveBuffer }: Omit<UdpListenerConfig, 'address' | 'port'>,
): Promise<UdpSocket> {
  let inbound: Inbound | undefined
  try {
    const socket = await openUdp({
      address,
      port,
      family: familyOf(address),
      ...(group && { group }),
      ...(dscp !== undefined && { dscp }),
      ...(sendBuffer !== undefined && { sendBuffer }),
      ...(receiveBuffer !== undefined && { receiveBuffer }),
      onDatagram: (bytes, message, from) => inbound?.onDatagram(bytes, message, from),
      onEspBatch: (batch, from) => inbound?.onEspBatch(batch, from),
      onError: (error) => inbound?.onError(error),
    })
    inbound = new Inbound(socket, receivers)
    inbounds.push(inbound)
    return socket
  } catch (error) {
    if (!(error instanceof UdpError)) throw error
    const problem = bindProblem('UDP', describeEndpoint(address, port), error.code)
    throw problem === undefined ? error : new UdpError(error.code, problem, error.context)
  }
}

const MAX_LEARNED = 16_384

/** What one socket receives, with the address of ours that it came to. */
class Inbound {
  readonly #local: Endpoint
  readonly #receivers: UdpReceivers
  /** Undefined where the socket is bound to one address, which then is the answer. */
  readonly #locals: LocalEndpoints | undefined
  /** What `#locals` last answered for a sender's address, for packets that come in batches; the oldest goes first. */
  readonly #learned = new Map<string, Endpoint>()
  #from: Endpoint | undefined
  #remote: Endpoint = { address: '', port: 0 }

  constructor(socket: UdpSocket, receivers: UdpReceivers) {
    this.#local = socket.local
    this.#receivers = receivers
    if (!isWildcard(socket.local.address)) return
    this.#locals = new LocalEndpoints(socket, {
      onDatagram: (local, remote, message, bytes) => {
        this.#learn(remote.address, local)
        receivers.onDatagram(local, remote, message, bytes)
      },
    })
  }

  onDatagram(bytes: Uint8Array, message: DatagramKind, from: Endpoint): void {
    const remote = this.#plain(from)
    if (this.#locals === undefined) this.#receivers.onDatagram(this.#local, remote, message, bytes)
    else this.#locals.receive(remote, message, bytes)
  }

  onEspBatch(batch: PacketBatch, from: Endpoint): void {
    const remote = this.#plain(from)
    const local = this.#locals === undefined ? this.#local : this.#learned.get(remote.address)
    const { buffer, offsets, lengths, count } = batch
    if (local !== undefined && this.#receivers.onEspBatch !== undefined) this.#receivers.onEspBatch(local, remote, batch)
    else if (local !== undefined) {
      for (let i = 0; i < count; i++) {
        this.#receivers.onDatagram(local, remote, 'esp', buffer.subarray(offsets[i], offsets[i] + lengths[i]))
      }
    } else {
      // A sender not heard before: these wait for the answer, behind what else came from it.
      for (let i = 0; i < count; i++) this.#locals?.receive(remote, 'esp', buffer.slice(offsets[i], offsets[i] + lengths[i]))
    }
  }

  forget(): void {
    this.#locals?.forget()
    this.#learned.clear()
  }

  onError(error: UdpError): void {
    const { address } = error.context
    const plain = address === undefined ? error.context : { ...error.context, address: plainAddress(address) }
    this.#receivers.onError?.(this.#local, new UdpError(error.code, error.message, plain))
  }

  /** The same object for consecutive datagrams of a peer, as the socket has it. */
  #plain(from: Endpoint): Endpoint {
    if (from !== this.#from) {
      this.#from = from
      this.#remote = plainEndpoint(from)
    }
    return this.#remote
  }

  #learn(sender: string, local: Endpoint): void {
    if (this.#learned.get(sender) === local || isWildcard(local.address)) return
    this.#learned.set(sender, local)
    if (this.#learned.size > MAX_LEARNED) this.#learned.delete(this.#learned.keys().next().value!)
  }
}

function unlessWithoutIpv6(error: unknown): undefined {
  // As for TCP: where the family is missing altogether, IPv4 is all there is.
  if (error instanceof UdpError && error.code !== 'ADDRESS_IN_USE' && error.code !== 'PERMISSION_DENIED') return
  throw error
}

/**
 * By port and address where the core names them; else one that the peer can answer to. Port 500 is special (RFC 3948 §2): between
 * it and any port there is no Non-ESP marker, so only what goes to port 500 may leave from it. Undefined: none can.
 */
export function chooseSocket<S extends { readonly local: Endpoint }>(
  sockets: readonly S[],
  local: Endpoint,
  remote: Endpoint,
): S | undefined {
  let best: S | undefined
  let bestScore = 0
  for (const socket of sockets) {
    const score = scoreOf(socket.local, local, remote)
    if (score > bestScore) {
      best = socket
      bestScore = score
    }
  }
  return best
}

function choose(sockets: readonly UdpSocket[], local: Endpoint, remote: Endpoint): UdpSocket {
  const socket = chooseSocket(sockets, local, remote)
  if (socket !== undefined) return socket
  const { address, port } = remote
  throw new UdpError('BAD_ADDRESS', `no UDP socket here can send from port ${local.port} to ${describeEndpoint(address, port)}`, {
    address,
    port,
  })
}

function scoreOf(socket: Endpoint, local: Endpoint, remote: Endpoint): number {
  if (familyOf(socket.address) !== familyOf(remote.address)) return 0
  if (local.port !== 0) {
    if (socket.port !== local.port) return 0
    return socket.address === local.address ? 3 : isWildcard(socket.address) ? 2 : 1
  }
  if (socket.port === IKE_PORT && remote.port !== IKE_PORT) return 0
  return socket.port === remote.port ? 2 : 1
}

const IKE_PORT = 500
