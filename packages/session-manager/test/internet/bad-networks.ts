/** A client behind a NAT and a firewall, and a gateway in the open: where the scenarios of bad networks begin. */

import type { TransportOption } from '../../src/index.ts'
import type { Node } from '../network.ts'
import { ipv4Packet, Pair, type PairOptions, TCP, UDP } from '../pair.ts'
import { Firewall } from './firewall.ts'
import { GATEWAY_PORTS, Internet } from './internet.ts'
import type { Link, LinkConditions } from './link.ts'
import { Nat, type NatBehaviour } from './nat.ts'
import type { NodeHost } from './node-host.ts'
import type { Hop } from './packet.ts'
import { ConnectProxy } from './proxy.ts'
import { Tap } from './tap.ts'

export const TCP_443: TransportOption = { transport: 'tcp', port: 443, framing: 'rfc9329' }
export const VIA_PROXY: TransportOption = {
  transport: 'tcp',
  port: 443,
  framing: 'rfc9329',
  isProxied: true,
  carrier: 'tcp:443 via http://proxy:3128',
}
export const NAT_ADDRESS = '203.0.113.10'
export const PROXY_ADDRESS = '203.0.113.80'

export interface BadNetworkOptions extends PairOptions {
  readonly seed?: string
  readonly conditions?: Partial<LinkConditions>
  readonly nat?: Partial<NatBehaviour>
  /** Between the client and all else. */
  readonly hops?: (pair: Pair, internet: Internet) => readonly Hop[]
}

export class BadNetwork extends Pair {
  readonly internet: Internet
  readonly firewall: Firewall = new Firewall()
  readonly nat: Nat
  /** Between the NAT and the world. */
  readonly tap: Tap
  readonly wire: Link
  readonly proxy: ConnectProxy
  readonly clientHost: NodeHost
  readonly gatewayHost: NodeHost

  constructor(options: BadNetworkOptions = {}) {
    super({ transports: [UDP, TCP, TCP_443], ...options })
    this.internet = new Internet(this, options.seed ?? 'bad networks')
    this.nat = new Nat(this, NAT_ADDRESS, options.nat)
    this.tap = new Tap(this)
    this.wire = this.internet.link({ delay: 20, ...options.conditions })
    this.clientHost = this.internet.addNode(this.client, [
      ...(options.hops?.(this, this.internet) ?? []),
      this.firewall,
      this.nat,
      this.tap,
      this.wire,
    ])
    this.gatewayHost = this.internet.addNode(this.gateway, [], GATEWAY_PORTS)
    for (const address of options.gateway?.additionalAddresses ?? []) this.gatewayHost.others.add(address)
    this.proxy = new ConnectProxy(this.internet, PROXY_ADDRESS, { hops: [this.internet.link({ delay: 1 })] })
    this.internet.hosts.push(this.proxy)
    this.clientHost.proxies.set('tcp:443 via http://proxy:3128', { address: PROXY_ADDRESS, port: this.proxy.port })
  }

  /** By what the session goes, at both ends alike: 'udp', or 'tcp' and the port that was dialled. */
  get way(): string {
    const of = (node: Node): string => {
      const path = [...node.core.ikeSas.values()].find(({ state }) => state.kind === 'ESTABLISHED')?.path
      if (path?.transport !== 'tcp') return path?.transport ?? 'none'
      return `tcp ${(node === this.client ? path.connection.remote : path.connection.local).port}`
    }
    const [client, gateway] = [of(this.client), of(this.gateway)]
    return client === gateway ? client : `${client} and ${gateway}`
  }

  /** Initiates, and answers after how many milliseconds the first packets have got through, each way. */
  comesUpIn(milliseconds = 60_000): number {
    this.initiate()
    const took = this.passesWithin(milliseconds, 10)
    if (took === undefined) throw new Error(`no packets pass: ${JSON.stringify(this.client.events.slice(-4))}`)
    return took
  }

  /** Down, with nothing left of it at the gateway, in the same process: what it knows of the network stays known. */
  goDown(): void {
    this.command(this.client, { kind: 'terminate' })
    this.run(40_000)
    const { ikeSas, halfOpen, connections } = this.gateway.core
    const left = ikeSas.size + halfOpen.size + connections.size
    if (left > 0) throw new Error(`the gateway still holds ${left} of IKE SAs and connections`)
  }

  /** Whether a packet gets through each way, of those sent every so often for so long. Answers after how many milliseconds. */
  passesWithin(milliseconds: number, every = 500): number | undefined {
    const from = this.now
    const before = [this.gateway.received.length, this.client.received.length]
    const hasPassed = (): boolean => this.gateway.received.length > before[0]! && this.client.received.length > before[1]!
    while (this.now - from < milliseconds && !hasPassed()) {
      this.sendUp()
      this.sendDown()
      this.run(every, hasPassed)
    }
    return hasPassed() ? this.now - from : undefined
  }

  sendUp(length = 100): void {
    this.send(this.client, ipv4Packet(this.clientAddress, '10.2.0.1', length))
  }

  sendDown(length = 100): void {
    this.send(this.gateway, ipv4Packet('10.2.0.1', this.clientAddress, length))
  }
}
