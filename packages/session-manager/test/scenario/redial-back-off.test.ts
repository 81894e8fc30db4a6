import { describe, expect, it } from 'vitest'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.1 (T-LIFE-5): the originator dials again, with patience', () => {
  it('the waits double with jitter, up to `timers.maxRedial`; after `timers.reconnect` the SA is given up and all starts anew', () => {
    const pair = new Pair({ clientTimers: { redial: 250, maxRedial: 8_000, reconnect: 60_000 } })
    pair.connect()
    pair.link.isTcpBlocked = true
    pair.cut(pair.pipe)
    pair.run(120_000)
    const waits = pair.client.eventsOf('reconnecting').map((event) => event.inMilliseconds)
    for (const [index, wait] of waits.entries()) {
      const nominal = Math.min(8_000, 250 * 2 ** index)
      expect(wait).toBeGreaterThanOrEqual(Math.floor(0.8 * nominal))
      expect(wait).toBeLessThanOrEqual(Math.ceil(1.2 * nominal))
    }
    expect(waits.length).toBeGreaterThan(8)
    expect(new Set(waits.slice(5)).size).toBeGreaterThan(1)
    expect(pair.client.eventsOf('ike-sa-closed')).toMatchObject([{ byPeer: false, reason: expect.stringContaining('no connection for') }])
    pair.link.isTcpBlocked = false
    pair.run(120_000, () => pair.client.core.sad.size > 0)
    pair.settle()
    expect(pair.passesTraffic()).toBe(true)
  })

  it('connections that open and are shut at once do not reset the patience', () => {
    const pair = new Pair({ clientTimers: { redial: 250, maxRedial: 8_000, reconnect: 60_000 } })
    pair.connect()
    const shut = (): void => {
      for (const pipe of pair.pipes) if (pipe.isOpen) pair.cut(pipe)
    }
    shut()
    const end = pair.now + 50_000
    while (pair.now < end) {
      const opened = pair.pipes.length
      pair.run(end - pair.now, () => pair.pipes.length > opened)
      shut()
    }
    // Two a second would be more than a hundred.
    expect(pair.pipes.length).toBeLessThan(20)
    pair.run(30_000)
    expect(pair.client.eventsOf('ike-sa-closed')).toHaveLength(1)
  })

  it.each([10, 100])('one that has served for a while is replaced within three round trips and TCP’s, %d ms one way', (latency) => {
    const pair = new Pair({ link: { latency } })
    pair.connect()
    pair.run(20_000)
    const cut = pair.now
    pair.cut(pair.pipe)
    pair.run(10_000, () => pair.gateway.eventsOf('path-moved').length > 0)
    expect(pair.now - cut).toBeLessThan(4 * 2 * latency)
    expect(pair.passesTraffic()).toBe(true)
    // Once more, and by that it is no accident.
    const again = pair.now
    const pipes = pair.pipes.length
    pair.cut(pair.pipe)
    pair.run(10_000, () => pair.pipes.length > pipes)
    expect(pair.now - again).toBeGreaterThan(200)
  })

  it('but one that carried a valid message does', () => {
    const pair = new Pair()
    pair.connect()
    for (let cut = 0; cut < 10; cut++) {
      pair.cut(pair.pipe)
      const opened = pair.pipes.length
      const start = pair.now
      pair.run(10_000, () => pair.pipes.length > opened)
      expect(pair.now - start).toBeLessThan(400)
      pair.settle()
    }
  })

  it('an attempt that nobody answers is given up, too', () => {
    const pair = new Pair({ clientTimers: { handshake: 10_000, reconnect: 60_000 } })
    pair.connect()
    pair.link.isSynDropped = true
    pair.cut(pair.pipe)
    pair.run(15_000)
    expect(pair.client.eventsOf('reconnecting').length).toBeGreaterThan(1)
    pair.link.isSynDropped = false
    pair.run(30_000, () => pair.pipes.length > 1)
    pair.settle()
    expect(pair.passesTraffic()).toBe(true)
    expect(pair.client.core.connections.size).toBe(1)
  })

  it('`terminate` while redialling ends it for good', () => {
    const pair = new Pair()
    pair.connect()
    pair.link.isTcpBlocked = true
    pair.cut(pair.pipe)
    pair.run(5_000)
    pair.command(pair.client, { kind: 'terminate' })
    pair.link.isTcpBlocked = false
    pair.run(600_000)
    expect(pair.pipes).toHaveLength(1)
    expect(pair.client.core.ikeSas.size + pair.client.core.connections.size + pair.client.core.sad.size).toBe(0)
    expect(pair.client.core.timers.nextAt()).toBe(Number.POSITIVE_INFINITY)
  })
})
