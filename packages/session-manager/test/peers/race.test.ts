import { describe, expect, it } from 'vitest'
import { type Move, nextMove, type Racer, type RaceView } from '../../src/peers/race.ts'

const TIMES = { headStart: 600, stagger: 300 }

const udp = (more: Partial<Racer> = {}): Racer => ({ index: 0, transport: 'udp', stage: 'asking', since: 0, ...more })
const stream = (index: number, more: Partial<Racer> = {}): Racer => ({ index, transport: 'tcp', stage: 'asking', since: 600, ...more })

function told(move: Move): string {
  return move.kind === 'wait' ? `wait until ${move.until}` : `${move.kind} ${move.index}`
}

/** UDP, then two streams. */
function decided(now: number, next: number, racers: readonly Racer[], more: Partial<RaceView> = {}): string {
  return told(nextMove({ now, next, racers, count: 3, isBlocked: () => false, times: TIMES, ...more }))
}

describe('RFC 9329 §5.1: which transport begins, and which authenticates', () => {
  const rows: readonly (readonly [why: string, now: number, next: number, racers: readonly Racer[], move: string])[] = [
    ['(T-FB-1): UDP goes first', 0, 0, [], 'begin 0'],
    ['(T-FB-2): and alone while its request is made', 100, 1, [udp({ since: Number.POSITIVE_INFINITY })], 'wait until Infinity'],
    ['(T-FB-2): and until it was repeated', 599, 1, [udp()], 'wait until 600'],
    ['then the next begins beside it', 600, 1, [udp()], 'begin 1'],
    ['the next but one later', 700, 2, [udp(), stream(1)], 'wait until 900'],
    ['', 900, 2, [udp(), stream(1)], 'begin 2'],
    ['at once where the one before has failed', 610, 2, [udp()], 'begin 2'],
    ['at once where UDP has failed', 10, 1, [], 'begin 1'],
    ['all are under way: what comes decides', 2000, 3, [udp(), stream(1), stream(2)], 'wait until Infinity'],
    ['what the network says of a datagram makes it sooner', 100, 1, [udp({ hopeUntil: 500 })], 'wait until 500'],
    ['', 500, 1, [udp({ hopeUntil: 500 })], 'begin 1'],
    ['who is answered first authenticates', 700, 2, [udp(), stream(1, { stage: 'ready' })], 'authenticate 1'],
    ['(T-PERF-1): UDP first where both are', 700, 2, [udp({ stage: 'ready' }), stream(1, { stage: 'ready' })], 'authenticate 0'],
    ['one at a time', 700, 2, [udp({ stage: 'authenticating', since: 650 }), stream(1, { stage: 'ready' })], 'wait until 1250'],
    [
      'blocked half way: IKE_AUTH over UDP is not answered, and another is ready',
      1250,
      2,
      [udp({ stage: 'authenticating', since: 650 }), stream(1, { stage: 'ready' })],
      'drop 0',
    ],
    ['while it may be answered no other begins', 100, 1, [udp({ stage: 'authenticating', since: 20 })], 'wait until 620'],
    ['', 620, 1, [udp({ stage: 'authenticating', since: 20 })], 'begin 1'],
    ['a stream has more patience: TCP repeats by itself', 1000, 2, [stream(1, { stage: 'authenticating', since: 700 })], 'wait until 1600'],
    ['', 1600, 2, [stream(1, { stage: 'authenticating', since: 700 })], 'begin 2'],
    ['only UDP is left, and silent', 1000, 3, [udp()], 'wait until 1800'],
    ['', 1800, 3, [udp()], 'drop 0'],
  ]
  it.each(rows)('%s: at %d ms', (_, now, next, racers, move) => {
    expect(decided(now, next, racers)).toBe(move)
  })

  it('(T-FB-4): what did not get through lately is given no start', () => {
    const isBlocked = (index: number): boolean => index === 0
    expect(decided(0, 1, [udp({ since: Number.POSITIVE_INFINITY })], { isBlocked })).toBe('begin 1')
    expect(decided(0, 2, [udp(), stream(1, { since: 0 })], { isBlocked })).toBe('wait until 300')
    // It is chosen all the same when it answers first.
    expect(decided(20, 2, [udp({ stage: 'ready' }), stream(1, { since: 0 })], { isBlocked })).toBe('authenticate 0')
  })

  it('a list of one has all the time that there is', () => {
    expect(decided(5000, 1, [udp()], { count: 1 })).toBe('wait until Infinity')
    expect(decided(5000, 1, [udp({ hopeUntil: 500 })], { count: 1 })).toBe('wait until Infinity')
  })
})
