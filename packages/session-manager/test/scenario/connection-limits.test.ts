import { describe, expect, it } from 'vitest'
import { PREFIX } from '../frames.ts'
import { Pair } from '../pair.ts'

describe('RFC 9329 §10 (T-SEC-1): connections are limited, each limit with an event and a counter', () => {
  it('`maxConnections`: one more is reset; when one goes, the next is let in', () => {
    const pair = new Pair({ gatewayLimits: { maxConnections: 3 } })
    const strangers = [1, 2, 3].map((host) => pair.dialRaw(pair.gateway, `203.0.113.${host}`))
    const refused = pair.dialRaw(pair.gateway, '203.0.113.4')
    expect(refused.isClosed()).toBe(true)
    expect(pair.gateway.eventsOf('limit-reached')).toMatchObject([{ limit: 'maxConnections', remote: { address: '203.0.113.4' } }])
    expect(pair.counter(pair.gateway, 'limit-maxConnections')).toBe(1)
    strangers[0]!.close('end')
    expect(pair.dialRaw(pair.gateway, '203.0.113.5').isClosed()).toBe(false)
  })

  it('`maxConnectionsPerAddress`: others are served meanwhile', () => {
    const pair = new Pair({ gatewayLimits: { maxConnectionsPerAddress: 2 } })
    const strangers = Array.from({ length: 5 }, () => pair.dialRaw(pair.gateway))
    expect(strangers.map((stranger) => stranger.isClosed())).toEqual([false, false, true, true, true])
    expect(pair.gateway.eventsOf('limit-reached')).toMatchObject(Array.from({ length: 3 }, () => ({ limit: 'maxConnectionsPerAddress' })))
    expect(pair.counter(pair.gateway, 'limit-maxConnectionsPerAddress')).toBe(3)
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
    pair.run(6_000)
    expect(pair.dialRaw(pair.gateway).isClosed()).toBe(false)
  })

  it('ten thousand idle connections hold nothing when their time is over, and a client is served among them', () => {
    const pair = new Pair({ gatewayLimits: { maxConnectionsPerAddress: 20_000 } })
    for (let count = 0; count < 10_000; count++) pair.dialRaw(pair.gateway)
    pair.connect()
    expect(pair.passesTraffic()).toBe(true)
    pair.run(6_000)
    expect(pair.gateway.core.connections.size).toBe(1)
    expect(pair.passesTraffic()).toBe(true)
  })

  it.each(['rfc9329', 'pauly-03'] as const)(
    '`maxBufferedPerConnection`: a longer message than that ends the connection (%s)',
    (framing) => {
      const pair = new Pair({ gatewayLimits: { maxBufferedPerConnection: 4_000 } })
      const stranger = pair.dialRaw(pair.gateway, '203.0.113.99', { framing })
      if (framing === 'rfc9329') stranger.write(PREFIX)
      stranger.write(framing === 'rfc9329' ? Uint8Array.of(4_001 >> 8, 4_001 & 0xff) : Uint8Array.of(0, 0, 4_001 >> 8, 4_001 & 0xff))
      expect(stranger.isClosed()).toBe(true)
      expect(pair.gateway.eventsOf('limit-reached')).toMatchObject([{ limit: 'maxBufferedPerConnection' }])
      expect(pair.counter(pair.gateway, 'limit-maxBufferedPerConnection')).toBe(1)
    },
  )

  it('a limit that no message could keep is refused with the configuration', () => {
    expect(() => new Pair({ gatewayLimits: { maxBufferedPerConnection: 20 } })).toThrow(/maxBufferedPerConnection/)
    expect(() => new Pair({ gatewayLimits: { maxMessageLength: 70_000 } })).toThrow(/maxMessageLength/)
    expect(() => new Pair({ gatewayTimers: { liveness: 0 } })).toThrow(/liveness/)
    expect(() => new Pair({ gatewayTimers: { prefix: Number.NaN } })).toThrow(/prefix/)
  })
})
