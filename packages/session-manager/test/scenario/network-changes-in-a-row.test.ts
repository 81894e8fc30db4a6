import { expect, it } from 'vitest'
import { change, up } from '../moving.ts'

it('RFC 4555 §3.5 (T-MOB-1): a network that changes thrice in a second has all begun anew once more, whatever the fractions of the clock', () => {
  for (let round = 1; round < 100; round++) {
    const pair = up({ link: { isUdpBlocked: true } })
    pair.link.isTcpSilent = true
    // 4096 ms lie between the last beginning and the next: the sum of times is rounded there.
    pair.now = 3_400 + round / 7
    const { timers } = pair.client.core
    const { set } = timers
    let count = 0
    timers.set = (...timer) => {
      if (++count > 1_000) throw new Error('a timer is set for now, for ever')
      set.apply(timers, timer)
    }
    for (const again of [0, 0, 100, 2_000]) change(pair, again)
    expect(count).toBeGreaterThan(0)
  }
})
