import { describe, expect, it } from 'vitest'
import { ikeFrame, join, PREFIX } from '../frames.ts'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.1 (T-LIFE-3, T-SEC-1): the responder closes a connection that no IKE SA uses', () => {
  it('after a Delete, `timers.idleConnection` later, where the originator did not', () => {
    const pair = new Pair({ gatewayTimers: { idleConnection: 5_000 } })
    pair.connect()
    // The originator's end of it stays silent: what it does after the Delete does not arrive.
    pair.command(pair.client, { kind: 'terminate' })
    pair.run(10)
    pair.client.isFrozen = true
    pair.run(4_900)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
    expect(pair.gateway.core.connections.size).toBe(1)
    pair.run(200)
    expect(pair.gateway.core.connections.size).toBe(0)
    expect(pair.gateway.eventsOf('connection-closed').map((event) => event.reason)).toEqual(['no IKE SA uses it'])
    expect(pair.counter(pair.gateway, 'limit-idleConnection')).toBe(1)
  })

  it('after the prefix, where nothing follows, whatever keepalives come', () => {
    const pair = new Pair({ gatewayTimers: { idleConnection: 5_000 } })
    const stranger = pair.dialRaw(pair.gateway)
    stranger.write(PREFIX)
    for (let second = 0; second < 4; second++) {
      pair.run(1_000)
      stranger.write(Uint8Array.of(0, 3, 0xff))
    }
    expect(stranger.isClosed()).toBe(false)
    pair.run(1_100)
    expect(stranger.isClosed()).toBe(true)
  })

  it('and one whose handshake never ends goes when the half-open SA has gone', () => {
    const other = new Pair()
    other.connect()
    const pair = new Pair({ gatewayTimers: { handshake: 10_000, idleConnection: 5_000 } })
    const stranger = pair.dialRaw(pair.gateway)
    stranger.write(join(PREFIX, ikeFrame(other.log[0]!.octets)))
    pair.run(9_900)
    expect(pair.gateway.core.halfOpen.size).toBe(1)
    expect(stranger.isClosed()).toBe(false)
    pair.run(200)
    expect(pair.gateway.core.halfOpen.size).toBe(0)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
    pair.run(5_000)
    expect(stranger.isClosed()).toBe(true)
  })

  it('but never one with an IKE SA, however quiet', () => {
    const pair = new Pair()
    pair.connect()
    pair.run(600_000)
    expect(pair.pipes).toHaveLength(1)
    expect(pair.pipe.isOpen).toBe(true)
    expect(pair.passesTraffic()).toBe(true)
  })
})
