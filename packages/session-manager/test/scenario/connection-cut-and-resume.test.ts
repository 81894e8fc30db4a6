import { describe, expect, it } from 'vitest'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.1, §10 an IKE SA outlives its connections', () => {
  it.each(['reset', 'end'] as const)(
    '(T-LIFE-4, T-LIFE-6): %s without Delete: both sides keep the SAs, ESP goes on with the same SPIs',
    (reason) => {
      const pair = new Pair()
      pair.connect()
      const before = [pair.client, pair.gateway].map((node) => [...node.core.sad.keys(), ...node.core.ikeSas.keys()])
      expect(pair.passesTraffic()).toBe(true)
      pair.cut(pair.pipe, reason)
      expect(pair.client.core.connections.size + pair.gateway.core.connections.size).toBe(0)
      expect([pair.client, pair.gateway].map((node) => [...node.core.sad.keys(), ...node.core.ikeSas.keys()])).toEqual(before)
      pair.run(2_000)
      expect(pair.pipes).toHaveLength(2)
      expect([pair.client, pair.gateway].map((node) => [...node.core.sad.keys(), ...node.core.ikeSas.keys()])).toEqual(before)
      expect(pair.passesTraffic()).toBe(true)
      expect(pair.log.filter((entry) => entry.text.includes('SAi1'))).toHaveLength(1)
    },
  )

  it('(T-LIFE-4): the responder keeps them for `timers.disconnected`, then gives everything back', () => {
    const pair = new Pair({ gatewayTimers: { disconnected: 600_000 } })
    pair.connect()
    pair.client.isFrozen = true
    pair.cut(pair.pipe)
    pair.run(599_000)
    expect(pair.gateway.core.ikeSas.size).toBe(1)
    expect(pair.gateway.core.pools.get('road')!.leased).toBe(1)
    pair.run(2_000)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
    expect(pair.gateway.core.sad.size).toBe(0)
    expect(pair.gateway.core.pools.get('road')!.leased).toBe(0)
    expect(pair.gateway.core.timers.nextAt()).toBe(Number.POSITIVE_INFINITY)
  })

  it('(T-LIFE-4): where only the client learns of the reset, the gateway follows to the new connection', () => {
    const pair = new Pair()
    pair.connect()
    const old = pair.pipe
    pair.cut(old, 'reset', pair.client)
    pair.run(2_000)
    expect(pair.passesTraffic()).toBe(true)
    expect(pair.gateway.eventsOf('path-moved')).toHaveLength(1)
    expect(pair.gateway.core.connections.has(old.responderId)).toBe(true)
    pair.run(5_000)
    expect(pair.gateway.core.connections.has(old.responderId)).toBe(false)
    expect(pair.gateway.core.connections.size).toBe(1)
  })

  it('packets for a client without a connection are dropped and counted', () => {
    const pair = new Pair()
    pair.connect()
    pair.cut(pair.pipe)
    expect(pair.passesTraffic()).toBe(false)
    expect(pair.counter(pair.gateway, 'esp-no-path')).toBe(1)
    expect(pair.counter(pair.client, 'esp-no-path')).toBe(1)
  })
})
