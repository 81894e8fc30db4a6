import { describe, expect, it } from 'vitest'
import { PREFIX } from '../frames.ts'
import { Pair } from '../pair.ts'

const STRANGERS: readonly [string, readonly number[]][] = [
  ['HTTP', [...'GET / HTTP/1.1\r\n\r\n'].map((character) => character.charCodeAt(0))],
  ['a TLS ClientHello', [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]],
  ['the prefix of an old draft', [...'IKEv2'].map((character) => character.charCodeAt(0))],
  ['pauly-03 framing', [0, 0, 0, 40, 0, 0, 0, 0]],
  ['a Length at once', [0, 34, 0, 0, 0, 0]],
  ['a prefix wrong in its last octet', [...'IKETCQ'].map((character) => character.charCodeAt(0))],
]

describe('RFC 9329 §10 (T-PFX-7): a stream that does not begin with the prefix is closed without a word', () => {
  it.each(STRANGERS)('%s', (_name, octets) => {
    const pair = new Pair()
    const stranger = pair.dialRaw(pair.gateway)
    stranger.write(Uint8Array.from(octets))
    expect(stranger.isClosed()).toBe(true)
    expect(stranger.read()).toHaveLength(0)
    expect(pair.counter(pair.gateway, 'connection-bad-prefix')).toBe(1)
    expect(pair.gateway.core.connections.size).toBe(0)
    expect(pair.gateway.core.ikeSas.size).toBe(0)
  })
})

describe('RFC 9329 §10 (T-PFX-7, T-SEC-1): the prefix has a time limit', () => {
  it.each([0, 1, 5])('with %i octets of it the connection ends after `timers.prefix`, with an event and a counter', (octets) => {
    const pair = new Pair({ gatewayTimers: { prefix: 5_000 } })
    const stranger = pair.dialRaw(pair.gateway)
    stranger.write(PREFIX.slice(0, octets))
    pair.run(4_999)
    expect(stranger.isClosed()).toBe(false)
    pair.run(2)
    expect(stranger.isClosed()).toBe(true)
    expect(stranger.read()).toHaveLength(0)
    expect(pair.counter(pair.gateway, 'limit-prefix')).toBe(1)
    expect(pair.gateway.eventsOf('limit-reached')).toMatchObject([{ limit: 'prefix', remote: { address: '203.0.113.99' } }])
    expect(pair.gateway.core.connections.size).toBe(0)
  })

  it('an octet now and then does not lengthen it', () => {
    const pair = new Pair({ gatewayTimers: { prefix: 5_000 } })
    const stranger = pair.dialRaw(pair.gateway)
    for (let index = 0; index < 5; index++) {
      stranger.write(PREFIX.slice(index, index + 1))
      pair.run(1_001)
    }
    expect(stranger.isClosed()).toBe(true)
  })
})
