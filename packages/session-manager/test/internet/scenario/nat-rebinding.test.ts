import { describe, expect, it } from 'vitest'
import { DEFAULT_LIFETIMES } from '../../../src/index.ts'
import { BadNetwork } from '../bad-networks.ts'

describe('a NAT that binds UDP anew', () => {
  it.each([
    ['with MOBIKE', true],
    ['without MOBIKE', false],
  ])('RFC 7296 §2.23, RFC 4555 §3.8 (T-LIFE-7, T-LIFE-18): %s: the first packet from the client moves the path', (_, isMobike) => {
    const network = upOverUdp(isMobike)
    const before = remoteOf(network)
    network.nat.rebind()
    expect(network.passesWithin(1_000, 50)).toBeLessThanOrEqual(200)
    expect(remoteOf(network)).not.toEqual(before)
    expect(network.gateway.eventsOf('path-moved')).toHaveLength(1)
    expect(network.way).toBe('udp')
    expect(network.client.eventsOf('ike-sa-established')).toHaveLength(1)
  })

  it.each([
    ['with MOBIKE', true],
    ['without MOBIKE', false],
  ])('RFC 7296 §2.4, RFC 4555 §3.8: %s: an idle client is reached again after its next liveness check', (_, isMobike) => {
    const network = upOverUdp(isMobike)
    network.nat.rebind()
    network.run(2 * 30_000)
    expect(arrivesFromGateway(network)).toBe(true)
    expect(network.client.eventsOf('ike-sa-established')).toHaveLength(1)
  })

  it('RFC 4555 §3.8: again and again, under load, with nothing twice', () => {
    const network = upOverUdp(true)
    for (let i = 0; i < 20; i++) {
      network.nat.rebind()
      expect(network.passesWithin(2_000, 100)).toBeDefined()
    }
    expect(network.client.eventsOf('ike-sa-established')).toHaveLength(1)
    expect(network.counter(network.gateway, 'esp-replays')).toBe(0)
  })
})

describe('RFC 3948 §4, RFC 4787 REQ-5: a NAT that forgets mappings of UDP', () => {
  it.each([
    ['every 20 s hold one of 30 s', 20_000, true],
    ['every 50 s do not', 50_000, false],
  ])('(T-KA-1): keepalives %s: a packet for a client that was idle for ten minutes', (_, natKeepalive, arrives) => {
    const quiet = { natKeepalive, liveness: 3_600_000 }
    const network = new BadNetwork({ nat: { udpTimeout: 30_000 }, clientTimers: quiet, gatewayTimers: quiet })
    network.comesUpIn()
    // Not at once after a keepalive.
    network.run(600_000 + 45_000)
    expect(arrivesFromGateway(network)).toBe(arrives)
    expect(network.nat.size > 0).toBe(arrives)
  })

  it('RFC 9329 §6.6 (T-KA-1): over TCP none is sent, and the mapping holds for hours', () => {
    const quiet = { liveness: 7_000_000, udpProbe: 3_600_000_000, maxUdpProbe: 3_600_000_000 }
    const network = new BadNetwork({
      nat: { udpTimeout: 30_000 },
      clientTimers: quiet,
      gatewayTimers: quiet,
      client: { lifetimes: LONG },
      gateway: { lifetimes: LONG },
    })
    network.firewall.rules = [{ transport: 'udp', action: 'drop' }]
    network.comesUpIn()
    network.run(1_000)
    const from = network.tap.passages.length
    network.run(6_900_000)
    expect(network.tap.passages.slice(from)).toEqual([])
    expect(arrivesFromGateway(network)).toBe(true)
  })
})

/** Nothing is rekeyed meanwhile. */
const LONG = { ...DEFAULT_LIFETIMES, childSa: 86_400_000 }

/** Without path checks, which would move the path by themselves. */
function upOverUdp(isMobike: boolean): BadNetwork {
  const network = new BadNetwork()
  network.comesUpIn()
  network.run(1_000)
  for (const node of [network.client, network.gateway]) network.saOf(node).isMobike = isMobike
  return network
}

function remoteOf(network: BadNetwork): unknown {
  const path = network.saOf(network.gateway).path
  return path?.transport === 'udp' ? path.remote : undefined
}

function arrivesFromGateway(network: BadNetwork): boolean {
  const before = network.client.received.length
  network.sendDown()
  network.run(1_000)
  return network.client.received.length > before
}
