import { describe, expect, it } from 'vitest'
import { Pair, TCP, UDP } from '../pair.ts'

describe('RFC 9329 §2, §5.1, §9 (T-PERF-1) UDP is preferred', () => {
  it('(T-CFG-4, T-FB-1): where both would answer UDP is tried first, is chosen, and no TCP connection is opened', () => {
    const pair = new Pair({ transports: [UDP, TCP] })
    pair.connect()
    pair.run(10_000)
    expect(pair.log[0]!.transport).toBe('udp')
    expect(pair.client.eventsOf('transport-chosen').map((event) => event.transport)).toEqual(['udp:500'])
    expect(pair.pipes).toEqual([])
    expect(pair.passesTraffic()).toBe(true)
  })

  it('(T-FB-4): where UDP did not get through lately it goes first all the same, with TCP beside it at once, and is chosen when it answers', () => {
    const pair = new Pair({ transports: [UDP, TCP], link: { isUdpBlocked: true } })
    pair.connect()
    pair.link.isUdpBlocked = false
    const from = pair.log.length
    pair.command(pair.gateway, { kind: 'terminate' })
    pair.run(5_000)
    const requests = pair.log.slice(from).filter((entry) => entry.text.startsWith('HDR, SAi1'))
    expect(requests[0]!.transport).toBe('udp')
    expect(pair.client.eventsOf('transport-tried').slice(2)).toMatchObject([
      { transport: 'udp:500' },
      { transport: 'tcp:4500', reason: 'udp:500 did not get through lately, and is tried beside it' },
    ])
    expect(pair.client.eventsOf('transport-chosen').map((event) => event.transport)).toEqual(['tcp:4500', 'udp:500'])
  })
})
