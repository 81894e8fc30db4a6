import { describe, expect, it } from 'vitest'
import { Link, type LinkConditions } from './link.ts'
import { datagram, OneHop, segment } from './one-hop.ts'
import { lengthOf } from './packet.ts'
import { Chance } from './random.ts'

const HERE = '192.0.2.10 4500'
const THERE = '198.51.100.1 4500'
const PACKET = datagram(HERE, THERE, 'esp', 972)

describe('a link: time', () => {
  it('RFC 2679 §3: each packet takes the delay, each way', () => {
    const link = linkWith({ delay: 25 })
    link.out(PACKET)
    link.clock.run(10)
    link.in(PACKET)
    link.clock.run(100)
    expect([link.outside, link.inside].map((arrived) => arrived.map(({ at }) => at))).toEqual([[25], [35]])
  })

  it('RFC 3393: jitter is at most what it was set to, is used to the full, and changes no order', () => {
    const link = linkWith({ delay: 10, jitter: 40 })
    const delays: number[] = []
    for (let i = 0; i < 500; i++) {
      const from = link.clock.now
      link.out(PACKET)
      link.clock.run(100)
      delays.push(link.outside.at(-1)!.at - from)
    }
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(10)
    expect(Math.max(...delays)).toBeLessThan(50)
    expect(meanOf(delays)).toBeCloseTo(30, -1)
    const order = sendNumbered(link, 300, 1)
    expect(order).toEqual([...order].sort((a, b) => a - b))
  })

  it('RFC 4737 §3: the part that is held back is overtaken, and nothing else', () => {
    const link = linkWith({ reordering: 0.1, heldBack: 15 })
    const order = sendNumbered(link, 2_000, 1)
    expect(order).toHaveLength(2_000)
    let greatest = -1
    let late = 0
    for (const number of order) {
      if (number < greatest) late++
      greatest = Math.max(greatest, number)
    }
    expect(late / 2_000).toBeCloseTo(0.1, 1)
    expect(late).toBeGreaterThan(100)
  })

  it('a rate: packets wait for each other, by their length', () => {
    const link = linkWith({ delay: 5, rate: 100 })
    expect(lengthOf(PACKET)).toBe(1_000)
    for (let i = 0; i < 3; i++) link.out(PACKET)
    link.in(PACKET)
    link.clock.run(100)
    expect(link.outside.map(({ at }) => at)).toEqual([15, 25, 35])
    expect(link.inside.map(({ at }) => at)).toEqual([15])
  })

  it('RFC 7567 §1: what the queue does not hold is lost from its tail', () => {
    const link = linkWith({ delay: 5, rate: 100, queue: 3_000 })
    expect(sendNumbered(link, 10, 0)).toEqual([0, 1, 2])
    expect(sendNumbered(link, 10, 0)).toEqual([0, 1, 2])
  })
})

describe('a link: loss', () => {
  it.each([0, 0.01, 0.2, 1])('RFC 2680 §2: each packet by itself: %d', (loss) => {
    expect(Math.abs(lossOf(linkWith({ loss }), 20_000) - loss)).toBeLessThanOrEqual(0.05 * loss)
  })

  it.each([
    { begin: 0.01, end: 0.3, loss: 0.8 },
    { begin: 0.002, end: 0.05, loss: 1 },
    { begin: 0.1, end: 0.1, loss: 0.5 },
  ])('Gilbert and Elliott, %j: the share of bad times, their length and the loss are those of the chain', (bursts) => {
    const link = linkWith({ bursts, loss: 0.001 })
    const packets = 200_000
    const isLost = lossesOf(link, packets)
    const bad = bursts.begin / (bursts.begin + bursts.end)
    const expected = bad * bursts.loss + (1 - bad) * 0.001
    const measured = isLost.filter(Boolean).length / packets
    expect(Math.abs(measured - expected) / expected).toBeLessThan(0.1)
    // After a loss another is as likely as staying in the bad time makes it, far from what the mean would say.
    const after = isLost.filter((lost, i) => lost && isLost[i + 1]).length / isLost.filter(Boolean).length
    const share = (bad * bursts.loss) / expected
    const again = share * ((1 - bursts.end) * bursts.loss + bursts.end * 0.001)
    expect(Math.abs(after - again)).toBeLessThan(0.05)
  })

  it('each direction has bad times of its own', () => {
    const link = linkWith({ bursts: { begin: 0.01, end: 0.1, loss: 1 } })
    const [out, back] = [lossesOf(link, 20_000, 'out'), lossesOf(link, 20_000, 'in')]
    const both = out.filter((lost, i) => lost && back[i]).length / 20_000
    expect(both).toBeLessThan(0.02)
  })

  it('the same seed loses the same packets', () => {
    const run = (seed: string): boolean[] => lossesOf(linkWith({ loss: 0.3 }, seed), 200)
    expect(run('a')).toEqual(run('a'))
    expect(run('a')).not.toEqual(run('b'))
  })
})

describe('a link: size', () => {
  it.each([
    ['a datagram', PACKET, 'fragmented or told', 'passes'],
    ['a datagram', PACKET, 'lost', 'nothing'],
    ['a segment', segment(HERE, THERE, { bytes: new Uint8Array(960) }), 'fragmented or told', 'told'],
    ['a segment', segment(HERE, THERE, { bytes: new Uint8Array(960) }), 'lost', 'nothing'],
  ] as const)('RFC 791 §3.2, RFC 1191 §3, RFC 2923 §2.1: %s over the MTU (%#)', (_, packet, tooBig, outcome) => {
    const link = linkWith({ mtu: 999, tooBig })
    link.out(packet)
    link.clock.run(100)
    expect(link.outside).toHaveLength(outcome === 'passes' ? 1 : 0)
    expect(link.inside.map((arrived) => arrived.packet.body)).toEqual(
      outcome === 'told' ? [{ protocol: 'icmp', type: 'too big', mtu: 999, about: packet }] : [],
    )
    link.hop.conditions.mtu = 1_000
    link.out(packet)
    link.clock.run(100)
    expect(link.outside).toHaveLength(outcome === 'passes' ? 2 : 1)
  })

  it('RFC 791 §3.2: one fragment lost is all lost', () => {
    const whole = lossOf(linkWith({ loss: 0.1 }), 20_000)
    const inFour = lossOf(linkWith({ loss: 0.1, mtu: 250 }), 20_000)
    expect(whole).toBeCloseTo(0.1, 1)
    expect(inFour).toBeCloseTo(1 - 0.9 ** 4, 1)
  })
})

function linkWith(conditions: Partial<LinkConditions>, seed = 'link'): OneHop<Link> {
  return new OneHop((clock) => new Link(clock, new Chance(seed), conditions))
}

/** One every so many milliseconds; answers the numbers in the order in which they arrived. */
function sendNumbered(link: OneHop<Link>, count: number, every: number): number[] {
  const before = link.outside.length
  const packets = Array.from({ length: count }, () => ({ ...PACKET }))
  for (const packet of packets) {
    link.out(packet)
    link.clock.run(every)
  }
  link.clock.run(1_000)
  return link.outside.slice(before).map(({ packet }) => packets.indexOf(packet as (typeof packets)[number]))
}

function lossOf(link: OneHop<Link>, count: number): number {
  return lossesOf(link, count).filter(Boolean).length / count
}

function lossesOf(link: OneHop<Link>, count: number, direction: 'out' | 'in' = 'out'): boolean[] {
  const arrived = direction === 'out' ? link.outside : link.inside
  return Array.from({ length: count }, () => {
    arrived.length = 0
    link[direction](PACKET)
    link.clock.run(10)
    return arrived.length === 0
  })
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
