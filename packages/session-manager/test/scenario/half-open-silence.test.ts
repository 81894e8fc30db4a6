import { describe, expect, it } from 'vitest'
import { spisOf, transportOf, up } from '../moving.ts'
import { ipv4Packet, Pair } from '../pair.ts'

describe('RFC 9329 §6.1, §6.2: a connection that falls silent without a word', () => {
  it('(T-LIFE-4, T-LIFE-6, T-RTX-2): the SAs stay, and what was asked goes out again on another connection', () => {
    const pair = new Pair({ clientTimers: { liveness: 20_000, response: 4_000 }, gatewayTimers: { liveness: 600_000 } })
    pair.connect()
    const spis = spisOf(pair)
    const { pipe } = pair
    pair.link.swallows = (_, other) => other === pipe
    pair.run(60_000, () => pair.pipes.length > 1)
    const asked = pair.log.findLast(({ from }) => from === pair.client)!
    pair.run(2_000)
    expect(pair.log.filter((entry) => entry.octets.join() === asked.octets.join())).toHaveLength(2)
    expect(spisOf(pair)).toEqual(spis)
    expect(pair.client.eventsOf('ike-sa-closed')).toEqual([])
    expect(pair.client.eventsOf('liveness')).not.toContainEqual(expect.objectContaining({ result: 'dead' }))
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-MOB-1): or over another transport, where that connection is as silent', () => {
    const pair = up({ link: { isUdpBlocked: true }, clientTimers: { liveness: 20_000, response: 4_000, udpProbe: 600_000 } })
    const spis = spisOf(pair)
    expect(transportOf(pair)).toBe('tcp')
    pair.link.swallows = (port) => port === 4500
    pair.run(60_000)
    expect(pair.saOf(pair.client).path).toMatchObject({ transport: 'tcp', connection: { remote: { port: 443 } } })
    expect(spisOf(pair)).toEqual(spis)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-LIFE-4): one that packets leave by and nothing comes by is found out within eight seconds', () => {
    const pair = new Pair()
    pair.connect()
    pair.run(20_000)
    const spis = spisOf(pair)
    const { pipe } = pair
    pair.link.swallows = (_, other) => other === pipe
    const start = pair.now
    for (let tenth = 0; tenth < 100 && pair.pipes.length === 1; tenth++) {
      pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 100))
      pair.send(pair.gateway, ipv4Packet('10.2.0.1', pair.clientAddress, 100))
      pair.run(100, () => pair.pipes.length > 1)
    }
    expect(pair.now - start).toBeLessThanOrEqual(8_000)
    pair.run(1_000)
    expect(spisOf(pair)).toEqual(spis)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('RFC 7296 §2.4: one that only carries packets away is asked, and stays as long as it answers', () => {
    const pair = new Pair()
    pair.connect()
    for (let second = 0; second < 60; second++) {
      pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 100))
      pair.run(1_000)
    }
    expect(pair.pipes).toHaveLength(1)
    expect(pair.gateway.received).toHaveLength(60)
  })

  it('(T-RTX-1): a peer that answers on neither is dead', () => {
    const pair = new Pair({ clientTimers: { liveness: 20_000, response: 4_000, resume: 3_000 } })
    pair.connect()
    pair.gateway.isFrozen = true
    pair.run(40_000)
    expect(pair.client.eventsOf('liveness').at(-1)).toMatchObject({ result: 'dead' })
    expect(pair.pipes.length).toBeGreaterThan(1)
  })
})
