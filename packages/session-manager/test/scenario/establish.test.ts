import { describe, expect, it } from 'vitest'
import { Pair, TCP, UDP } from '../pair.ts'

describe('RFC 7296 §1.2 The Initial Exchanges', () => {
  it('establishes an IKE SA and a Child SA in two exchanges over TCP', () => {
    const pair = new Pair()
    pair.connect()
    expect(pair.transcript()).toEqual([
      'I → R  HDR, SAi1, KEi, Ni, N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP)',
      'R → I  HDR, SAr1, KEr, Nr, N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP)',
      'I → R  HDR, SK {IDi, N(INITIAL_CONTACT), IDr, AUTH, CP(CFG_REQUEST), SAi2, TSi, TSr, N(MOBIKE_SUPPORTED), V}',
      'R → I  HDR, SK {IDr, AUTH, CP(CFG_REPLY), SAr2, TSi, TSr, N(IP4_ALLOWED), N(IP6_ALLOWED), N(MOBIKE_SUPPORTED), V}',
    ])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('does the same over UDP', () => {
    const pair = new Pair({ transports: [UDP] })
    pair.connect()
    expect(pair.transcript()).toHaveLength(4)
    expect(pair.log.every((entry) => entry.transport === 'udp')).toBe(true)
    expect(pair.passesTraffic()).toBe(true)
  })

  it('gives the same outputs for the same inputs, byte for byte', () => {
    const runs = [new Pair(), new Pair()].map((pair) => {
      pair.connect()
      return [pair.client.outputs.length, pair.gateway.outputs.length]
    })
    expect(runs[0]).toEqual(runs[1])
  })
})

describe('RFC 9329 §5.1 fallback (T-FB-2, T-FB-3)', () => {
  it('falls back from UDP to TCP with a new IKE_SA_INIT', () => {
    const pair = new Pair({ transports: [UDP, TCP], link: { isUdpBlocked: true } })
    pair.connect()
    const [first, second, third] = pair.log
    expect([first, second, third].map((entry) => entry!.transport)).toEqual(['udp', 'udp', 'tcp'])
    expect(second!.octets).toEqual(first!.octets)
    expect(third!.octets.slice(0, 8)).not.toEqual(first!.octets.slice(0, 8))
    expect(pair.passesTraffic()).toBe(true)
  })
})
