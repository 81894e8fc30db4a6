import { describe, expect, it } from 'vitest'
import { Pair, TCP, UDP } from '../pair.ts'

describe('RFC 9329 §5.1: when no transport gets through, the whole list is tried again after a wait', () => {
  it('that is told with its round and its milliseconds, doubles with jitter, and is no longer than `timers.maxRetry`', () => {
    const pair = new Pair({
      transports: [UDP, TCP],
      link: { isUdpBlocked: true, isTcpBlocked: true },
      clientTimers: { retry: 1_000, maxRetry: 5_000 },
    })
    pair.initiate()
    pair.run(40_000)
    const waits = pair.client.eventsOf('retry-scheduled')
    expect(waits.map((wait) => wait.round)).toEqual(waits.map((_, index) => index + 1))
    expect(waits.length).toBeGreaterThan(5)
    for (const [index, { peer, inMilliseconds }] of waits.entries()) {
      expect(peer).toBe('gateway')
      const middle = Math.min(5_000, 1_000 * 2 ** index)
      expect(inMilliseconds).toBeGreaterThanOrEqual(0.8 * middle)
      expect(inMilliseconds).toBeLessThanOrEqual(1.2 * middle)
    }
  })

  it('and the wait told is the wait kept', () => {
    const pair = new Pair({ link: { isTcpBlocked: true } })
    pair.initiate()
    pair.run(5_000, () => pair.client.eventsOf('retry-scheduled').length > 0)
    const toldAt = pair.now
    pair.run(5_000, () => pair.client.eventsOf('transport-tried').length > 1)
    expect(pair.now - toldAt).toBe(pair.client.eventsOf('retry-scheduled')[0]!.inMilliseconds)
  })

  it('rounds are counted anew once the tunnel was up', () => {
    const pair = new Pair({ link: { isTcpBlocked: true } })
    pair.initiate()
    pair.run(10_000)
    expect(pair.client.eventsOf('retry-scheduled').length).toBeGreaterThan(1)
    pair.link.isTcpBlocked = false
    pair.run(20_000, () => pair.isUp)
    pair.settle()
    const from = pair.client.events.length
    pair.command(pair.gateway, { kind: 'terminate' })
    pair.settle()
    expect(pair.client.events.slice(from).filter((event) => event.kind === 'retry-scheduled')).toMatchObject([{ round: 1 }])
  })
})
