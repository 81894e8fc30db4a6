import { describe, expect, it } from 'vitest'
import { TimerQueue } from '../src/timer-queue.ts'
import { seededRandom } from './network.ts'

class Owner {
  declare readonly timerNames: string
  readonly timers: Map<string, unknown> = new Map()
  readonly label: string
  constructor(label: string) {
    this.label = label
  }
}

describe('TimerQueue', () => {
  it('fires in the order of time, and of setting where times are equal', () => {
    const queue = new TimerQueue<Owner>()
    const [a, b] = [new Owner('a'), new Owner('b')]
    queue.set(b, 'late', 20)
    queue.set(a, 'first', 10)
    queue.set(b, 'second', 10)
    expect(queue.nextAt()).toBe(10)
    expect(queue.takeDue(9)).toBeUndefined()
    expect(drain(queue, 30)).toEqual(['a first', 'b second', 'b late'])
    expect(queue.nextAt()).toBe(Number.POSITIVE_INFINITY)
  })

  it('`hasten` moves a timer forward, never back, and sets none', () => {
    const queue = new TimerQueue<Owner>()
    const owner = new Owner('a')
    queue.set(owner, 'x', 20)
    queue.hasten(owner, 'x', 30)
    queue.hasten(owner, 'y', 5)
    expect(queue.nextAt()).toBe(20)
    queue.hasten(owner, 'x', 10)
    expect(drain(queue, 15)).toEqual(['a x'])
    expect(queue.nextAt()).toBe(Number.POSITIVE_INFINITY)
  })

  it('a timer that moves fires once, at its new time, earlier or later', () => {
    const queue = new TimerQueue<Owner>()
    const owner = new Owner('a')
    queue.set(owner, 'x', 10)
    queue.set(owner, 'x', 20)
    expect(queue.nextAt()).toBe(20)
    expect(drain(queue, 15)).toEqual([])
    queue.set(owner, 'x', 5)
    expect(drain(queue, 30)).toEqual(['a x'])
  })

  it('a cleared timer does not fire, and may be set again', () => {
    const queue = new TimerQueue<Owner>()
    const owner = new Owner('a')
    queue.set(owner, 'x', 10)
    queue.set(owner, 'y', 11)
    queue.clear(owner, 'x')
    queue.clear(owner, 'never set')
    expect(queue.has(owner, 'x')).toBe(false)
    expect(queue.nextAt()).toBe(11)
    queue.clearAll(owner)
    expect(queue.nextAt()).toBe(Number.POSITIVE_INFINITY)
    queue.set(owner, 'x', 12)
    expect(drain(queue, 12)).toEqual(['a x'])
    expect(queue.has(owner, 'x')).toBe(false)
  })

  it('Infinity is never', () => {
    const queue = new TimerQueue<Owner>()
    const owner = new Owner('a')
    for (let i = 0; i < 200; i++) queue.set(owner, `n${i}`, Number.POSITIVE_INFINITY)
    queue.set(owner, 'x', 5)
    expect(drain(queue, Number.MAX_SAFE_INTEGER)).toEqual(['a x'])
    expect(queue.nextAt()).toBe(Number.POSITIVE_INFINITY)
  })

  it('holds no more than twice what is live, however often timers move or owners go', () => {
    const queue = new TimerQueue<Owner>()
    const steady = new Owner('steady')
    for (let i = 0; i < 100_000; i++) queue.set(steady, 'liveness', 1_000_000 + i)
    expect(queue.size).toBeLessThanOrEqual(65)
    for (let i = 0; i < 10_000; i++) {
      const passing = new Owner(`p${i}`)
      queue.set(passing, 'prefix', 2_000_000)
      queue.set(passing, 'idle', 2_000_000)
      queue.clearAll(passing)
    }
    expect(queue.size).toBeLessThanOrEqual(65)
    expect(drain(queue, 3_000_000)).toEqual(['steady liveness'])
  })

  it('agrees with a plain list in ten thousand random steps', () => {
    const queue = new TimerQueue<Owner>()
    const random = seededRandom('timers')
    const owners = Array.from({ length: 20 }, (_, index) => new Owner(`o${index}`))
    let list: { key: string; at: number; order: number }[] = []
    let now = 0
    for (let step = 0; step < 10_000; step++) {
      const [what, who, name, time] = random(4)
      const owner = owners[who! % owners.length]!
      const timer = `t${name! % 4}`
      const key = `${owner.label} ${timer}`
      if (what! < 140) {
        list = list.filter((entry) => entry.key !== key)
        list.push({ key, at: now + time!, order: step })
        queue.set(owner, timer, now + time!)
      } else if (what! < 170) {
        list = list.filter((entry) => entry.key !== key)
        queue.clear(owner, timer)
      } else if (what! < 175) {
        list = list.filter((entry) => !entry.key.startsWith(`${owner.label} `))
        queue.clearAll(owner)
      } else {
        now += time! % 16
        const due = list.filter((entry) => entry.at <= now).toSorted((a, b) => a.at - b.at || a.order - b.order)
        list = list.filter((entry) => entry.at > now)
        expect(drain(queue, now)).toEqual(due.map((entry) => entry.key))
      }
      expect(queue.nextAt()).toBe(Math.min(Number.POSITIVE_INFINITY, ...list.map((entry) => entry.at)))
    }
  })
})

function drain(queue: TimerQueue<Owner>, now: number): string[] {
  const fired: string[] = []
  for (let due = queue.takeDue(now); due; due = queue.takeDue(now)) fired.push(`${due.owner.label} ${due.name}`)
  return fired
}
