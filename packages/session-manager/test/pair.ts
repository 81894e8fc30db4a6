/** A client and a gateway that know each other's key, on a `Network`: where most scenarios begin. */
import { nobleProvider } from '@underpass/esp-crypto'
import type { IkeSa } from '../src/ike/ike-sa.ts'
import {
  DEFAULT_LIMITS,
  DEFAULT_TIMERS,
  type Identity,
  type Limits,
  type PeerAuthentication,
  type PeerConfig,
  parseEspSuite,
  parseIdentity,
  parseIkeSuite,
  type SessionConfig,
  type Shard,
  type Timers,
  type TransportOption,
} from '../src/index.ts'
import { createMachine } from './eap-machines.ts'
import { type LinkOptions, Network, type Node, type Pipe } from './network.ts'

export interface PairOptions {
  readonly transports?: readonly TransportOption[]
  readonly link?: Partial<LinkOptions>
  readonly client?: Partial<PeerConfig>
  readonly gateway?: Partial<PeerConfig>
  readonly clientTimers?: Partial<Timers>
  readonly gatewayTimers?: Partial<Timers>
  readonly clientLimits?: Partial<Limits>
  readonly gatewayLimits?: Partial<Limits>
  readonly gatewayShard?: Shard
  readonly gatewayCrashSecret?: Uint8Array
  /** The gateway's. */
  readonly thinsAcks?: boolean
}

export const TCP: TransportOption = { transport: 'tcp', port: 4500, framing: 'rfc9329' }
export const UDP: TransportOption = { transport: 'udp', port: 500, natPort: 4500 }
export const GATEWAY_ADDRESS = '198.51.100.1'
export const CLIENT_ADDRESS = '192.0.2.10'

export class Pair extends Network {
  readonly client: Node
  readonly gateway: Node

  constructor(options: PairOptions = {}) {
    super()
    Object.assign(this.link, options.link)
    this.gateway = this.add('gateway', GATEWAY_ADDRESS, {
      ...sessionConfig([{ ...gatewayPeer(), ...options.gateway }], true, options.gatewayTimers, options.gatewayLimits),
      ...(options.gatewayShard && { shard: options.gatewayShard }),
      ...(options.gatewayCrashSecret && { crashSecret: options.gatewayCrashSecret }),
      ...(options.thinsAcks !== undefined && { thinsAcks: options.thinsAcks }),
    })
    this.client = this.add(
      'client',
      CLIENT_ADDRESS,
      sessionConfig([{ ...clientPeer(options.transports ?? [TCP]), ...options.client }], false, options.clientTimers, options.clientLimits),
    )
  }

  initiate(): void {
    this.command(this.client, { kind: 'initiate', peer: 'gateway' })
  }

  /** Up, or the test fails here. Answers how long it took in virtual milliseconds. */
  connect(milliseconds = 20_000): number {
    const start = this.now
    this.initiate()
    this.run(milliseconds, () => this.isUp)
    if (!this.isUp) throw new Error(`the tunnel did not come up: ${JSON.stringify(this.client.events.slice(-4))}`)
    const took = this.now - start
    this.settle()
    return took
  }

  get isUp(): boolean {
    return this.client.core.sad.size > 0 && this.gateway.core.sad.size > 0
  }

  /** The connection between the two that was opened last. */
  get pipe(): Pipe {
    return this.pipes.at(-1)!
  }

  /** The node's only IKE SA; the test fails here where there is none, or more. */
  saOf(node: Node): IkeSa {
    const sas = [...node.core.ikeSas.values()]
    if (sas.length !== 1) throw new Error(`${node.name} has ${sas.length} IKE SAs`)
    return sas[0]!
  }

  /** How often the node counted `counter`. */
  counter(node: Node, counter: string): number {
    return node.core.counters[counter] ?? 0
  }

  /** Lets what is in flight arrive, and no timer of more than half a second. */
  settle(milliseconds = 200): void {
    this.run(milliseconds)
  }

  transcript(from = 0): string[] {
    return this.log.slice(from).map((entry) => `${entry.from === this.client ? 'I → R' : 'R → I'}  ${entry.text}`)
  }

  /** Sends a packet each way and says whether both came out whole. */
  passesTraffic(): boolean {
    const up = ipv4Packet(this.clientAddress, '10.2.0.1', 100)
    const down = ipv4Packet('10.2.0.1', this.clientAddress, 100)
    const before = [this.gateway.received.length, this.client.received.length]
    this.send(this.client, up)
    this.send(this.gateway, down)
    this.settle()
    const arrived = (node: Node, from: number, packet: Uint8Array): boolean =>
      node.received.slice(from).some((got) => got.join() === packet.join())
    return arrived(this.gateway, before[0]!, up) && arrived(this.client, before[1]!, down)
  }

  get clientAddress(): string {
    const sa = [...this.client.core.ikeSas.values()].find((candidate) => candidate.addresses.length > 0)
    return sa?.addresses[0]?.address ?? '10.8.0.10'
  }

  /** Another client with an identity of its own; the gateway's peer must accept any. */
  addClient(name: string, address: string, peer: Partial<PeerConfig> = {}): Node {
    return this.add(name, address, sessionConfig([{ ...clientPeer([TCP]), localId: identity(`@${name}`), ...peer }], false))
  }
}

export const SECRET: Uint8Array = Uint8Array.from('at-least-32-octets-of-secret-text-here', (character) => character.charCodeAt(0))

/** Both ends prove themselves with one secret. */
export function sharedKey(secret: Uint8Array): PeerAuthentication {
  return { local: { kind: 'shared-key', secret }, remote: { kind: 'shared-key', secret } }
}

export function clientPeer(transports: readonly TransportOption[]): PeerConfig {
  return {
    name: 'gateway',
    localId: identity('@client'),
    remoteId: identity('@gw'),
    auth: sharedKey(SECRET),
    ikeProposals: [parseIkeSuite('aes256gcm16-prfsha256-x25519'), parseIkeSuite('aes256-sha256-ecp256')],
    espProposals: [parseEspSuite('aes256gcm16'), parseEspSuite('aes256-sha256')],
    dial: { address: GATEWAY_ADDRESS, transports },
    localSubnets: 'virtual',
    remoteSubnets: ['10.2.0.0/24'],
    requestAddresses: ['ipv4'],
    pool: undefined,
    replayWindow: 64,
    esn: false,
  }
}

export function gatewayPeer(): PeerConfig {
  return {
    name: 'road',
    localId: identity('@gw'),
    remoteId: undefined,
    auth: sharedKey(SECRET),
    ikeProposals: [parseIkeSuite('aes256gcm16-prfsha256-x25519'), parseIkeSuite('aes256-sha256-ecp256')],
    espProposals: [parseEspSuite('aes256gcm16'), parseEspSuite('aes256-sha256')],
    dial: undefined,
    localSubnets: ['10.2.0.0/24'],
    remoteSubnets: 'virtual',
    requestAddresses: [],
    pool: { ranges: ['10.8.0.10-10.8.0.20', 'fd00:8::10-fd00:8::ff'], dns: ['10.2.0.53', 'fd00:2::53'], subnets: ['10.2.0.0/24'] },
    replayWindow: 64,
    esn: false,
  }
}

export function sessionConfig(
  peers: readonly PeerConfig[],
  acceptsPeers: boolean,
  timers: Partial<Timers> = {},
  limits: Partial<Limits> = {},
): SessionConfig {
  return {
    peers,
    acceptsPeers,
    aeadProvider: nobleProvider,
    createEapMachine: createMachine,
    timers: { ...DEFAULT_TIMERS, ...timers },
    limits: { ...DEFAULT_LIMITS, ...limits },
  }
}

export function identity(text: string): Identity {
  return parseIdentity(text)!
}

/** A UDP packet between two IPv4 addresses; checksums are nobody's business here. */
export function ipv4Packet(source: string, destination: string, length: number): Uint8Array {
  const packet = new Uint8Array(length).map((_, index) => index & 0xff)
  packet.set([0x45, 0, length >> 8, length & 0xff, 0, 1, 0, 0, 64, 17, 0, 0])
  packet.set(source.split('.').map(Number), 12)
  packet.set(destination.split('.').map(Number), 16)
  packet.set([0x30, 0x39, 0x00, 0x35, (length - 20) >> 8, (length - 20) & 0xff, 0, 0], 20)
  return packet
}
