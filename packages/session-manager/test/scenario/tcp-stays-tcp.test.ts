import { describe, expect, it } from 'vitest'
import { espPacket, ikeFrame, ikeRequest } from '../frames.ts'
import { ipv4Packet, Pair, TCP, UDP } from '../pair.ts'

describe('RFC 9329 §5 (T-APP-4): an IKE SA over TCP stays on TCP, and so does its ESP', () => {
  const pair = new Pair({ transports: [UDP, TCP], link: { isUdpBlocked: true } })
  pair.connect()
  // With MOBIKE it may leave it: mobike.test.ts.
  for (const node of [pair.client, pair.gateway]) pair.saOf(node).isMobike = false
  pair.link.isUdpBlocked = false
  const datagram = (message: 'ike' | 'esp', bytes: Uint8Array): void =>
    pair.input(pair.gateway, {
      kind: 'datagram',
      local: { address: pair.gateway.address, port: 4500 },
      remote: { address: '203.0.113.7', port: 4500 },
      message,
      bytes,
    })

  it('valid ESP that comes over UDP is dropped and moves nothing', () => {
    const delivered = pair.gateway.received.length
    datagram('esp', espPacket(pair.client, ipv4Packet(pair.clientAddress, '10.2.0.1', 80)))
    expect(pair.gateway.received).toHaveLength(delivered)
    expect(pair.counter(pair.gateway, 'esp-wrong-transport')).toBe(1)
    expect(pair.saOf(pair.gateway).path?.transport).toBe('tcp')
  })

  it('a valid IKE message that comes over UDP is not answered and moves nothing', () => {
    const from = pair.log.length
    const sa = pair.saOf(pair.client)
    // Sealed with the real keys: only the transport is wrong.
    const request = ikeRequest(sa, [])
    datagram('ike', request)
    expect(pair.log.slice(from)).toEqual([])
    expect(pair.counter(pair.gateway, 'ike-wrong-transport')).toBe(1)
    expect(pair.saOf(pair.gateway).path?.transport).toBe('tcp')
    pair.inject(pair.pipe, pair.gateway, ikeFrame(request))
    expect(pair.log.slice(from)).toHaveLength(1)
  })

  it('whatever happens, nothing of this SA is ever sent over UDP', () => {
    const from = pair.log.length
    expect(pair.passesTraffic()).toBe(true)
    pair.cut(pair.pipe)
    pair.run(3_000)
    expect(pair.passesTraffic()).toBe(true)
    expect(pair.log.slice(from).every((entry) => entry.transport === 'tcp')).toBe(true)
    expect(pair.datagrams).toEqual([])
  })
})
