import { describe, expect, it } from 'vitest'
import { Reporter } from '../../src/index.ts'

describe('a flood of limits', () => {
  it.each([true, false])('one line a second for each limit, whatever a stranger sends (json %s)', (json) => {
    const lines: string[] = []
    let now = 0
    const out = { write: (text: string) => lines.push(text) }
    const reporter = new Reporter({ out, err: out, json, level: 'info', colour: false, now: () => new Date(now) })
    const remote = { address: '192.0.2.66', port: 500 }
    for (; now < 3_000; now += 1) {
      reporter.event({ kind: 'limit-reached', limit: 'maxHalfOpen', remote })
      if (now % 1_500 === 0) reporter.event({ kind: 'limit-reached', limit: 'maxConnections', remote })
    }
    expect(lines.filter((line) => /max_?half_?open/i.test(line))).toHaveLength(3)
    expect(lines.filter((line) => /max_?connections/i.test(line))).toHaveLength(2)
    // Nor does it push what else happened out of `status`.
    expect(reporter.recent).toHaveLength(5)
  })
})
