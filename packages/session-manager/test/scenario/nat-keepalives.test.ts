import { describe, expect, it } from 'vitest'
import { espFrame, join } from '../frames.ts'
import { ipv4Packet, Pair, UDP } from '../pair.ts'

describe('RFC 9329 §6.6 NAT-Keepalive Packets', () => {
  it('(T-KA-1): none is sent over TCP in ten idle minutes, though over UDP they are', () => {
    const overTcp = new Pair({ clientTimers: { liveness: 1_000_000 }, gatewayTimers: { liveness: 1_000_000 } })
    overTcp.client.natAddress = '203.0.113.10'
    overTcp.connect()
    expect(overTcp.saOf(overTcp.client).nat?.isLocalBehindNat).toBe(true)
    const writes = (): number =>
      [overTcp.client, overTcp.gateway].flatMap((node) => node.outputs).filter((output) => output.includes('"write-connection"')).length
    const before = writes()
    overTcp.run(600_000)
    expect(writes()).toBe(before)
    expect(overTcp.datagrams).toEqual([])
    const overUdp = new Pair({ transports: [UDP] })
    overUdp.client.natAddress = '203.0.113.10'
    overUdp.connect()
    overUdp.run(60_000)
    expect(overUdp.datagrams.some((datagram) => datagram.kind === 'keepalive')).toBe(true)
  })

  it('(T-KA-2): one that comes mid-stream is dropped silently: no event, no counter of corruption', () => {
    const pair = new Pair({ gatewayLimits: { maxCorruptFrames: 1, maxUnknownSpis: 1 } })
    pair.connect()
    const packets = [80, 90].map((length) => ipv4Packet(pair.clientAddress, '10.2.0.1', length))
    const [first, second] = packets.map((packet) => espFrame(pair.client, packet))
    const keepalive = Uint8Array.of(0, 3, 0xff)
    const quiet = { events: pair.gateway.events.length, counters: { ...pair.gateway.core.counters } }
    pair.inject(pair.pipe, pair.gateway, join(keepalive, first!, keepalive, keepalive, second!, keepalive))
    expect(pair.gateway.received).toEqual(packets)
    expect(pair.gateway.events).toHaveLength(quiet.events)
    expect(pair.gateway.core.counters).toEqual(quiet.counters)
    expect(pair.pipe.isOpen).toBe(true)
  })
})
