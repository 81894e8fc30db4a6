import { ExchangeType, encodeMessage, HeaderFlag, NotifyType, notify } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { ikeFrame } from '../frames.ts'
import { gatewayPeer, ipv4Packet, Pair, sessionConfig } from '../pair.ts'

describe('RFC 7296 §2.21.4, RFC 9329 §6.1 a gateway that has lost its memory', () => {
  it.each(['idle', 'busy'] as const)('an %s client is back with new SAs within `timers.reconnect` and a little', (traffic) => {
    const pair = new Pair({ clientTimers: { reconnect: 30_000, response: 30_000 } })
    pair.connect()
    const old = [...pair.client.core.ikeSas.keys()]
    // Another core in the old one's place, and a reset for every connection.
    pair.nodes.splice(pair.nodes.indexOf(pair.gateway), 1)
    const fresh = pair.add('gateway-2', pair.gateway.address, sessionConfig([gatewayPeer()], true))
    pair.cut(pair.pipe, 'reset', pair.client)
    for (let tenth = 0; tenth < 500 && fresh.core.sad.size === 0; tenth++) {
      if (traffic === 'busy') for (let count = 0; count < 5; count++) pair.send(pair.client, ipv4Packet('10.8.0.10', '10.2.0.1', 80))
      pair.run(100)
    }
    pair.settle()
    expect(fresh.core.sad.size).toBe(1)
    expect([...pair.client.core.ikeSas.keys()]).not.toEqual(old)
    pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 99))
    pair.settle()
    expect(fresh.received.at(-1)).toHaveLength(99)
  })

  it('an INVALID_IKE_SPI that nothing protects is no corruption: no SA, no connection and no path is lost for it', () => {
    const pair = new Pair()
    pair.connect()
    pair.gateway.isFrozen = true
    pair.command(pair.client, { kind: 'check-liveness' })
    const sa = pair.saOf(pair.client)
    const forged = encodeMessage({
      header: {
        initiatorSpi: sa.initiatorSpi,
        responderSpi: sa.responderSpi,
        exchangeType: ExchangeType.INFORMATIONAL,
        flags: HeaderFlag.RESPONSE,
        messageId: sa.window.outstanding!.messageId,
      },
      payloads: [notify(NotifyType.INVALID_IKE_SPI)],
    })
    pair.inject(pair.pipe, pair.client, ikeFrame(forged))
    expect(pair.client.core.connections.size).toBe(1)
    expect(sa.window.outstanding).toBeDefined()
    expect(pair.counter(pair.client, 'ike-unprotected')).toBe(1)
    expect(pair.client.eventsOf('limit-reached')).toEqual([])
  })
})
