import { describe, expect, it } from 'vitest'
import type { Core } from '../../src/core.ts'
import { checkLiveness } from '../../src/ike/liveness.ts'
import { Pair } from '../pair.ts'

describe('RFC 9329 §6.7 Dead Peer Detection', () => {
  it('(T-DPD-1): silence of `timers.liveness` is answered by an empty INFORMATIONAL, whose answer is evidence of life', () => {
    const pair = new Pair({ clientTimers: { liveness: 30_000 }, gatewayTimers: { liveness: 1_000_000 } })
    pair.connect()
    const from = pair.log.length
    pair.run(29_000)
    expect(pair.log).toHaveLength(from)
    pair.run(2_000)
    expect(pair.transcript(from)).toEqual(['I → R  HDR, SK {}', 'R → I  HDR, SK {}'])
    expect(pair.client.eventsOf('liveness')).toMatchObject([{ result: 'alive' }])
  })

  it('(T-DPD-1): valid ESP is evidence enough', () => {
    const pair = new Pair({ clientTimers: { liveness: 30_000 }, gatewayTimers: { liveness: 30_000 } })
    pair.connect()
    const from = pair.log.length
    for (let round = 0; round < 20; round++) {
      pair.passesTraffic()
      pair.run(10_000)
    }
    expect(pair.log).toHaveLength(from)
  })

  it('(T-DPD-1): the check is due when its timer is, whatever the fractions of the clock', () => {
    const pair = new Pair({ clientTimers: { liveness: 5_000, pathCheck: 10_000_000 } })
    pair.connect()
    const sa = pair.saOf(pair.client)
    const core: Core = pair.client.core
    const checkAt = (now: number): number => {
      ;(core as { now: number }).now = now
      core.timers.clearAll(sa)
      sa.window.outstanding = undefined
      checkLiveness(core, sa)
      core.timers.clear(sa, 'response')
      return core.timers.nextAt()
    }
    for (let round = 1; round < 2_000; round++) {
      sa.lastInboundAt = 62_000 + round / 7
      const at = checkAt(sa.lastInboundAt + round * 1.3)
      expect(checkAt(at)).toBeGreaterThan(at)
    }
  })

  it('(T-DPD-3): a peer whose kernel answers but whose IKE is frozen is declared dead, whatever keepalives come', () => {
    const pair = new Pair({ clientTimers: { liveness: 30_000, response: 30_000 } })
    pair.connect()
    pair.gateway.isFrozen = true
    for (let second = 0; second < 65; second++) {
      if (pair.pipe.isOpen) pair.inject(pair.pipe, pair.client, Uint8Array.of(0, 3, 0xff, 0, 2))
      pair.run(1_000)
    }
    expect(pair.client.eventsOf('liveness')).toMatchObject([{ result: 'dead' }])
    expect(pair.client.eventsOf('ike-sa-closed')).toHaveLength(1)
    expect(pair.client.core.sad.size).toBe(0)
  })

  it('a dead peer that comes back is dialled again, with new SAs', () => {
    const pair = new Pair()
    pair.connect()
    pair.gateway.isFrozen = true
    pair.run(70_000)
    pair.gateway.isFrozen = false
    pair.run(60_000, () => pair.client.core.sad.size > 0)
    pair.settle()
    expect(pair.passesTraffic()).toBe(true)
  })
})
