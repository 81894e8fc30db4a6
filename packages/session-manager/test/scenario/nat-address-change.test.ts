import { describe, expect, it } from 'vitest'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.1 (T-LIFE-7): the responder takes an existing SA from a new address and port', () => {
  it('the first valid message of a redial moves the path, and says from where to where', () => {
    const pair = new Pair()
    pair.connect()
    const inner = pair.clientAddress
    pair.cut(pair.pipe)
    pair.client.address = '203.0.113.50'
    pair.run(2_000)
    expect(pair.passesTraffic()).toBe(true)
    expect(pair.clientAddress).toBe(inner)
    const moved = pair.gateway.eventsOf('path-moved')
    expect(moved).toHaveLength(1)
    expect(moved[0]!.from.remote.address).toBe('192.0.2.10')
    expect(moved[0]!.to.remote.address).toBe('203.0.113.50')
    expect(pair.gateway.core.inspect(pair.now).ikeSas[0]!.path!.remote.address).toBe('203.0.113.50')
  })

  it('the limit per address follows the addresses', () => {
    const pair = new Pair({ gatewayLimits: { maxConnectionsPerAddress: 1 } })
    pair.connect()
    for (let move = 0; move < 5; move++) {
      pair.cut(pair.pipe)
      pair.client.address = `203.0.113.${50 + (move % 2)}`
      pair.run(2_000)
      expect(pair.passesTraffic()).toBe(true)
    }
  })
})
