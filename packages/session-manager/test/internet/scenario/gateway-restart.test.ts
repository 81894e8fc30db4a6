import { describe, expect, it } from 'vitest'
import { DEFAULT_TIMERS } from '../../../src/index.ts'
import { TCP, UDP } from '../../pair.ts'
import { BadNetwork } from '../bad-networks.ts'

const { liveness, response, resume } = DEFAULT_TIMERS

describe('RFC 7296 §2.4, §2.21.4, RFC 9329 §6.1: the gateway restarts, and has lost every SA', () => {
  it.each([
    // RST, and three new connections that are not answered on.
    ['UDP', UDP, 'process', 0, liveness + resume + 5_000],
    ['UDP', UDP, 'process', 20_000, liveness + resume + 60_000],
    ['UDP', UDP, 'power', 20_000, liveness + resume + 60_000],
    ['TCP', TCP, 'process', 0, 20_000],
    ['TCP', TCP, 'process', 20_000, 90_000],
    ['TCP', TCP, 'power', 20_000, liveness + response + 90_000],
  ] as const)('(T-LIFE-5): over %s, of %s a %s, away for %d ms: back with the same inner address', (_, transport, how, downtime, bound) => {
    const network = new BadNetwork({ transports: [transport] })
    // Somebody else has the address that a gateway without memory would give first.
    const other = network.addClient('other', '192.0.2.77')
    network.internet.addNode(other, [network.internet.link()])
    network.command(other, { kind: 'initiate', peer: 'gateway' })
    network.run(1_000)
    network.comesUpIn()
    const inner = network.clientAddress
    expect(inner).toBe('10.8.0.11')
    other.isFrozen = true
    network.gatewayHost.restart(downtime, how)
    network.run(downtime)
    expect(network.passesWithin(bound)).toBeDefined()
    expect(network.clientAddress).toBe(inner)
    expect(network.client.eventsOf('ike-sa-established')).toHaveLength(2)
    expect([network.client.core.ikeSas.size, network.gateway.core.ikeSas.size]).toEqual([1, 1])
  })
})
