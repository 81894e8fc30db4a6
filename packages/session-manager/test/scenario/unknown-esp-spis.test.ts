import { describe, expect, it } from 'vitest'
import { PREFIX, strayEspFrame } from '../frames.ts'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.1 (T-LIFE-14): a few consecutive unknown ESP SPIs do not tear down', () => {
  it('three are dropped and counted; a valid packet starts the count anew; `maxUnknownSpis` in a row close', () => {
    const pair = new Pair({ gatewayLimits: { maxUnknownSpis: 32 } })
    pair.connect()
    for (let count = 0; count < 3; count++) pair.inject(pair.pipe, pair.gateway, strayEspFrame(0x1000 + count))
    expect(pair.counter(pair.gateway, 'esp-unknown-spi')).toBe(3)
    expect(pair.passesTraffic()).toBe(true)
    for (let count = 0; count < 31; count++) pair.inject(pair.pipe, pair.gateway, strayEspFrame(0x1000 + count))
    expect(pair.gateway.core.connections.size).toBe(1)
    pair.inject(pair.pipe, pair.gateway, strayEspFrame(0x2000))
    expect(pair.gateway.core.connections.size).toBe(0)
    expect(pair.gateway.eventsOf('limit-reached')).toMatchObject([{ limit: 'maxUnknownSpis' }])
    expect(pair.counter(pair.gateway, 'limit-maxUnknownSpis')).toBe(1)
    expect(pair.gateway.core.sad.size).toBe(1)
    pair.run(2_000)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('the same frames in one read count the same', () => {
    const pair = new Pair({ gatewayLimits: { maxUnknownSpis: 4 } })
    const stranger = pair.dialRaw(pair.gateway)
    stranger.write(PREFIX)
    stranger.write(Uint8Array.from(Array.from({ length: 10 }, () => [...strayEspFrame(0x1234)]).flat()))
    expect(stranger.isClosed()).toBe(true)
    expect(pair.counter(pair.gateway, 'esp-unknown-spi')).toBe(4)
  })
})
