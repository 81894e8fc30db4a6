import { Deframer } from '@underpass/tcp-framing'
import { describe, expect, it } from 'vitest'
import { ikeFrame, ikeRequest, join, PREFIX } from '../frames.ts'
import type { Node } from '../network.ts'
import { ipv4Packet, Pair } from '../pair.ts'

const PACKET = 1_000

describe('RFC 9329 §9.1 (T-PERF-2) a connection whose socket is full', () => {
  it('IKE goes ahead of the ESP that waits, and nothing that fits is lost', () => {
    const { pair, flow, down } = session()
    flow(pair.gateway, 'blocked')
    const written = pair.pipe.fromResponder.length
    for (let count = 0; count < 5; count++) down(1)
    pair.command(pair.gateway, { kind: 'check-liveness' })
    down(2)
    expect(pair.pipe.fromResponder).toHaveLength(written)
    flow(pair.gateway, 'drained')
    expect(kindsIn(pair.pipe.fromResponder.slice(written))).toEqual(['ike', ...Array.from({ length: 7 }, () => 'esp')])
    pair.settle()
    expect(pair.client.received).toHaveLength(7)
    down(1)
    pair.settle()
    expect(pair.client.received).toHaveLength(8)
  })

  it('`maxSendQueue`: ESP above it is dropped and each packet counted, with one event for the blockage; IKE never is', () => {
    const { pair, flow, down } = session({ maxSendQueue: 10_000 })
    flow(pair.gateway, 'blocked')
    for (let count = 0; count < 20; count++) down(1)
    const queued = pair.gateway.core.inspect(pair.now).connections[0]!.queuedOctets
    expect(queued).toBeGreaterThan(9_000)
    expect(queued).toBeLessThanOrEqual(10_000)
    expect(pair.counter(pair.gateway, 'limit-maxSendQueue')).toBe(10)
    expect(pair.gateway.eventsOf('limit-reached')).toMatchObject([{ limit: 'maxSendQueue' }])
    pair.command(pair.gateway, { kind: 'check-liveness' })
    flow(pair.gateway, 'drained')
    pair.settle()
    expect(pair.client.received).toHaveLength(10)
    expect(pair.gateway.eventsOf('liveness')).toMatchObject([{ result: 'alive' }])
  })

  it('of one TUN batch that is longer than the queue what fits is kept', () => {
    const { pair, flow, down } = session({ maxSendQueue: 10_000 })
    flow(pair.gateway, 'blocked')
    down(100)
    expect(pair.counter(pair.gateway, 'limit-maxSendQueue')).toBe(90)
    flow(pair.gateway, 'drained')
    pair.settle()
    expect(pair.client.received).toHaveLength(10)
    // What was dropped was dropped before it had a Sequence Number.
    const octetsOut = pair.client.received.reduce((sum, packet) => sum + packet.length, 0)
    expect([...pair.gateway.core.sad.values()][0]!.status()).toMatchObject({ packetsOut: 10, octetsOut })
  })

  it('a blocked client does not hold up the others of the gateway', () => {
    const pair = new Pair()
    const other = pair.addClient('other', '192.0.2.20')
    pair.connect()
    pair.command(other, { kind: 'initiate', peer: 'gateway' })
    pair.run(2_000)
    pair.input(pair.gateway, { kind: 'connection-flow', connection: pair.pipes[0]!.responderId, state: 'blocked' })
    const [first, second] = ['10.8.0.10', '10.8.0.11'].map((address) => ipv4Packet('10.2.0.1', address, 80))
    pair.send(pair.gateway, first!, second!)
    pair.settle()
    expect(pair.client.received).toEqual([])
    expect(other.received).toEqual([second])
  })

  it('what waited for a connection that broke is gone: nothing of it appears on the next', () => {
    const { pair, flow, down } = session()
    flow(pair.gateway, 'blocked')
    down(5)
    pair.cut(pair.pipe)
    pair.run(2_000)
    expect(pair.client.received).toEqual([])
    expect(pair.counter(pair.gateway, 'queue-lost')).toBe(5)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('a socket that says what it has room for gets that much at a time', () => {
    const { pair, flow, down } = session()
    flow(pair.gateway, 'blocked')
    for (let count = 0; count < 10; count++) down(1)
    const before = pair.pipe.fromResponder.length
    flow(pair.gateway, 'drained', 2_500)
    expect(kindsIn(pair.pipe.fromResponder.slice(before))).toEqual(['esp', 'esp', 'esp'])
    // The others follow when the socket is asked again, as it says it is not full.
    pair.settle()
    expect(pair.client.received).toHaveLength(10)
  })

  it('a peer that asks and asks and never reads costs bounded memory: the connection goes, not the SA', () => {
    const { pair, flow } = session({ maxSendQueue: 10_000 })
    flow(pair.gateway, 'blocked')
    const sa = pair.saOf(pair.client)
    for (let count = 0; count < 1_000 && pair.gateway.core.connections.size > 0; count++)
      pair.inject(pair.pipe, pair.gateway, ikeFrame(ikeRequest(sa, [])))
    expect(pair.gateway.core.connections.size).toBe(0)
    expect(pair.gateway.core.ikeSas.size).toBe(1)
    expect(pair.gateway.eventsOf('limit-reached')).toMatchObject([{ limit: 'maxSendQueue' }])
  })

  it('nor does a stranger that repeats IKE_SA_INIT', () => {
    const other = new Pair()
    other.connect()
    const pair = new Pair({ gatewayLimits: { maxSendQueue: 10_000 } })
    const stranger = pair.dialRaw(pair.gateway)
    stranger.write(join(PREFIX, ikeFrame(other.log[0]!.octets)))
    pair.settle()
    pair.input(pair.gateway, { kind: 'connection-flow', connection: stranger.id, state: 'blocked' })
    for (let count = 0; count < 1_000; count++) stranger.write(ikeFrame(other.log[0]!.octets))
    expect(stranger.isClosed()).toBe(true)
  })
})

function session(gatewayLimits: { maxSendQueue?: number } = {}): {
  pair: Pair
  flow: (node: Node, state: 'blocked' | 'drained', room?: number) => void
  down: (count: number) => void
} {
  const pair = new Pair({ gatewayLimits })
  pair.connect()
  return {
    pair,
    flow: (node, state, room) => {
      const connection = node === pair.client ? pair.pipe.originatorId : pair.pipe.responderId
      const more = state === 'drained' && room !== undefined ? { room } : {}
      pair.input(node, { kind: 'connection-flow', connection, state, ...more })
    },
    down: (count) => pair.send(pair.gateway, ...Array.from({ length: count }, () => ipv4Packet('10.2.0.1', pair.clientAddress, PACKET))),
  }
}

function kindsIn(stream: readonly number[]): string[] {
  const deframer = new Deframer('rfc9329', { role: 'originator' })
  deframer.push(Uint8Array.from(stream))
  const kinds: string[] = []
  for (let kind = deframer.next(); kind !== 'need-more' && kind !== 'fatal'; kind = deframer.next()) kinds.push(kind)
  return kinds
}
