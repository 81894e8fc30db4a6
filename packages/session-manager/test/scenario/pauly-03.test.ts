import { describe, expect, it } from 'vitest'
import type { PeerConfig, StreamTransport } from '../../src/index.ts'
import { espFrame, join, withFlippedBit } from '../frames.ts'
import { type LinkOptions, Network, type Node } from '../network.ts'
import { clientPeer, GATEWAY_ADDRESS, gatewayPeer, identity, ipv4Packet, Pair, sessionConfig } from '../pair.ts'

const PAULY: StreamTransport = { transport: 'tcp', port: 4500, framing: 'pauly-03' }
const RFC9329: StreamTransport = { ...PAULY, framing: 'rfc9329' }
/** An IKE header (RFC 7296 §3.1) that says 29 octets and has no more than itself. */
const IKE_OF_ANOTHER_LENGTH = [...new Array<number>(16).fill(7), 0, 0x20, 37, 0x08, 0, 0, 0, 0, 0, 0, 0, 29]
const KEEPALIVE = Uint8Array.of(0, 0, 0, 5, 0xff)

describe('draft-pauly-ipsecme-tcp-encaps-03: the stream', () => {
  it('a session in its framing: 32-bit Length that counts itself, the Non-ESP marker, no prefix, from both ends', () => {
    const pair = new Pair({ transports: [PAULY] })
    pair.connect()
    for (const octets of [pair.pipe.fromOriginator, pair.pipe.fromResponder]) {
      const length = pair.log.find(({ from }) => from === (octets === pair.pipe.fromOriginator ? pair.client : pair.gateway))!.octets.length
      expect(octets.slice(0, 8)).toEqual([0, 0, (length + 8) >> 8, (length + 8) & 0xff, 0, 0, 0, 0])
    }
    expect(pair.passesTraffic()).toBe(true)
    pair.cut(pair.pipe)
    pair.run(2_000)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('a keepalive is dropped without a word, and none is sent', () => {
    const pair = new Pair({
      transports: [PAULY],
      clientTimers: { pathCheck: 600_000 },
      gatewayLimits: { maxCorruptFrames: 1, maxUnknownSpis: 1 },
    })
    pair.connect()
    const before = { events: pair.gateway.events.length, counters: { ...pair.gateway.core.counters } }
    const packet = ipv4Packet(pair.clientAddress, '10.2.0.1', 90)
    pair.inject(pair.pipe, pair.gateway, join(KEEPALIVE, espFrame(pair.client, packet, 'pauly-03'), KEEPALIVE))
    expect(pair.gateway.received).toEqual([packet])
    expect(pair.gateway.events).toHaveLength(before.events)
    expect(pair.gateway.core.counters).toEqual(before.counters)
    const sent = pair.pipe.fromOriginator.length
    pair.run(29_000)
    expect(pair.pipe.fromOriginator).toHaveLength(sent)
  })

  it.each<[string, number[], string]>([
    ['neither IKE nor ESP', [0, 0, 0, 8, 0, 0, 0, 0], 'connection-unparsable'],
    ['IKE that has no header', [0, 0, 0, 12, 0, 0, 0, 0, 1, 2, 3, 4], 'connection-unparsable'],
    ['IKE of another Length than its frame', [0, 0, 0, 36, 0, 0, 0, 0, ...IKE_OF_ANOTHER_LENGTH], 'connection-unparsable'],
    ['a Length that is smaller than itself', [0, 0, 0, 3], 'connection-illegal-length'],
    ['a Length that no datagram has', [0x7f, 0xff, 0xff, 0xff], 'limit-maxBufferedPerConnection'],
    ['the prefix of RFC 9329', [0x49, 0x4b, 0x45, 0x54, 0x43, 0x50], 'limit-maxBufferedPerConnection'],
  ])('what cannot be parsed closes the connection at once (its MUST), at either end, and keeps the SAs: %s', (_, octets, counter) => {
    for (const end of ['gateway', 'client'] as const) {
      const pair = new Pair({ transports: [PAULY] })
      pair.connect()
      pair.inject(pair.pipe, pair[end], Uint8Array.from(octets))
      expect(pair[end].core.connections.size).toBe(0)
      expect(pair.counter(pair[end], counter)).toBe(1)
      expect(pair[end].core.ikeSas.size).toBe(1)
      pair.run(2_000)
      expect(pair.pipes).toHaveLength(2)
      expect(pair.passesTraffic()).toBe(true)
    }
  })

  it('a connection on which nothing comes is closed after `timers.prefix`', () => {
    const pair = new Pair()
    const stranger = pair.dialRaw(pair.gateway, '192.0.2.77', { framing: 'pauly-03' })
    pair.run(5_001)
    expect(stranger.isClosed()).toBe(true)
  })
})

describe('draft-pauly-ipsecme-tcp-encaps-03: several IKE SAs on one connection', () => {
  it('two that begin at once, and a third later, share one connection', () => {
    const { network, client, gateway } = shared()
    expect(network.pipes).toHaveLength(1)
    for (const node of [client, gateway]) expect(node.core.inspect(network.now).connections[0]!.ikeSas).toHaveLength(2)
    initiate(network, client, 'three')
    expect(network.pipes).toHaveLength(1)
    for (const node of [client, gateway]) expect(node.core.inspect(network.now).connections[0]!.ikeSas).toHaveLength(3)
    expect(new Set(['one', 'two', 'three'].map((name) => addressOf(client, name))).size).toBe(3)
  })

  it.each([1, 7, 1_000])('their IKE and ESP interleave in both directions, %i octets a read', (chunk) => {
    const { network, client, gateway } = shared({ chunk })
    const [one, two] = [addressOf(client, 'one'), addressOf(client, 'two')]
    const up = [one, two, two, one, two, one].map((address, i) => ipv4Packet(address, '10.2.0.1', 100 + i))
    const down = [two, one, one, two, one, two].map((address, i) => ipv4Packet('10.2.0.1', address, 200 + i))
    for (const [i, packet] of up.entries()) {
      network.send(client, packet)
      network.send(gateway, down[i]!)
      const kind = 'check-liveness'
      if (i === 2) for (const node of [client, gateway]) network.command(node, { kind })
    }
    network.run(200)
    expect(gateway.received).toEqual(up)
    expect(client.received).toEqual(down)
    for (const node of [client, gateway]) {
      expect(node.eventsOf('liveness')).toHaveLength(2)
      expect(node.core.counters).not.toHaveProperty('esp-unknown-spi')
    }
    expect(network.pipes).toHaveLength(1)
  })

  it.each<[string, 'client' | 'gateway']>([
    ['the client', 'client'],
    ['the gateway', 'gateway'],
  ])('each is deleted alone, by %s; TCP is closed by the initiator, when the last has gone', (_, end) => {
    const { network, client, gateway } = shared()
    const by = end === 'client' ? client : gateway
    const two = addressOf(client, 'two')
    network.command(by, { kind: 'terminate', peer: 'one' })
    // A client that was sent away comes back; by the same connection.
    network.command(client, { kind: 'terminate', peer: 'one' })
    network.run(500)
    expect(client.core.ikeSas.size).toBe(1)
    expect(gateway.core.ikeSas.size).toBe(1)
    network.run(10_000)
    expect(network.pipes.map(({ isOpen }) => isOpen)).toEqual([true])
    const packets = [ipv4Packet(two, '10.2.0.1', 100), ipv4Packet('10.2.0.1', two, 101)]
    network.send(client, packets[0]!)
    network.send(gateway, packets[1]!)
    network.run(200)
    expect([gateway.received, client.received]).toEqual([[packets[0]], [packets[1]]])

    const closings = (node: Node): string[] => node.outputs.filter((output) => output.includes('"close-connection"'))
    network.command(by, { kind: 'terminate', peer: 'two' })
    network.run(100)
    expect(closings(client)).toEqual([expect.stringContaining('"how":"end"')])
    expect(closings(gateway)).toEqual([])
    expect(network.pipes[0]!.isOpen).toBe(false)
    expect(gateway.core.ikeSas.size).toBe(0)
  })

  it('one that the gateway deletes comes back by the same connection', () => {
    const { network, client, gateway } = shared()
    network.command(gateway, { kind: 'terminate', peer: 'one' })
    network.run(5_000)
    expect(client.core.ikeSas.size).toBe(2)
    expect(network.pipes.map(({ isOpen }) => isOpen)).toEqual([true])
    expect(gateway.core.inspect(network.now).connections[0]!.ikeSas).toHaveLength(2)
  })

  it('RFC 9329 §6.1 (T-LIFE-4, T-LIFE-5): when it breaks each SA goes on, by a connection of its own', () => {
    const { network, client, gateway } = shared()
    const spis = [...client.core.ikeSas.keys()]
    network.inject(network.pipes[0]!, gateway, Uint8Array.of(0, 0, 0, 0))
    expect(gateway.core.ikeSas.size).toBe(2)
    network.run(3_000)
    expect([...client.core.ikeSas.keys()]).toEqual(spis)
    expect(gateway.core.inspect(network.now).connections.map(({ ikeSas }) => ikeSas.length)).toEqual([1, 1])
    const packets = ['one', 'two'].map((name, i) => ipv4Packet(addressOf(client, name), '10.2.0.1', 100 + i))
    network.send(client, ...packets)
    network.run(200)
    expect(gateway.received).toEqual(packets)
  })

  it('what is wrong in the ESP of one ends the connection of both, and no SA', () => {
    const { network, client, gateway } = shared()
    const packet = ipv4Packet(addressOf(client, 'one'), '10.2.0.1', 100)
    network.inject(network.pipes[0]!, gateway, withFlippedBit(espFrame(client, packet, 'pauly-03'), -1))
    expect(gateway.core.counters['limit-maxIcvFailures']).toBe(1)
    expect(gateway.core.connections.size).toBe(0)
    expect(gateway.core.ikeSas.size).toBe(2)
  })

  it('two that fail to open one connection both go on trying', () => {
    const { network, client } = shared({ isTcpBlocked: true })
    expect(client.core.ikeSas.size).toBe(0)
    network.link.isTcpBlocked = false
    network.run(10_000)
    expect(client.core.sad.size).toBe(2)
  })

  it('another port or another carrier is another connection', () => {
    const { network, client } = shared({}, [PAULY, { ...PAULY, port: 4501 }, { ...PAULY, carrier: 'tls:4500' }])
    initiate(network, client, 'three')
    expect(network.pipes).toHaveLength(3)
    expect(client.core.sad.size).toBe(3)
  })

  it('RFC 9329 §6.1 (T-LIFE-10, T-LIFE-16): in RFC 9329’s framing each IKE SA has a connection of its own', () => {
    const { network, client, gateway } = shared({}, [RFC9329])
    expect(network.pipes).toHaveLength(2)
    for (const node of [client, gateway])
      expect(node.core.inspect(network.now).connections.map(({ ikeSas }) => ikeSas.length)).toEqual([1, 1])
  })

  it('RFC 9329 §6.1 (T-LIFE-10): nor does one of them move to the connection of the other', () => {
    const { network, client, gateway } = shared({}, [RFC9329])
    network.inject(network.pipes[1]!, gateway, espFrame(client, ipv4Packet(addressOf(client, 'one'), '10.2.0.1', 100)))
    expect(gateway.core.counters['ike-second-sa-on-connection']).toBe(1)
    expect(gateway.core.inspect(network.now).connections.map(({ ikeSas }) => ikeSas.length)).toEqual([1, 1])
  })
})

/** A client that knows the gateway under three names, with an identity for each, and has begun with the first two at once. */
function shared(
  link: Partial<LinkOptions> = {},
  transports: readonly StreamTransport[] = [PAULY],
): { network: Network; client: Node; gateway: Node } {
  const names = ['one', 'two', 'three']
  const network = new Network()
  Object.assign(network.link, link)
  const peers = names.map((name): PeerConfig => ({ ...gatewayPeer(), pool: POOL, name, remoteId: identity(`@${name}`) }))
  const gateway = network.add('gateway', GATEWAY_ADDRESS, sessionConfig(peers, true))
  const dialled = names.map((name, i) => ({ ...clientPeer([transports[i] ?? transports[0]!]), name, localId: identity(`@${name}`) }))
  const client = network.add('client', '192.0.2.77', sessionConfig(dialled, false))
  for (const peer of ['one', 'two']) network.command(client, { kind: 'initiate', peer })
  network.run(500)
  return { network, client, gateway }
}

/** One object, so that they lease from one. */
const POOL = gatewayPeer().pool

function initiate(network: Network, client: Node, peer: string): void {
  network.command(client, { kind: 'initiate', peer })
  network.run(500)
}

function addressOf(client: Node, peer: string): string {
  return [...client.core.ikeSas.values()].find((sa) => sa.peerName === peer)!.addresses[0]!.address
}
