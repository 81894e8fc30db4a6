import { DEFAULT_LIMITS, type IkeSaStatus, type SessionStatus } from '@underpass/session-manager'
import { describe, expect, it } from 'vitest'
import { mergedStatus } from '../../src/workers/merged-status.ts'
import { dividedLimits } from '../../src/workers/supervisor.ts'

describe('several workers as one session', () => {
  it('peers are up where one has them, SAs and connections say in which worker, counters are added up', () => {
    const merged = mergedStatus([status('idle', 'a', { x: 1 }, 2), status('up', 'b', { x: 2, y: 3 }, 1)])
    expect(merged).toMatchObject({
      peers: [{ name: 'people', state: 'up' }],
      ikeSas: [
        { id: 'a', worker: 0 },
        { id: 'b', worker: 1 },
      ],
      connections: [
        { connection: 1, worker: 0 },
        { connection: 1, worker: 1 },
      ],
      halfOpen: 3,
      counters: { x: 3, y: 3 },
    })
  })

  it('RFC 7296 §2.6: limits of all together are divided, and cookies are still asked for before everything is refused', () => {
    const { cookieThreshold, maxHalfOpen, maxIkeSas, maxIkeSasPerIdentity } = dividedLimits(DEFAULT_LIMITS, 8)
    expect({ cookieThreshold, maxHalfOpen, maxIkeSas }).toEqual({ cookieThreshold: 12, maxHalfOpen: 125, maxIkeSas: 2_500 })
    expect(maxIkeSasPerIdentity).toBe(DEFAULT_LIMITS.maxIkeSasPerIdentity)
    const least = dividedLimits({ ...DEFAULT_LIMITS, cookieThreshold: 0, maxHalfOpen: 1, maxIkeSas: 1 }, 64)
    expect(least).toMatchObject({ cookieThreshold: 0, maxHalfOpen: 1, maxIkeSas: 1 })
  })
})

function status(state: 'up' | 'idle', id: string, counters: SessionStatus['counters'], halfOpen: number): SessionStatus {
  return {
    peers: [{ name: 'people', state, attempts: [] }],
    ikeSas: [{ id } as IkeSaStatus],
    connections: [{ connection: 1, role: 'responder', remote: '', framing: 'rfc9329', ikeSas: [], queuedOctets: 0 }],
    halfOpen,
    counters,
  }
}
