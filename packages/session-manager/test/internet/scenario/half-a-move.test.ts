import { describe, expect, it } from 'vitest'
import { TCP, UDP } from '../../pair.ts'
import { BadNetwork } from '../bad-networks.ts'

/** UPDATE_SA_ADDRESSES came to the gateway by TCP, its answer was lost with the connection, and the repetition is answered over UDP. */
function halfMoved(isBehindNat = true): BadNetwork {
  const network = new BadNetwork({ transports: [UDP, TCP] })
  const { firewall, tap, wire, clientHost } = network
  if (!isBehindNat) clientHost.attach({ hops: [firewall, tap, wire] }, clientHost.address)
  network.comesUpIn()
  network.run(1_000)
  network.firewall.rules = [{ transport: 'udp', action: 'drop' }]
  network.input(network.client, { kind: 'network-changed' })
  network.tap.loses = ({ body }, direction) => direction === 'in' && body.protocol === 'tcp' && body.bytes.length > 0
  network.run(5_000, () => network.saOf(network.gateway).transport === 'tcp')
  network.run(20)
  network.firewall.rules = []
  network.firewall.resetStreams()
  network.tap.loses = () => false
  network.run(1_500)
  return network
}

describe('RFC 9329 §6.1, §7.1: the client is sure of UDP, and the gateway had it on a connection that is gone', () => {
  it('(T-LIFE-18, T-LIFE-19): ESP moves an SA that has no path, whatever it comes by', () => {
    const network = halfMoved()
    expect(network.saOf(network.client).transport).toBe('udp')
    network.sendUp()
    network.run(100)
    expect(network.way).toBe('udp')
    expect(network.passesWithin(1_000)).toBeDefined()
    expect(network.client.eventsOf('ike-sa-established')).toHaveLength(1)
  })

  // Behind a NAT the liveness check is an UPDATE_SA_ADDRESSES.
  it.each([true, false])('(T-LIFE-18): and so does the next message of IKE, where nothing is to be sent (NAT: %s)', (isBehindNat) => {
    const network = halfMoved(isBehindNat)
    network.run(60_000)
    expect(network.way).toBe('udp')
    const before = network.client.received.length
    network.sendDown()
    network.run(100)
    expect(network.client.received.length).toBe(before + 1)
  })

  it('(T-LIFE-4, T-APP-4): without MOBIKE it waits for a connection', () => {
    const network = new BadNetwork({ transports: [UDP, TCP] })
    network.firewall.rules = [{ transport: 'udp', action: 'drop' }]
    network.comesUpIn()
    for (const node of [network.client, network.gateway]) network.saOf(node).isMobike = false
    const sa = network.saOf(network.gateway)
    const child = [...network.saOf(network.client).children][0]!
    network.firewall.resetStreams()
    network.run(50, () => sa.path === undefined)
    const buffer = new Uint8Array(child.outbound.overhead(0))
    child.outbound.encapsulate(buffer, 0, 0, 59, buffer, 0)
    const local = { address: network.gateway.address, port: 4500 }
    network.input(network.gateway, {
      kind: 'datagram',
      local,
      remote: { address: '203.0.113.10', port: 20_000 },
      message: 'esp',
      bytes: buffer,
    })
    expect(sa.path).toBeUndefined()
    expect(network.passesWithin(5_000)).toBeDefined()
    expect(network.way).toBe('tcp 4500')
  })
})
