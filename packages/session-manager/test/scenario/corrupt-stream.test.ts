import { ExchangeType } from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { espFrame, ikeFrame, ikeMessage, join, PREFIX, strayEspFrame, withFlippedBit } from '../frames.ts'
import { ipv4Packet, Pair } from '../pair.ts'

const UNPARSABLE = Uint8Array.of(0, 10, 0, 0, 0, 0, 1, 2, 3, 4)

describe('RFC 9329 §6.1 (T-LIFE-13): corruption closes the connection and keeps the SA', () => {
  it.each(['ESP', 'IKE'] as const)('an %s message of a known SPI whose ICV fails: closed at once, redialled, and all goes on', (kind) => {
    const pair = new Pair()
    pair.connect()
    const frame =
      kind === 'ESP'
        ? espFrame(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 80))
        : ikeFrame(ikeMessage(pair.saOf(pair.client), [], { exchangeType: ExchangeType.INFORMATIONAL, messageId: 2, isResponse: false }))
    pair.inject(pair.pipe, pair.gateway, withFlippedBit(frame, -1))
    expect(pair.gateway.received).toEqual([])
    expect(pair.gateway.eventsOf('limit-reached')).toMatchObject([{ limit: 'maxIcvFailures' }])
    expect(pair.counter(pair.gateway, 'limit-maxIcvFailures')).toBe(1)
    expect(pair.counter(pair.gateway, kind === 'ESP' ? 'esp-drop-icv' : 'ike-icv-failures')).toBe(1)
    expect(pair.gateway.core.sad.size).toBe(1)
    pair.run(2_000)
    expect(pair.pipes).toHaveLength(2)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('the limit `maxIcvFailures` is the number', () => {
    const pair = new Pair({ gatewayLimits: { maxIcvFailures: 3 } })
    pair.connect()
    const frame = withFlippedBit(espFrame(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 80)), -1)
    pair.inject(pair.pipe, pair.gateway, join(frame, frame))
    expect(pair.gateway.core.connections.size).toBe(1)
    pair.inject(pair.pipe, pair.gateway, frame)
    expect(pair.gateway.core.connections.size).toBe(0)
  })

  it('too many subsequent messages that are neither IKE nor ESP: `maxCorruptFrames` closes, with an event and a counter', () => {
    const pair = new Pair({ gatewayLimits: { maxCorruptFrames: 8 } })
    pair.connect()
    for (let count = 0; count < 7; count++) pair.inject(pair.pipe, pair.gateway, UNPARSABLE)
    expect(pair.gateway.core.connections.size).toBe(1)
    expect(pair.passesTraffic()).toBe(true)
    // A valid message in between: they are no longer subsequent.
    for (let count = 0; count < 7; count++) pair.inject(pair.pipe, pair.gateway, UNPARSABLE)
    expect(pair.gateway.core.connections.size).toBe(1)
    pair.inject(pair.pipe, pair.gateway, UNPARSABLE)
    expect(pair.gateway.core.connections.size).toBe(0)
    expect(pair.gateway.eventsOf('limit-reached')).toMatchObject([{ limit: 'maxCorruptFrames' }])
    expect(pair.counter(pair.gateway, 'limit-maxCorruptFrames')).toBe(1)
    expect(pair.gateway.core.ikeSas.size).toBe(1)
  })

  it('ESP too short for its SPI and Sequence Number (RFC 4303 §2) counts among them', () => {
    const pair = new Pair({ gatewayLimits: { maxCorruptFrames: 4 } })
    pair.connect()
    for (let octets = 4; octets < 8; octets++) {
      expect(pair.gateway.core.connections.size).toBe(1)
      pair.inject(pair.pipe, pair.gateway, strayEspFrame(0x01020304, octets))
    }
    expect(pair.gateway.core.connections.size).toBe(0)
    expect(pair.counter(pair.gateway, 'esp-truncated')).toBe(4)
    expect(pair.gateway.core.ikeSas.size).toBe(1)
  })

  it('a malformed IKE header counts among them', () => {
    const pair = new Pair({ gatewayLimits: { maxCorruptFrames: 2 } })
    const stranger = pair.dialRaw(pair.gateway)
    stranger.write(PREFIX)
    const header = new Uint8Array(28)
    header[27] = 99
    stranger.write(ikeFrame(header))
    expect(stranger.isClosed()).toBe(false)
    stranger.write(ikeFrame(header))
    expect(stranger.isClosed()).toBe(true)
    expect(stranger.read()).toHaveLength(0)
  })
})
