/** The example exchanges between two cores on a virtual clock, and the chapter that a run over real sockets has written. */
import { readFileSync } from 'node:fs'
import { decodeHeader, ExchangeType } from '@underpass/ike-codec'
import { Deframer } from '@underpass/tcp-framing'
import { describe, expect, it } from 'vitest'
import type { StreamTransport } from '../../packages/session-manager/src/index.ts'
import { Network, type Node } from '../../packages/session-manager/test/network.ts'
import {
  clientPeer,
  GATEWAY_ADDRESS,
  gatewayPeer,
  identity,
  ipv4Packet,
  Pair,
  sessionConfig,
  UDP,
} from '../../packages/session-manager/test/pair.ts'
import { figureOf, type PassedEvent, sessionPartOf } from '../example-exchanges/figure.mjs'

const CHAPTER = readFileSync(new URL('../../docs/06-example-exchanges.md', import.meta.url), 'utf8')
const TLS: StreamTransport = { transport: 'tcp', port: 443, framing: 'rfc9329', carrier: 'tls:443' }
/** Without what no RFC has. */
/** As the gateway of the chapter's run. */
const IPV4_ONLY = { pool: { ...gatewayPeer().pool!, ranges: ['10.8.0.10-10.8.0.20'] } }
const PLAIN = { pathChecks: false }

describe('RFC 9329 Appendix B: a run on the virtual clock is what the chapter shows', () => {
  it('B.1 Establishing an IKE Session; B.3 (T-TLS-10) Re-establishing it; B.2 (T-LIFE-1) Deleting it', () => {
    const pair = new Pair({ transports: [TLS], client: PLAIN, gateway: IPV4_ONLY })
    const passed = new Passed(pair, pair.client)
    pair.connect()
    passed.note()
    pair.passesTraffic()
    expectFigure('B.1', passed.take())

    pair.cut(pair.pipe)
    pair.run(1_000)
    passed.note()
    pair.passesTraffic()
    expectFigure('B.3', passed.take())

    pair.command(pair.client, { kind: 'terminate' })
    pair.settle()
    expectFigure('B.2', passed.take())
    expect(pair.pipe.isOpen).toBe(false)
  })

  it('B.4 (T-MOB-4, T-MOB-5) Using MOBIKE between UDP and TCP Encapsulation', () => {
    const pair = new Pair({ transports: [UDP, TLS], client: PLAIN, gateway: IPV4_ONLY })
    const passed = new Passed(pair, pair.client)
    pair.connect()
    passed.note()
    pair.passesTraffic()
    passed.note()
    pair.link.isUdpBlocked = true
    pair.client.address = '203.0.113.5'
    pair.input(pair.client, { kind: 'network-changed' })
    pair.run(2_000)
    passed.note()
    pair.passesTraffic()
    expectFigure('B.4', passed.take())
  })

  it('draft-pauly-ipsecme-tcp-encaps-03: two IKE SAs on one connection', () => {
    const transport: StreamTransport = { ...TLS, framing: 'pauly-03' }
    const network = new Network()
    const names = ['one', 'two']
    const { pool } = IPV4_ONLY
    const peers = names.map((name) => ({ ...gatewayPeer(), pool, name, remoteId: identity(`@${name}`) }))
    const gateway = network.add('gateway', GATEWAY_ADDRESS, sessionConfig(peers, true))
    const dialled = names.map((name) => ({ ...clientPeer([transport]), ...PLAIN, name, localId: identity(`@${name}`) }))
    const client = network.add('client', '192.0.2.77', sessionConfig(dialled, false))
    const passed = new Passed(network, client)
    const addresses = new Map<string, string>()
    const packets = (name: string): void => {
      passed.note()
      network.send(client, ipv4Packet(addresses.get(name)!, '10.2.0.1', 100))
      network.run(100)
      network.send(gateway, ipv4Packet('10.2.0.1', addresses.get(name)!, 100))
      network.run(100)
      passed.note()
    }
    for (const name of names) {
      network.command(client, { kind: 'initiate', peer: name })
      network.run(500)
      addresses.set(name, [...client.core.ikeSas.values()].find((sa) => sa.peerName === name)!.addresses[0]!.address)
      packets(name)
    }
    network.command(client, { kind: 'terminate', peer: 'one' })
    network.run(500)
    packets('two')
    network.command(client, { kind: 'terminate', peer: 'two' })
    network.run(500)
    expectFigure('pauly-03', passed.take())
  })

  it('what passes in another order, is missing or comes too much is no figure', () => {
    const pair = new Pair({ transports: [TLS], client: PLAIN, gateway: IPV4_ONLY })
    const passed = new Passed(pair, pair.client)
    pair.connect()
    passed.note()
    pair.passesTraffic()
    const events = passed.take()
    const figure = (changed: readonly PassedEvent[]) => () => figureOf('B.1', changed, 'session')
    expect(figure(events)).not.toThrow()
    expect(figure(events.slice(1))).toThrow('B.1, "Stream Prefix": expected client prefix; what passed is client IKE_SA_INIT')
    expect(figure(events.slice(0, -1))).toThrow('expected server ESP; what passed is nothing')
    expect(figure([...events, events.at(-1)!])).toThrow('B.1: server ESP passed, too')
    expect(figure(events.toSpliced(1, 2, events[2]!, events[1]!))).toThrow('expected client IKE_SA_INIT')
    expect(() => figureOf('B.4', events, 'session')).toThrow('B.4, "IKE_session"')
  })
})

/** Of the chapter's figure all that a session knows of. */
function expectFigure(example: string, events: readonly PassedEvent[]): void {
  const shown = new RegExp(`<!-- ${example}: generated -->\n\n\`\`\`text\n([^]*?)\n\`\`\``).exec(CHAPTER)?.[1] ?? ''
  expect(figureOf(example, events, 'session')).toBe(sessionPartOf(example, shown))
}

/** What passed on a network since the last time: the prefix, then IKE, then ESP; `note` divides. */
class Passed {
  readonly #network: Network
  readonly #client: Node
  #log = 0
  #datagrams = 0
  readonly #streams = new Map<readonly number[], number>()
  #events: PassedEvent[] = []

  constructor(network: Network, client: Node) {
    this.#network = network
    this.#client = client
  }

  note(): void {
    const { log, datagrams } = this.#network
    const prefix: PassedEvent[] = []
    const esp: PassedEvent[] = []
    for (const pipe of this.#network.pipes)
      for (const [side, octets] of [
        ['client', pipe.fromOriginator],
        ['server', pipe.fromResponder],
      ] as const) {
        const from = this.#streams.get(octets) ?? 0
        this.#streams.set(octets, octets.length)
        const hasPrefix = pipe.framing === 'rfc9329' && side === 'client' && from === 0
        if (hasPrefix) prefix.push({ kind: 'prefix', side })
        const deframer = new Deframer(pipe.framing, { role: hasPrefix ? 'responder' : 'originator' })
        deframer.push(Uint8Array.from(octets.slice(from)))
        for (let kind = deframer.next(); kind !== 'need-more'; kind = deframer.next())
          if (kind === 'esp') esp.push({ kind, side, transport: 'stream' })
      }
    for (const { from, kind } of datagrams.slice(this.#datagrams))
      if (kind === 'esp') esp.push({ kind, side: this.#sideOf(from), transport: 'udp' })
    const ike = log.slice(this.#log).map((entry): PassedEvent => {
      const { exchangeType } = decodeHeader(entry.octets)
      return {
        kind: 'ike',
        side: this.#sideOf(entry.from),
        transport: entry.transport === 'udp' ? 'udp' : 'stream',
        // Port 500 until IKE_AUTH (RFC 7296 §2.23).
        hasMarker: entry.transport === 'tcp' || exchangeType !== ExchangeType.IKE_SA_INIT,
        exchange: Object.entries(ExchangeType).find(([, number]) => number === exchangeType)![0],
        text: entry.text,
        octets: entry.octets.join(),
      }
    })
    this.#log = log.length
    this.#datagrams = datagrams.length
    // A new connection begins with it, before the first message that goes by it.
    const first = ike.findIndex(({ transport }) => transport === 'stream')
    this.#events.push(...(prefix.length > 0 ? ike.toSpliced(first, 0, ...prefix) : ike), ...esp)
  }

  take(): PassedEvent[] {
    this.note()
    return this.#events.splice(0)
  }

  #sideOf(node: Node): 'client' | 'server' {
    return node === this.#client ? 'client' : 'server'
  }
}
