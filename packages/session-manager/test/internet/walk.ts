/**
 * A random walk through bad networks. What is drawn happens to the networks and the machines; the reference model knows nothing but which
 * ways are open. Where one is, and nothing happens any more, the session carries packets both ways within `BOUND`, and whatever happens
 * `Ledger` holds, and the gateway holds no more than `MOST`.
 */
import { DEFAULT_LIFETIMES, type Timers } from '../../src/index.ts'
import type { Node } from '../network.ts'
import { GATEWAY_ADDRESS, TCP, UDP } from '../pair.ts'
import { BadNetwork, VIA_PROXY } from './bad-networks.ts'
import { CaptivePortal } from './captive-portal.ts'
import { Firewall, type FirewallAction, type Rule } from './firewall.ts'
import type { Access } from './internet.ts'
import { Ledger } from './ledger.ts'
import { Nat, type NatBehaviour } from './nat.ts'
import { Chance } from './random.ts'

/** Shorter than in life, so that more happens in less time. */
export const TIMERS: Partial<Timers> = {
  handshake: 10_000,
  response: 5_000,
  liveness: 5_000,
  maxRedial: 4_000,
  reconnect: 15_000,
  disconnected: 60_000,
  retry: 1_000,
  maxRetry: 8_000,
  udpProbe: 10_000,
  maxUdpProbe: 60_000,
  blocked: 60_000,
}

/**
 * From when a way is open and nothing happens: silence of `liveness` and `response` tells that the old way is none, for `reconnect` another
 * is looked for that the SAs may keep, `maxRetry` and a fifth may pass before all is tried again, and that may take a handshake; then loss
 * and the repetitions of TCP.
 */
export const BOUND = 5_000 + 5_000 + 15_000 + 1.2 * 8_000 + 10_000 + 10_000

/** RFC 7296 §2.8: both ends rekey again and again. */
const SHORT = { ...DEFAULT_LIFETIMES, ikeSa: 300_000, childSa: 180_000 }

/** Of the gateway, for its one client. */
export const MOST = { halfOpen: 8, connections: 8, ikeSas: 8 }

type Way = 'udp' | 'tcp' | 'proxy'
const WAYS: readonly Way[] = ['udp', 'tcp', 'proxy']

/** Each takes its way away altogether, whatever else passes by it. */
const UDP_BLOCKS: readonly Rule[] = [
  { transport: 'udp', action: 'drop' },
  { transport: 'udp', action: 'reject' },
  { transport: 'udp', action: 'prohibit' },
  { transport: 'udp', direction: 'in', action: 'drop' },
  { transport: 'udp', port: 4500, action: 'drop' },
  { transport: 'udp', message: 'esp', action: 'drop' },
  { transport: 'udp', message: 'esp', direction: 'out', action: 'drop' },
  { transport: 'udp', message: 'esp', direction: 'in', action: 'drop' },
]
const STREAM_BLOCKS: readonly FirewallAction[] = ['drop', 'reject', 'prohibit', 'reset', 'stall']
const BLOCKS: Record<Way, readonly Rule[]> = {
  udp: UDP_BLOCKS,
  tcp: STREAM_BLOCKS.map((action) => ({ transport: 'tcp', port: 4500, action })),
  proxy: STREAM_BLOCKS.map((action) => ({ transport: 'tcp', port: 3_128, action })),
}

/** The gateway's second, which it names to those that are connected (RFC 4555 §3.4). */
const OTHER_ADDRESS = '198.51.100.2'

interface Place {
  readonly name: string
  readonly access: Access
  readonly address: string
  readonly portal: CaptivePortal
  readonly firewall: Firewall
  readonly nat: Nat | undefined
  readonly blocks: Map<Way, Rule>
}

export class Walk {
  readonly pair: BadNetwork
  readonly seed: string
  readonly trace: string[] = []
  readonly maxima = { halfOpen: 0, connections: 0, ikeSas: 0, repair: 0 }
  /** What had led to it. */
  longestRepair = ''
  transitions = 0
  checks = 0
  readonly #chance: Chance
  readonly #ledger: Ledger
  readonly #places: readonly Place[]
  #place: Place
  /** Until when the gateway's process, and the proxy's, do not run. */
  #gatewayBackAt = 0
  #proxyBackAt = 0

  constructor(seed: string) {
    this.seed = seed
    this.#chance = new Chance(`walk ${seed}`)
    this.pair = new BadNetwork({
      transports: [UDP, TCP, VIA_PROXY],
      seed,
      clientTimers: TIMERS,
      gatewayTimers: TIMERS,
      client: { lifetimes: SHORT },
      gateway: { additionalAddresses: [OTHER_ADDRESS], lifetimes: SHORT },
    })
    this.pair.isRecording = false
    this.#ledger = new Ledger(this.pair)
    this.#places = [
      this.#newPlace('at home', '192.168.1.10', { mapping: 'endpoint-independent' }),
      this.#newPlace('in the office', '10.77.0.10', {
        mapping: 'address-and-port-dependent',
        unknownStreams: 'reset',
        udpTimeout: 120_000,
      }),
      this.#newPlace('in a hotel', '172.16.0.10', { filtering: 'endpoint-independent', unknownStreams: 'adopted', udpTimeout: 60_000 }),
      this.#newPlace('in the open', '192.0.2.10', undefined),
    ]
    this.#place = this.#places[0]!
    this.pair.clientHost.attach(this.#place.access, this.#place.address)
    this.pair.initiate()
  }

  /** Throws where something is wrong. */
  go(transitions: number): void {
    for (let i = 0; i < transitions; i++) {
      this.transitions++
      this.#happen()
      this.#lookAround()
    }
    this.#end()
  }

  /** What happened last, and what was said of it. */
  report(): string {
    const { client, gateway, log } = this.pair
    const lines = log.slice(-20).map(({ at, from, transport, text }) => `${Math.round(at)} ${from.name} ${transport} ${text}`)
    const events = [client, gateway].flatMap((node) => node.events.slice(-12).map((event) => `${node.name} ${JSON.stringify(event)}`))
    return [...this.trace, '', ...lines, '', ...events, '', JSON.stringify(client.core.inspect(this.pair.now).peers)].join('\n')
  }

  #happen(): void {
    const chance = this.#chance
    const dice = chance.below(100)
    if (dice < 28) this.#traffic()
    else if (dice < 41) this.#wait(chance.one([0, 20, 200, 1_000, 5_000, 20_000]))
    else if (dice < 52) this.#block(chance.one(WAYS))
    else if (dice < 62) this.#unblock(chance.one(WAYS))
    else if (dice < 66) this.#onlyOne(chance.one(WAYS))
    else if (dice < 71) this.#resetStreams()
    else if (dice < 75) this.#rebind()
    else if (dice < 80) this.#move()
    else if (dice < 84) this.#changeLink()
    else if (dice < 86) this.#restartProxy()
    else if (dice < 88) this.#restartGateway()
    else if (dice < 89) this.#restartSession()
    else if (dice < 91) this.#togglePortal()
    else if (dice < 93) this.#toggleAddress()
    else this.#calm()
  }

  #traffic(): void {
    const { pair } = this
    const packets = 1 + this.#chance.below(8)
    this.#note(`${packets} packets each way`)
    for (let i = 0; i < packets; i++) {
      this.#ledger.send(pair.client, 60 + this.#chance.below(1_300))
      this.#ledger.send(pair.gateway, 60 + this.#chance.below(1_300))
    }
    pair.run(this.#chance.one([0, 5, 50, 200]))
  }

  #wait(milliseconds: number): void {
    this.#note(`${milliseconds} ms pass`)
    this.pair.run(milliseconds)
  }

  #block(way: Way): void {
    this.#place.blocks.set(way, this.#chance.one(BLOCKS[way]))
    this.#setRules()
  }

  #unblock(way: Way): void {
    this.#place.blocks.delete(way)
    this.#setRules()
  }

  #onlyOne(way: Way): void {
    for (const other of WAYS) this.#place.blocks.set(other, this.#chance.one(BLOCKS[other]))
    this.#unblock(way)
  }

  #resetStreams(): void {
    this.#note('RST for all connections')
    this.#place.firewall.resetStreams()
  }

  #rebind(): void {
    const isReboot = this.#chance.happens(0.4)
    this.#note(isReboot ? 'the NAT reboots' : 'the NAT binds anew')
    if (isReboot) this.#place.nat?.reboot()
    else this.#place.nat?.rebind()
  }

  #move(): void {
    this.#place = this.#chance.one(this.#places)
    this.#note(`the client is ${this.#place.name}: ${this.#describePlace()}`)
    this.pair.clientHost.attach(this.#place.access, this.#place.address)
    this.pair.run(this.#chance.one([0, 100, 2_000]))
    this.pair.input(this.pair.client, { kind: 'network-changed' })
  }

  #changeLink(): void {
    const chance = this.#chance
    const { conditions } = this.pair.wire
    conditions.delay = chance.one([1, 10, 50, 150])
    conditions.jitter = chance.one([0, 0, 10, 50])
    conditions.loss = chance.one([0, 0, 0, 0.01, 0.05])
    conditions.reordering = chance.one([0, 0, 0.05])
    conditions.bursts = chance.happens(0.2) ? { begin: 0.01, end: 0.3, loss: 0.8 } : undefined
    conditions.rate = chance.one([Number.POSITIVE_INFINITY, 1_000, 30])
    conditions.queue = 30_000
    this.#note(`link: ${JSON.stringify(conditions)}`)
  }

  #restartProxy(): void {
    const { now, proxy } = this.pair
    if (now < this.#proxyBackAt) return
    const downtime = this.#chance.one([0, 100, 3_000])
    this.#note(`the proxy restarts, ${downtime} ms`)
    this.#proxyBackAt = now + downtime
    proxy.restart(downtime)
  }

  #restartGateway(): void {
    const { now, gatewayHost } = this.pair
    if (now < this.#gatewayBackAt) return
    const downtime = this.#chance.one([0, 100, 3_000])
    const how = this.#chance.one(['process', 'power'] as const)
    this.#note(`the gateway restarts (${how}), ${downtime} ms`)
    this.#gatewayBackAt = now + downtime
    gatewayHost.restart(downtime, how)
  }

  #togglePortal(): void {
    const { portal } = this.#place
    if (portal.isUp) portal.agree()
    else portal.isUp = this.#chance.happens(0.3)
    this.#note(`captive portal: ${portal.isUp}`)
  }

  /** One of the gateway's addresses at a time leads nowhere. Who is connected by UDP and is told of no end goes to the other. */
  #toggleAddress(): void {
    const { pair } = this
    const { down } = pair.gatewayHost
    if (down.size > 0) {
      down.clear()
      return this.#note('both addresses of the gateway are there')
    }
    if (this.#chance.happens(0.6)) return
    const isCalm = this.#open().length > 0
    if (isCalm) this.#calm()
    const address = this.#chance.one([GATEWAY_ADDRESS, OTHER_ADDRESS])
    const isKnown = isCalm && pair.way === 'udp' && this.#open().some((way) => way !== 'proxy')
    down.add(address)
    this.#note(`${address} is down`)
    if (isKnown) this.#mustPass(BOUND)
  }

  /** The user wants it down, and up again. */
  #restartSession(): void {
    const { pair } = this
    this.#note('terminate, and initiate')
    pair.command(pair.client, { kind: 'terminate' })
    pair.run(10_000)
    this.#assertNothingLeft(pair.client)
    pair.initiate()
  }

  /** Nothing happens. Where a way is open, packets pass. */
  #calm(): void {
    const { pair } = this
    const open = this.#open()
    this.#note(`calm, open: ${open.join(', ') || 'none'}, way: ${pair.way}`)
    pair.run(Math.max(0, this.#gatewayBackAt - pair.now, this.#proxyBackAt - pair.now))
    if (open.length === 0) return pair.run(this.#chance.one([1_000, 10_000, 60_000]))
    this.#mustPass(BOUND)
    if (!this.#chance.happens(0.2)) return
    pair.run(30_000)
    this.#mustPass(BOUND)
  }

  #mustPass(bound: number): void {
    const { pair } = this
    const from = pair.now
    this.checks++
    const sent: [number, number][] = []
    const hasPassed = (): boolean => [0, 1].every((way) => sent.some((pairOf) => this.#ledger.hasArrived(pairOf[way]!)))
    while (pair.now - from < bound) {
      sent.push([this.#ledger.send(pair.client, 100), this.#ledger.send(pair.gateway, 100)])
      pair.run(500, () => {
        this.#ledger.check()
        return hasPassed()
      })
      this.#lookAround()
      if (!hasPassed()) continue
      if (pair.now - from > this.maxima.repair) {
        this.maxima.repair = pair.now - from
        this.longestRepair = this.report()
      }
      return
    }
    throw new Error(`no packets pass both ways after ${bound} ms, though these are open: ${this.#open().join(', ')}`)
  }

  /** The reference model. A session that is new goes to the gateway's first address. */
  #open(): Way[] {
    const { blocks, portal } = this.#place
    if (portal.isUp || this.pair.gatewayHost.down.has(GATEWAY_ADDRESS)) return []
    return WAYS.filter((way) => !blocks.has(way))
  }

  #lookAround(): void {
    const { gateway, client, log } = this.pair
    this.#ledger.check()
    const { halfOpen, connections, ikeSas } = gateway.core
    const held = { halfOpen: halfOpen.size, connections: connections.size, ikeSas: ikeSas.size }
    for (const name of ['halfOpen', 'connections', 'ikeSas'] as const) {
      this.maxima[name] = Math.max(this.maxima[name], held[name])
      if (held[name] > MOST[name]) throw new Error(`the gateway holds ${held[name]} ${name}`)
    }
    for (const list of [log, client.events, gateway.events]) if (list.length > 2_000) list.splice(0, 1_000)
  }

  #end(): void {
    const { pair } = this
    this.#note('the end')
    pair.command(pair.client, { kind: 'terminate' })
    pair.command(pair.gateway, { kind: 'terminate' })
    pair.run(100_000)
    this.#ledger.check()
    for (const node of [pair.client, pair.gateway]) this.#assertNothingLeft(node)
  }

  #assertNothingLeft({ name, core }: Node): void {
    const left = {
      ikeSas: core.ikeSas.size,
      childSas: core.sad.size,
      connections: core.connections.size,
      halfOpen: core.halfOpen.size,
      leases: [...core.pools.values()].reduce((sum, pool) => sum + pool.leased, 0),
      timers: core.timers.nextAt() === Number.POSITIVE_INFINITY ? 0 : 1,
    }
    if (Object.values(left).some((count) => count > 0)) throw new Error(`${name} still holds ${JSON.stringify(left)}`)
  }

  #newPlace(name: string, address: string, behaviour: Partial<NatBehaviour> | undefined): Place {
    const { pair } = this
    const portal = new CaptivePortal(pair, pair.internet.chance)
    portal.isUp = false
    const firewall = new Firewall()
    const nat = behaviour && new Nat(pair, `203.0.113.${20 + address.length + name.length}`, behaviour)
    const hops = [portal, firewall, ...(nat ? [nat] : []), pair.wire]
    return { name, address, portal, firewall, nat, access: { hops }, blocks: new Map() }
  }

  #setRules(): void {
    this.#place.firewall.rules = [...this.#place.blocks.values()]
    this.#note(this.#describePlace())
  }

  #describePlace(): string {
    const { blocks, portal } = this.#place
    const rules = [...blocks].map(([way, { action, port, message, direction }]) =>
      [way, action, way === 'udp' ? port : undefined, message, direction].filter((word) => word !== undefined).join(' '),
    )
    return `${portal.isUp ? 'captive portal; ' : ''}${rules.join(', ') || 'nothing is blocked'}`
  }

  #note(text: string): void {
    this.trace.push(`${Math.round(this.pair.now)}: ${text}`)
    if (this.trace.length > 60) this.trace.shift()
  }
}
