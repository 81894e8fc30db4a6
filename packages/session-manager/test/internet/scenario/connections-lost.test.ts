import { describe, expect, it } from 'vitest'
import { DEFAULT_TIMERS } from '../../../src/index.ts'
import { TCP } from '../../pair.ts'
import { BadNetwork, type BadNetworkOptions, TCP_443, VIA_PROXY } from '../bad-networks.ts'

const { liveness, response } = DEFAULT_TIMERS
/** A round trip over the link of 20 ms. */
const ROUND_TRIP = 40

describe('RFC 9329 §6.1: connections that die, and SAs that do not', () => {
  it('(T-LIFE-4, T-LIFE-5): RST to both ends: repaired in under three round trips and a handshake', () => {
    const network = upOver([TCP])
    network.firewall.resetStreams()
    expect(network.passesWithin(10_000, 5)).toBeLessThanOrEqual(4 * ROUND_TRIP)
    expectSameSession(network)
  })

  it.each(['reset', 'adopted'] as const)(
    '(T-LIFE-5, T-LIFE-7): a NAT reboots, and what it does not know is %s: another connection',
    (unknownStreams) => {
      const network = upOver([TCP], { unknownStreams })
      network.nat.reboot()
      expect(network.passesWithin(1_000)).toBeDefined()
      expectSameSession(network)
    },
  )

  it('(T-LIFE-5): every minute for half an hour: the session stays, and no connection is left over', () => {
    const network = upOver([TCP])
    for (let minute = 0; minute < 30; minute++) {
      network.run(60_000)
      network.firewall.resetStreams()
      expect(network.passesWithin(10_000)).toBeDefined()
    }
    expectSameSession(network)
    expect([network.client.core.connections.size, network.gateway.core.connections.size]).toEqual([1, 1])
  })

  it('(T-LIFE-9): RST in mid-message, at whatever octet: packets pass again, whole', () => {
    for (let after = 0; after < 200; after += 7) {
      const network = upOver([TCP], {}, { rate: 10 })
      network.sendUp(1_000)
      network.run(20 + after)
      network.firewall.resetStreams()
      expect(network.passesWithin(10_000)).toBeDefined()
      expectSameSession(network)
    }
  })
})

describe('RFC 9329 §6.2: a connection that falls silent', () => {
  it.each([
    ['a NAT reboots, and drops what it does not know', (network: BadNetwork) => network.nat.reboot(), 'tcp 4500'],
    [
      'the firewall swallows what goes to one port',
      (network: BadNetwork) => {
        network.firewall.rules = [{ transport: 'tcp', port: 4500, action: 'drop' }]
      },
      'tcp 443',
    ],
    [
      'the firewall swallows what comes from one port',
      (network: BadNetwork) => {
        network.firewall.rules = [{ transport: 'tcp', port: 4500, direction: 'in', action: 'drop' }]
      },
      'tcp 443',
    ],
  ] as const)(
    '(T-LIFE-5): %s: the tunnel is back after the silence that ends the IKE SA, with the same inner address',
    (_, happen, way) => {
      const network = upOver([TCP, TCP_443])
      const inner = network.clientAddress
      happen(network)
      expect(network.passesWithin(liveness + response + 5_000)).toBeDefined()
      expect(network.way).toBe(way)
      expect(network.clientAddress).toBe(inner)
      network.run(60_000)
      expect([network.client.core.ikeSas.size, network.gateway.core.ikeSas.size]).toEqual([1, 1])
    },
  )
})

describe('RFC 9329 §6.1, RFC 9110 §9.3.6: a proxy that restarts', () => {
  it.each([0, 500, 5_000, 30_000])('(T-LIFE-4, T-LIFE-5): for %d ms: the same SAs, by the proxy again', (downtime) => {
    const network = upOver([VIA_PROXY])
    network.proxy.restart(downtime)
    network.run(downtime)
    expect(network.passesWithin(35_000)).toBeDefined()
    expectSameSession(network)
    expect(network.way).toBe('tcp 443')
    network.run(100_000)
    expect(network.proxy.stack.size).toBe(2)
  })

  it('(T-LIFE-6): and where there is another way it is found meanwhile', () => {
    const network = upOver([VIA_PROXY, TCP])
    network.proxy.stop()
    expect(network.passesWithin(5_000)).toBeDefined()
    expect(network.way).toBe('tcp 4500')
    expectSameSession(network)
  })
})

function upOver(
  transports: NonNullable<BadNetworkOptions['transports']>,
  nat: BadNetworkOptions['nat'] = {},
  conditions: BadNetworkOptions['conditions'] = {},
): BadNetwork {
  const network = new BadNetwork({ transports, nat, conditions })
  network.comesUpIn()
  network.run(20_000)
  return network
}

/** One IKE SA from the beginning, and the same inner address. */
function expectSameSession(network: BadNetwork): void {
  expect(network.client.eventsOf('ike-sa-established')).toHaveLength(1)
  expect(network.client.eventsOf('addresses-assigned')).toHaveLength(1)
}
