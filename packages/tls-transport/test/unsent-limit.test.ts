import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { NativeSockets } from '../src/native-sockets.ts'
import { UnsentLimit } from '../src/unsent-limit.ts'

describe('RFC 9329 §9.1 (T-PERF-2): how much a socket holds unsent', () => {
  let now = 1_000
  beforeEach(() => void vi.spyOn(performance, 'now').mockImplementation(() => now))
  afterEach(() => void vi.restoreAllMocks())

  function limitOf(): {
    limit: UnsentLimit
    set: number[]
    holds: (octets: number) => void
    pass: (milliseconds: number) => void
    asked: () => number
  } {
    const set: number[] = []
    let unsent = 0
    let asked = 0
    const count = (): number => {
      asked++
      return unsent
    }
    const calls = { unsent: count, setOption: (_fd: number, _option: unknown, value: number) => void set.push(value) }
    const limit = new UnsentLimit({ calls, tcpOption: { NOTSENT_LOWAT: [6, 25] } } as unknown as NativeSockets, 7)
    return {
      limit,
      set,
      asked: () => asked,
      holds: (octets) => {
        unsent = octets
      },
      pass: (milliseconds) => {
        now += milliseconds
      },
    }
  }

  it('doubles where the socket ran dry before it was given more, up to 4 MiB', () => {
    const { limit, set } = limitOf()
    for (let i = 0; i < 10; i++) {
      limit.full()
      limit.ready()
    }
    expect(set).toEqual([65_536, 131_072, 262_144, 524_288, 1_048_576, 2_097_152, 4_194_304])
    expect(limit.room).toBe(4_194_304)
  })

  it('shrinks where what it holds takes its time to leave, down to 8 KiB, and stays where it does not', () => {
    const { limit, set, holds, pass } = limitOf()
    holds(2_000)
    limit.full()
    pass(0.5)
    limit.ready()
    expect(set).toEqual([65_536])
    for (let i = 0; i < 20; i++) {
      limit.full()
      pass(3)
      limit.ready()
    }
    expect(set[1]).toBe(49_152)
    expect(set.at(-1)).toBe(8_192)
    expect(limit.room).toBe(6_192)
  })

  it('a limit that grew on a fast link does not stay on a slow one, which never reaches it', () => {
    const { limit, set, holds, pass } = limitOf()
    for (let i = 0; i < 6; i++) {
      limit.full()
      limit.ready()
    }
    expect(set.at(-1)).toBe(4_194_304)
    holds(600_000)
    for (let i = 0; i < 20; i++) {
      expect(limit.isReachedBy(1_400)).toBe(set.at(-1)! <= 600_000)
      pass(1)
    }
    expect(set.at(-1)).toBeLessThanOrEqual(300_000)
  })

  it('asks the kernel again once 8 KiB more may lie there, and whenever something of ours had waited', () => {
    const { limit, asked, holds } = limitOf()
    holds(100)
    for (let i = 0; i < 81; i++) limit.isReachedBy(100)
    expect(asked()).toBe(0)
    limit.isReachedBy(100)
    expect(asked()).toBe(1)
    limit.isReachedBy(100)
    expect(asked()).toBe(1)
    limit.ready()
    holds(70_000)
    expect(limit.isReachedBy(100)).toBe(true)
  })

  it('what was empty before the write is no queue', () => {
    const { limit, set, holds, pass } = limitOf()
    holds(60_000)
    for (let i = 0; i < 20; i++) {
      expect(limit.isReachedBy(60_000)).toBe(false)
      pass(5)
    }
    expect(set).toEqual([65_536])
  })
})
