import { describe, expect, it } from 'vitest'
import { ipv4Packet, Pair } from '../pair.ts'

describe("RFC 9329 §6.8 (T-SA-1): TCP is a link layer, the outer DF bit is nobody's business", () => {
  it.each([1_500, 9_000, 60_000])('an inner packet of %i octets with DF set goes through whole, as one ESP packet', (length) => {
    const pair = new Pair()
    pair.connect()
    const packet = ipv4Packet(pair.clientAddress, '10.2.0.1', length)
    packet[6] = 0x40
    pair.send(pair.client, packet)
    pair.settle()
    expect(pair.gateway.received).toEqual([packet])
    expect([...pair.gateway.core.sad.values()][0]!.packetsIn).toBe(1)
  })

  it('RFC 9329 §3 (T-FRM-2): what is longer than `limits.maxMessageLength` is dropped and counted, not cut in pieces', () => {
    const pair = new Pair({ clientLimits: { maxMessageLength: 1_400 } })
    pair.connect()
    const fits = ipv4Packet(pair.clientAddress, '10.2.0.1', 1_300)
    pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 1_400), fits)
    pair.settle()
    expect(pair.gateway.received).toEqual([fits])
    expect(pair.counter(pair.client, 'esp-too-long')).toBe(1)
  })

  it('the longest packet that IPv4 knows is dropped, not thrown about', () => {
    const pair = new Pair()
    pair.connect()
    pair.send(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 65_535))
    expect(pair.counter(pair.client, 'esp-too-long')).toBe(1)
  })
})
