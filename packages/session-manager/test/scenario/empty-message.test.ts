import { describe, expect, it } from 'vitest'
import { espFrame, join } from '../frames.ts'
import { ipv4Packet, Pair } from '../pair.ts'

describe('RFC 9329 §3', () => {
  it('(T-FRM-4): a Length of 2 between two messages is ignored silently, and both are taken', () => {
    const pair = new Pair()
    pair.connect()
    const packets = [80, 90].map((length) => ipv4Packet(pair.clientAddress, '10.2.0.1', length))
    const [first, second] = packets.map((packet) => espFrame(pair.client, packet))
    const quiet = { events: pair.gateway.events.length, counters: { ...pair.gateway.core.counters } }
    pair.inject(pair.pipe, pair.gateway, join(first!, Uint8Array.of(0, 2), Uint8Array.of(0, 2), second!))
    expect(pair.gateway.received).toEqual(packets)
    expect(pair.gateway.events).toHaveLength(quiet.events)
    expect(pair.gateway.core.counters).toEqual(quiet.counters)
    expect(pair.pipe.isOpen).toBe(true)
  })
})
