import { describe, expect, it } from 'vitest'
import { espFrame, join, PREFIX } from '../frames.ts'
import { ipv4Packet, Pair } from '../pair.ts'

describe('RFC 9329 §6.1 (T-LIFE-11): a session is recognised by an ESP SPI alone', () => {
  it('after a redial that brings only ESP the path moves, and the gateway answers there', () => {
    const pair = new Pair()
    pair.connect()
    const inner = ipv4Packet(pair.clientAddress, '10.2.0.1', 80)
    const frame = espFrame(pair.client, inner)
    pair.client.isFrozen = true
    pair.cut(pair.pipe)
    const redial = pair.dialRaw(pair.gateway, '203.0.113.50')
    redial.write(join(PREFIX, frame))
    expect(pair.gateway.received).toEqual([inner])
    expect(pair.gateway.core.inspect(pair.now).ikeSas[0]!.path!.remote.address).toBe('203.0.113.50')
    pair.send(pair.gateway, ipv4Packet('10.2.0.1', pair.clientAddress, 120))
    expect(redial.read().length).toBeGreaterThan(120)
  })

  it('a request that the gateway could not send meanwhile goes out there', () => {
    const pair = new Pair()
    pair.connect()
    const frame = espFrame(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 80))
    pair.client.isFrozen = true
    pair.cut(pair.pipe)
    pair.command(pair.gateway, { kind: 'check-liveness' })
    const redial = pair.dialRaw(pair.gateway, '203.0.113.50')
    redial.write(join(PREFIX, frame))
    // Length, Non-ESP marker, then the gateway's SA: an INFORMATIONAL request.
    expect(redial.read().length).toBeGreaterThan(28)
    expect(redial.read()[2 + 4 + 18]).toBe(37)
  })
})
