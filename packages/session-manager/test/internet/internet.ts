/**
 * A small virtual internet for the nodes of a `Network`, in place of its one link: bad networks as tests need them. It runs on the
 * network's virtual clock and draws all its chance from one seed: the same seed is the same run, packet for packet.
 *
 *   host ─ hop ─ hop ─ … ─┐
 *                         ├─ the middle, which knows where each address is ─ … ─ hop ─ host
 *   host ─ hop ───────────┘
 *
 * What is between a host and the middle is its `Access`: hops in their order, from the host outwards, which several hosts may share.
 *
 *   link.ts            delay, jitter, loss by chance and in bursts, reordering, a rate with a bounded queue, MTU with and without ICMP
 *   nat.ts             mapping, filtering, timeouts by RFC 4787 and RFC 5382; reboots, rebinding
 *   firewall.ts        drops, rejects, resets, stalls by transport, port and message: IKE may pass where ESP does not
 *   captive-portal.ts  answers every connection itself until it is agreed to
 *   proxy.ts           a host that carries streams for others (CONNECT), and can be restarted
 *   host.ts            a machine; node-host.ts: with a core on it, and all that the driver does for the core
 *   tcp.ts             TCP, segment by segment, over all of this
 *   tap.ts             notes what passes, and loses what a test says; one-hop.ts: each of these by itself
 *
 * So a reset, a stall, a lost mapping or a black hole is what becomes of packets on their way, and the cores see what real ones would
 * see: octets in order, or a RST, or a FIN, or nothing.
 *
 *   const pair = new Pair({ transports: [UDP, TCP] })
 *   const internet = new Internet(pair, 'a seed')
 *   const firewall = new Firewall()
 *   internet.addNode(pair.client, [firewall, new Nat(pair, '203.0.113.10'), internet.link({ delay: 20, loss: 0.01 })])
 *   internet.addNode(pair.gateway, [], GATEWAY_PORTS)
 *   firewall.rules = [{ transport: 'udp', action: 'drop' }]
 *   pair.connect()
 */
import type { ConnectionId, DatagramKind, Endpoint, Output } from '../../src/index.ts'
import type { Network, Node, Wires } from '../network.ts'
import type { Host } from './host.ts'
import { Link, type LinkConditions } from './link.ts'
import { NodeHost, type NodePorts } from './node-host.ts'
import type { Clock, Direction, Hop, IpPacket } from './packet.ts'
import { Chance } from './random.ts'

/** The hops between some hosts and the middle, from the hosts outwards. */
export interface Access {
  readonly hops: readonly Hop[]
}

export const GATEWAY_PORTS: NodePorts = { udp: [500, 4500], tcp: { 443: 'rfc9329', 4500: 'rfc9329' } }

export class Internet implements Wires {
  readonly clock: Clock
  readonly chance: Chance
  readonly hosts: Host[] = []
  readonly #network: Network
  readonly #nodes = new Map<Node, NodeHost>()

  constructor(network: Network, seed: string) {
    this.#network = network
    this.clock = network
    this.chance = new Chance(seed)
    network.wires = this
  }

  addNode(node: Node, hops: readonly Hop[], ports: NodePorts = {}): NodeHost {
    const host = new NodeHost(this, this.#network, node, { hops }, ports)
    this.#nodes.set(node, host)
    this.hosts.push(host)
    return host
  }

  link(conditions: Partial<LinkConditions> = {}): Link {
    return new Link(this.clock, this.chance, conditions)
  }

  /** From a host: through its hops, to the middle, and on. */
  carryOut(access: Access, packet: IpPacket): void {
    this.#carry(access, packet, 0, 'out')
  }

  open(node: Node, output: Extract<Output, { kind: 'open-connection' }>): void {
    this.#hostOf(node).open(output)
  }

  write(node: Node, connection: ConnectionId, bytes: Uint8Array): void {
    this.#hostOf(node).write(connection, bytes)
  }

  close(node: Node, connection: ConnectionId, how: 'end' | 'reset'): void {
    this.#hostOf(node).close(connection, how)
  }

  reportFlow(node: Node, connection: ConnectionId): void {
    this.#hostOf(node).reportFlow(connection)
  }

  datagram(node: Node, local: Endpoint, remote: Endpoint, kind: DatagramKind, bytes: Uint8Array): void {
    this.#hostOf(node).sendDatagram(local, remote, kind, bytes)
  }

  #carry(access: Access, packet: IpPacket, index: number, direction: Direction): void {
    const hop = access.hops[index]
    if (!hop) return direction === 'out' ? this.#route(packet) : this.#deliver(access, packet)
    const step = direction === 'out' ? 1 : -1
    hop.take(packet, direction, {
      forward: (one) => this.#carry(access, one, index + step, direction),
      back: (one) => this.#carry(access, one, index - step, direction === 'out' ? 'in' : 'out'),
    })
  }

  /** Where nobody has the address it is lost. */
  #route(packet: IpPacket): void {
    const { address } = packet.destination
    const host = this.hosts.find((one) => outsideOf(one) === address || one.others.has(address))
    if (host) this.#carry(host.access, packet, host.access.hops.length - 1, 'in')
  }

  #deliver(access: Access, packet: IpPacket): void {
    this.hosts.find((host) => host.access === access && host.has(packet.destination.address))?.receive(packet)
  }

  #hostOf(node: Node): NodeHost {
    const host = this.#nodes.get(node)
    if (!host) throw new Error(`${node.name} is on no host of this internet`)
    return host
  }
}

/** The address that the middle knows the host by. */
function outsideOf({ access, address }: Host): string {
  return access.hops.findLast((hop) => hop.external !== undefined)?.external ?? address
}
