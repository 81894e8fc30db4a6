import type { PathDescription } from '@underpass/session-manager'
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

describe('strangers', () => {
  const reporterAt = (clock: { now: number }, json = false) => {
    const lines: string[] = []
    const out = { write: (text: string) => lines.push(text) }
    return { lines, reporter: new Reporter({ out, err: out, json, level: 'info', colour: false, now: () => new Date(clock.now) }) }
  }

  it.each([true, false])(
    'RFC 9329 §10 (T-SEC-1): connections make so many lines a second, and one that says how many more there were (json %s)',
    (json) => {
      const clock = { now: 0 }
      const { lines, reporter } = reporterAt(clock, json)
      for (let i = 0; i < 3_000; i++) {
        const remote = { address: '192.0.2.66', port: 1_024 + i }
        const connection = 2 * i + 1
        reporter.event({ kind: 'connection-opened', connection, local: { address: '192.0.2.1', port: 443 }, remote, role: 'responder' })
        reporter.event({ kind: 'connection-closed', connection, remote, role: 'responder', reason: 'no prefix' })
        clock.now++
      }
      // Three seconds of a thousand each: 20 that come and go, and the count of the second before.
      expect(lines).toHaveLength(3 * 40 + 2)
      expect(lines.filter((line) => /980 more connections were accepted/.test(line))).toHaveLength(2)
      expect(reporter.recent.length).toBeLessThanOrEqual(100)
    },
  )

  it.each([false, true])('RFC 9329 §9: so do moves of paths, which who is somebody can make with each packet (json %s)', (json) => {
    const clock = { now: 0 }
    const { lines, reporter } = reporterAt(clock, json)
    const path = (port: number): PathDescription => ({
      transport: 'udp',
      local: { address: '192.0.2.1', port: 4500 },
      remote: { address: '192.0.2.66', port },
    })
    for (let i = 0; i < 3_000; i++) {
      reporter.event({ kind: 'path-moved', ikeSa: '1', peer: 'road', from: path(1_024 + i), to: path(1_025 + i) })
      clock.now++
    }
    expect(lines).toHaveLength(3 * 20 + 2)
    expect(lines.filter((line) => /paths moved 980 more times/.test(line))).toHaveLength(2)
    expect(reporter.recent.length).toBeLessThanOrEqual(100)
  })

  it('a connection that was told of is told of when it ends, whatever came between; and what we dial always is', () => {
    const clock = { now: 0 }
    const { lines, reporter } = reporterAt(clock)
    const local = { address: '192.0.2.1', port: 443 }
    const friend = { address: '192.0.2.7', port: 5_000 }
    reporter.event({ kind: 'connection-opened', connection: 1, local, remote: friend, role: 'responder' })
    for (let i = 0; i < 500; i++)
      reporter.event({
        kind: 'connection-opened',
        connection: 3 + 2 * i,
        local,
        remote: { address: '192.0.2.66', port: i },
        role: 'responder',
      })
    reporter.event({ kind: 'connection-closed', connection: 1, remote: friend, role: 'responder', reason: 'FIN' })
    for (let i = 0; i < 50; i++) {
      reporter.event({ kind: 'connection-opened', connection: 2_001 + 2 * i, local, remote: friend, role: 'originator' })
      reporter.event({ kind: 'connection-closed', connection: 2_001 + 2 * i, remote: friend, role: 'originator', reason: 'FIN' })
    }
    expect(lines.filter((line) => /connection 1 with 192\.0\.2\.7:5000 closed/.test(line))).toHaveLength(1)
    expect(lines.filter((line) => /to 192\.0\.2\.7:5000 open/.test(line))).toHaveLength(50)
    expect(lines).toHaveLength(20 + 1 + 100)
  })

  it('failed handshakes share one budget, whoever they failed with', () => {
    const clock = { now: 0 }
    const { lines, reporter } = reporterAt(clock)
    for (let i = 0; i < 2_000; i++) {
      const remote = { address: '192.0.2.66', port: i }
      if (i % 2 === 0) reporter.stranger(`no TLS with 192.0.2.66:${i}: what it says is none`)
      else reporter.event({ kind: 'handshake-failed', ikeSa: '', peer: '', detail: 'no proposal', remote })
      clock.now++
    }
    expect(lines).toHaveLength(2 * 10 + 1)
    expect(lines[10]).toContain('strangers: 990 more lines like these were left out')
  })

  it('what was left out is said when nothing more comes', async () => {
    const clock = { now: 0 }
    const { lines, reporter } = reporterAt(clock)
    for (let i = 0; i < 12; i++) reporter.stranger('no TLS with somebody')
    for (let i = 0; lines.length < 11 && i < 1_000; i++) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(lines.at(-1)).toContain('strangers: 2 more lines like these were left out')
  })
})
