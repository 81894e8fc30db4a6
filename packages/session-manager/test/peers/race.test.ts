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
  const transportOf = (index: number): 'udp' | 'tcp' => (index === 0 ? 'udp' : 'tcp')
  return told(
    nextMove({ now, next, racers, count: 3, transportOf, isBlocked: () => false, isBlockedHalfWay: () => false, times: TIMES, ...more }),
  )
}

/** UDP to each of `addresses`, then a stream to each. */
function decidedAmong(addresses: number, now: number, next: number, racers: readonly Racer[], more: Partial<RaceView> = {}): string {
  return decided(now, next, racers, { count: 2 * addresses, transportOf: (index) => (index < addresses ? 'udp' : 'tcp'), ...more })
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

  it('(T-FB-4): what was blocked half way lately is asked as ever, and authenticates last: that it answers IKE_SA_INIT says nothing', () => {
    const isUdp = (index: number): boolean => index === 0
    const known = { isBlocked: isUdp, isBlockedHalfWay: isUdp }
    const ready = udp({ stage: 'ready' })
    expect(decided(20, 2, [ready, stream(1, { since: 0 })], known)).toBe('wait until 300')
    expect(decided(40, 2, [ready, stream(1, { stage: 'ready', since: 0 })], known)).toBe('authenticate 1')
    // Streams get no further, either: not longer than its head start.
    expect(decided(300, 2, [ready, stream(1, { since: 0 })], known)).toBe('begin 2')
    expect(decided(310, 3, [ready, stream(1, { since: 0 }), stream(2, { since: 300 })], known)).toBe('wait until 600')
    expect(decided(600, 3, [ready, stream(1, { since: 0 }), stream(2, { since: 300 })], known)).toBe('authenticate 0')
    expect(decided(50, 2, [ready], known)).toBe('begin 2')
    expect(decided(50, 3, [ready], known)).toBe('authenticate 0')
  })

  it('a list of UDP alone has all the time that there is, to however many addresses', () => {
    expect(decided(5000, 2, [udp(), udp({ index: 1, since: 250 })], { count: 2, transportOf: () => 'udp' })).toBe('wait until Infinity')
    expect(decided(5000, 2, [udp({ index: 1, since: 250 })], { count: 2, transportOf: () => 'udp' })).toBe('wait until Infinity')
  })

  it('a list of one has all the time that there is', () => {
    expect(decided(5000, 1, [udp()], { count: 1 })).toBe('wait until Infinity')
    expect(decided(5000, 1, [udp({ hopeUntil: 500 })], { count: 1 })).toBe('wait until Infinity')
  })
})

describe('RFC 8305 §5: a peer of several addresses', () => {
  const [first, second] = [udp(), udp({ index: 1, since: 250 })]
  const asked = Number.POSITIVE_INFINITY
  const rows: readonly (readonly [why: string, addresses: number, now: number, next: number, racers: readonly Racer[], move: string])[] = [
    ['UDP to the first of them goes first', 2, 0, 0, [], 'begin 0'],
    ['alone while its request is made', 2, 20, 1, [udp({ since: asked })], 'wait until Infinity'],
    ['and for the Connection Attempt Delay', 2, 100, 1, [first], 'wait until 250'],
    ['then UDP to the next', 2, 250, 1, [first], 'begin 1'],
    ['at once where the one before has failed', 2, 10, 1, [], 'begin 1'],
    ['sooner where the network says that a datagram did not get there', 2, 100, 1, [udp({ hopeUntil: 120 })], 'wait until 120'],
    ["(T-FB-2): streams after UDP's head start, which is one for all addresses", 2, 300, 2, [first, second], 'wait until 600'],
    ['', 2, 600, 2, [first, second], 'begin 2'],
    ['the second of them has a head start of its own where the first is over', 2, 600, 2, [second], 'wait until 850'],
    ['what the network says of one does not end the other', 2, 300, 2, [udp({ hopeUntil: 400 }), second], 'wait until 600'],
    ['what it says of both does', 2, 300, 2, [udp({ hopeUntil: 400 }), udp({ index: 1, since: 250, hopeUntil: 450 })], 'wait until 450'],
    ['and streams one after another', 2, 700, 3, [first, second, stream(2)], 'wait until 900'],
    ['four addresses fit into the head start, too', 4, 100, 1, [first], 'wait until 150'],
    ['', 4, 460, 4, [first, udp({ index: 1, since: 150 }), udp({ index: 2, since: 300 }), udp({ index: 3, since: 450 })], 'wait until 600'],
    ['of many each is given the least that it may be', 16, 10, 1, [first], 'wait until 100'],
    [
      'blocked half way at the first: UDP to the next, and a stream with it',
      2,
      640,
      2,
      [udp({ stage: 'authenticating', since: 40 }), udp({ index: 1, since: 640 })],
      'begin 2',
    ],
    ['only UDP is left, and silent: one is dropped after the other', 2, 1800, 4, [first, second], 'drop 0'],
    ['', 2, 1800, 4, [second], 'wait until 2050'],
  ]
  it.each(rows)('%s: with %d addresses, at %d ms', (_, addresses, now, next, racers, move) => {
    expect(decidedAmong(addresses, now, next, racers)).toBe(move)
  })

  it('(T-FB-4): an address to which UDP did not get through lately is given no start, and takes none from the others', () => {
    const isFirst = (index: number): boolean => index === 0
    expect(decidedAmong(2, 0, 1, [first], { isBlocked: isFirst })).toBe('begin 1')
    expect(decidedAmong(2, 10, 2, [first, udp({ index: 1 })], { isBlocked: isFirst })).toBe('wait until 600')
    const isSecond = (index: number): boolean => index === 1
    expect(decidedAmong(2, 260, 2, [first, second], { isBlocked: isSecond })).toBe('wait until 600')
    const isUdp = (index: number): boolean => index < 2
    expect(decidedAmong(2, 10, 2, [first, udp({ index: 1 })], { isBlocked: isUdp })).toBe('begin 2')
  })
})
