import { describe, expect, it } from 'vitest'
import { DEFAULT_TIMERS } from '../../../src/index.ts'
import { BadNetwork } from '../bad-networks.ts'
import { CaptivePortal } from '../captive-portal.ts'

/** The longest wait before all is tried again, its jitter, and a handshake. */
const BACK_OFF = 1.2 * DEFAULT_TIMERS.maxRetry + 1_000

describe('a captive portal', () => {
  it.each([5, 60, 1_800])(
    'RFC 8952 §2, RFC 9329 §5.1 (T-FB-1): it goes away after %d s: the tunnel is up within the back-off, by UDP',
    (seconds) => {
      const { network, portal } = behindPortal()
      network.initiate()
      network.run(seconds * 1_000)
      expect(network.way).toBe('none')
      portal.agree()
      const took = network.passesWithin(BACK_OFF, 100)
      expect(took).toBeDefined()
      // It has waited no longer than it had tried.
      expect(took!).toBeLessThanOrEqual(2 * seconds * 1_000 + 2_000)
      network.run(DEFAULT_TIMERS.udpProbe * 2)
      expect(network.way).toBe('udp')
    },
  )

  it('RFC 8952 §2: the host says that the network has changed: the tunnel is up at once', () => {
    const { network, portal } = behindPortal()
    network.initiate()
    network.run(600_000)
    portal.agree()
    network.input(network.client, { kind: 'network-changed' })
    expect(network.passesWithin(1_000, 10)).toBeDefined()
    expect(network.way).toBe('udp')
  })

  it('RFC 9329 §4: its pages are no IKE: no connection is kept, and nothing grows', () => {
    const { network } = behindPortal()
    network.initiate()
    network.run(1_800_000)
    const { ikeSas, connections } = network.client.core
    expect(ikeSas.size).toBeLessThanOrEqual(3)
    expect(connections.size).toBeLessThanOrEqual(2)
    expect(network.gateway.events).toEqual([])
  })

  it.each([1, 20, 300])('RFC 9329 §6.1: one that comes up in mid-session for %d s: the same inner address', (seconds) => {
    const { network, portal } = behindPortal()
    portal.agree()
    network.comesUpIn()
    network.run(1_000)
    const inner = network.clientAddress
    portal.isUp = true
    network.run(seconds * 1_000)
    portal.agree()
    expect(network.passesWithin(BACK_OFF)).toBeDefined()
    expect(network.clientAddress).toBe(inner)
    network.run(60_000)
    expect([network.client.core.ikeSas.size, network.gateway.core.ikeSas.size]).toEqual([1, 1])
  })
})

describe('RFC 9329 §6.1: octets that are not the peer’s', () => {
  it.each([0.3, 1, 5, 20])('do not end an IKE SA: a captive portal that comes up in mid-session for %d s', (seconds) => {
    const { network, portal } = behindPortal()
    network.firewall.rules = [{ transport: 'udp', action: 'drop' }]
    portal.agree()
    network.comesUpIn()
    network.run(11_000)
    for (let round = 0; round < 3; round++) {
      network.firewall.resetStreams()
      portal.isUp = true
      network.run(seconds * 1_000)
      portal.agree()
      expect(network.passesWithin(3_500 + 2_000 * seconds)).toBeDefined()
      network.run(30_000)
    }
    expect(network.client.eventsOf('ike-sa-established')).toHaveLength(1)
    expect(network.client.eventsOf('ike-sa-closed')).toEqual([])
  })
})

function behindPortal(): { network: BadNetwork; portal: CaptivePortal } {
  let portal: CaptivePortal | undefined
  const network = new BadNetwork({
    hops: (clock, { chance }) => {
      portal = new CaptivePortal(clock, chance)
      return [portal]
    },
  })
  return { network, portal: portal! }
}
