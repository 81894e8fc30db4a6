import { describe, expect, it } from 'vitest'
import type { Node } from '../network.ts'
import { ipv4Packet, Pair } from '../pair.ts'

describe('RFC 7296 §2.19 several clients of one gateway', () => {
  it('come up at once, each with an address of its own, and each gets its own packets', () => {
    const { pair, clients } = many(10)
    const addresses = clients.map(addressOf)
    expect(new Set(addresses).size).toBe(10)
    pair.send(pair.gateway, ...addresses.map((address, index) => ipv4Packet('10.2.0.1', address!, 100 + index)))
    pair.settle()
    expect(clients.map((client) => client.received.map((packet) => packet.length))).toEqual(clients.map((_, index) => [100 + index]))
    for (const [index, client] of clients.entries()) pair.send(client, ipv4Packet(addresses[index]!, '10.2.0.1', 200 + index))
    pair.settle()
    expect(pair.gateway.received.map((packet) => packet.length).toSorted()).toEqual(clients.map((_, index) => 200 + index))
  })

  it('the address of a client that leaves is free for another; one that comes back gets its own', () => {
    const { pair, clients } = many(11)
    const pool = pair.gateway.core.pools.get('road')!
    expect(pool.leased).toBe(11)
    const late = pair.addClient('late', '192.0.2.200')
    pair.command(late, { kind: 'initiate', peer: 'gateway' })
    pair.run(3_000)
    expect(late.core.sad.size).toBe(0)
    expect(late.eventsOf('handshake-failed')[0]!.notify).toBe('INTERNAL_ADDRESS_FAILURE')
    const freed = addressOf(clients[3]!)
    pair.command(clients[3]!, { kind: 'terminate' })
    pair.run(30_000, () => late.core.sad.size > 0)
    expect(addressOf(late)).toBe(freed)
    expect(pool.leased).toBe(11)
    const own = addressOf(clients[5]!)
    pair.command(clients[5]!, { kind: 'terminate' })
    pair.run(1_000)
    expect(pool.leased).toBe(10)
    pair.command(clients[5]!, { kind: 'initiate', peer: 'gateway' })
    pair.run(3_000)
    expect(addressOf(clients[5]!)).toBe(own)
  })

  it('a client that lost its memory replaces its old SA and keeps its address', () => {
    const { pair, clients } = many(2)
    const own = addressOf(clients[1]!)
    const again = pair.addClient('client-1', '192.0.2.101')
    pair.nodes.splice(pair.nodes.indexOf(clients[1]!), 1)
    pair.command(again, { kind: 'initiate', peer: 'gateway' })
    pair.run(3_000)
    expect(again.core.sad.size).toBe(1)
    expect(pair.gateway.core.ikeSas.size).toBe(2)
    expect(addressOf(again)).toBe(own)
  })

  it('one client cannot send with the address of another', () => {
    const { pair, clients } = many(2)
    const child = [...clients[0]!.core.sad.values()][0]!
    // Its own policy would not let such a packet out: seal it by hand.
    const inner = ipv4Packet(addressOf(clients[1]!)!, '10.2.0.1', 80)
    const packet = new Uint8Array(200)
    const length = child.outbound.encapsulate(inner, 0, inner.length, 4, packet, 2)
    packet.set([0, length + 2])
    pair.inject(pair.pipes[0]!, pair.gateway, packet.subarray(0, length + 2))
    expect(pair.gateway.received).toEqual([])
    expect(pair.counter(pair.gateway, 'esp-selector-mismatch')).toBe(1)
  })

  it('when all have left nothing is held', () => {
    const { pair, clients } = many(10)
    for (const client of clients) pair.command(client, { kind: 'terminate' })
    pair.run(10_000)
    const { core } = pair.gateway
    expect([core.ikeSas.size, core.sad.size, core.connections.size, core.halfOpen.size, core.pools.get('road')!.leased]).toEqual([
      0, 0, 0, 0, 0,
    ])
    expect(core.timers.nextAt()).toBe(Number.POSITIVE_INFINITY)
  })
})

function many(count: number): { pair: Pair; clients: Node[] } {
  const pair = new Pair()
  const clients = Array.from({ length: count }, (_, index) => pair.addClient(`client-${index}`, `192.0.2.${100 + index}`))
  for (const client of clients) pair.command(client, { kind: 'initiate', peer: 'gateway' })
  pair.run(3_000)
  if (clients.some((client) => client.core.sad.size !== 1)) throw new Error('not all came up')
  return { pair, clients }
}

function addressOf(node: Node): string | undefined {
  return [...node.core.ikeSas.values()][0]?.addresses[0]?.address
}
