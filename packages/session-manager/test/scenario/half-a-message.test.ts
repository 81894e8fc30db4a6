import { describe, expect, it } from 'vitest'
import { espFrame } from '../frames.ts'
import { ipv4Packet, Pair } from '../pair.ts'

describe('RFC 9329 §6.1 (T-LIFE-9): a message cut short by the end of a connection is discarded', () => {
  it.each(['gateway', 'client'] as const)('half a frame toward the %s never meets the next connection', (name) => {
    const pair = new Pair()
    pair.connect()
    const [to, from] = name === 'gateway' ? [pair.gateway, pair.client] : [pair.client, pair.gateway]
    const addresses = [pair.clientAddress, '10.2.0.1'] as const
    const inner = name === 'gateway' ? ipv4Packet(addresses[0], addresses[1], 200) : ipv4Packet(addresses[1], addresses[0], 200)
    const frame = espFrame(from, inner)
    pair.inject(pair.pipe, to, frame.subarray(0, 100))
    pair.cut(pair.pipe)
    pair.run(2_000)
    // What would complete it, were the half still there.
    expect(pair.passesTraffic()).toBe(true)
    expect(to.received.some((packet) => packet.length === 200)).toBe(false)
    expect(pair.pipes).toHaveLength(2)
    expect(pair.counter(to, 'connection-illegal-length') + pair.counter(to, 'esp-unknown-spi')).toBe(0)
  })
})
