import { describe, expect, it } from 'vitest'
import { headerChecksum, numbersFrom, Rig, TIMES } from './support.ts'

const QUANTUM = 1_514

describe('RFC 8290 §4.2 the turns of flows', () => {
  it.each(['a', 'b', 'c', 'd', 'e', 'f'])(
    'seed %s: each packet comes out once, in the order of its flow, or is counted as dropped',
    (seed) => {
      const below = numbersFrom(`turns ${seed}`)
      const rig = new Rig(2_048 * (50 + below(500)))
      const flows = [3, 30, 300, 3_000][below(4)]!
      const max = 20_000 + below(400_000)
      const last = new Map<number, number>()
      let [out, now] = [0, 0]
      const take = (): boolean => {
        const packet = rig.take(now)
        if (packet === undefined) return false
        if (packet.number <= (last.get(packet.flow) ?? -1))
          expect.fail(`flow ${packet.flow}: ${packet.number} after ${last.get(packet.flow)}`)
        last.set(packet.flow, packet.number)
        out++
        return true
      }
      for (let step = 0; step < 6_000; step++) {
        now += below(3)
        const isRush = Math.floor(step / 500) % 2 === 0
        // Some are worth more than others, as hostile ones are.
        const flow = below(2) === 0 ? below(flows) : below(3)
        if (below(10) < (isRush ? 8 : 3)) rig.put(flow * 7_919, 20 + below(below(20) === 0 ? 65_515 : 1_480), { now, max, ecn: below(4) })
        else take()
        if (rig.queues.octets > max + 65_535) expect.fail(`${rig.queues.octets} octets`)
      }
      while (take());
      const sent = [...rig.sent.values()].reduce((sum, count) => sum + count, 0)
      expect(out + rig.dropped + rig.refused).toBe(sent)
      expect(rig.queues.isEmpty).toBe(true)
      expect(rig.queues.octets).toBe(0)
      expect(rig.isAllFree).toBe(true)
    },
  )

  it.each([
    [1_500, 300],
    [1_500, 1_500],
    [9_000, 64],
    [65_535, 1_000],
  ])('two greedy flows with packets of %i and %i octets get the same octets, but for a quantum and a packet', (first, second) => {
    const rig = new Rig()
    const octets = [0, 0]
    const fill = (): void => {
      rig.put(0, first)
      while ((rig.sent.get(1) ?? 0) * second < rig.sent.get(0)! * first) rig.put(1, second)
    }
    for (let i = 0; i < 50; i++) fill()
    for (let i = 0; i < 2_000; i++) {
      const packet = rig.take()
      if (packet === undefined) break
      octets[packet.flow]! += packet.length
      if (Math.abs(octets[0]! - octets[1]!) > QUANTUM + Math.max(first, second)) expect.fail(`${octets} after ${i} packets`)
      fill()
    }
    expect(octets[0]).toBeGreaterThan(10 * first)
  })

  it('a packet of a flow that has just begun overtakes a bulk flow', () => {
    const rig = new Rig()
    for (let i = 0; i < 500; i++) rig.put(1, 1_400)
    rig.take()
    rig.take()
    rig.put(2, 84)
    expect([rig.take()!.flow, rig.take()!.flow]).toEqual([2, 1])
  })

  it('the same of many bulk flows', () => {
    const rig = new Rig()
    for (let i = 0; i < 500; i++) rig.put(i % 20, 1_400)
    for (let i = 0; i < 45; i++) rig.take()
    rig.put(99, 84)
    expect(rig.take()!.flow).toBe(99)
  })

  it('a flow that sends a long packet as soon as its last one has left is not new each time: nobody starves', () => {
    const rig = new Rig()
    for (let i = 0; i < 2_000; i++) rig.put(1, 100)
    const octets = [0, 0, 0]
    let waits = 0
    for (let i = 0; i < 1_500; i++) {
      const { flow, length } = rig.take()!
      octets[flow]! += length
      if (flow === 2) waits--
      else if (waits === 0) {
        rig.put(2, 1_500)
        waits++
      }
    }
    expect(octets[1]).toBeGreaterThan(octets[2]! - 2 * QUANTUM)
  })

  it('beside it are many flows of one packet each: they go first, and then the bulk flow has its turn', () => {
    const rig = new Rig()
    for (let i = 0; i < 10; i++) rig.put(1, 1_400)
    rig.take()
    rig.take()
    for (let flow = 10; flow < 60; flow++) rig.put(flow, 100)
    const order = rig.takeAll().map(({ flow }) => flow)
    expect(order.slice(0, 50)).toEqual(Array.from({ length: 50 }, (_, i) => 10 + i))
    expect(order.slice(50)).toEqual(Array.from({ length: 8 }, () => 1))
  })

  it('there are queues for 1,024 flows, and 1,024 more for all others together', () => {
    const rig = new Rig()
    for (let i = 0; i < 2 * 1_024; i++) rig.put(10_000 + (i % 1_024), QUANTUM)
    for (let i = 0; i < 500; i++) rig.put(1_000_000 * 1_024 + 7 + 1_024 * i, QUANTUM)
    const order = Array.from({ length: 2 * 1_025 }, () => rig.take()!.flow)
    // One turn each, and another.
    expect(order.filter((flow) => flow > 1_000_000)).toHaveLength(2)
    expect(rig.queues.clear()).toBe(498)
    expect(rig.isAllFree).toBe(true)
  })

  it('more flows than there are queues share them; a flow keeps its order when queues come free again', () => {
    const rig = new Rig()
    for (let flow = 0; flow < 1_024; flow++) rig.put(flow * 65_537 + 5_000, 100)
    for (let i = 0; i < 5; i++) rig.put(999_999_999, 1_400)
    // All others are gone, and forgotten, and it has had its first turn.
    const order = Array.from({ length: 1_024 + 3 }, () => rig.take()!)
    rig.put(999_999_999, 1_400)
    order.push(...rig.takeAll())
    expect(order.filter(({ flow }) => flow === 999_999_999).map(({ number }) => number)).toEqual([0, 1, 2, 3, 4, 5])
    expect(order).toHaveLength(1_030)
  })
})

describe('RFC 8290 §4.1 where too much waits', () => {
  it('the longest queue loses its oldest packet', () => {
    const rig = new Rig()
    rig.put(1, 1_000)
    for (let i = 0; i < 9; i++) rig.put(2, 1_000)
    expect(rig.put(3, 1_000, { max: 10_000 })).toBe(1)
    expect(flowsOf(rig)).toEqual({ 1: [0], 2: [1, 2, 3, 4, 5, 6, 7, 8], 3: [0] })
  })

  it('what arrives counts for its own flow: the second packet of one costs no other flow its only one', () => {
    const rig = new Rig()
    rig.put(1, 1_000)
    rig.put(2, 1_000)
    expect(rig.put(2, 1_000, { max: 2_000 })).toBe(1)
    expect(flowsOf(rig)).toEqual({ 1: [0], 2: [1] })
  })

  it('a packet of 65,535 octets that is longer than all queues is dropped itself, not a hundred others for it', () => {
    const rig = new Rig()
    for (let flow = 0; flow < 100; flow++) rig.put(flow, 1_000)
    expect(rig.put(100, 65_535, { max: 100_000 })).toBe(1)
    expect(rig.takeAll()).toHaveLength(100)
    expect(rig.isAllFree).toBe(true)
  })

  it('alone, a packet may wait whatever its length', () => {
    const rig = new Rig()
    expect(rig.put(1, 65_535, { max: 1_000 })).toBe(0)
    expect(rig.take()!.length).toBe(65_535)
  })

  it('a limit that became smaller shortens the queue by what arrives, not all at once', () => {
    const rig = new Rig()
    for (let i = 0; i < 100; i++) rig.put(i % 10, 1_000)
    expect(rig.put(3, 1_000, { max: 0 })).toBe(2)
    for (let i = 0; i < 50; i++) rig.put(3, 1_000, { max: 40_000 })
    expect(rig.queues.octets).toBeGreaterThan(45_000)
    expect(rig.queues.octets).toBeLessThan(55_000)
    for (let i = 0; i < 50; i++) rig.put(3, 1_000, { max: 40_000 })
    expect(rig.queues.octets).toBe(40_000)
  })

  it('a small packet counts as 256 octets, so that many of them are bounded too', () => {
    const rig = new Rig()
    for (let i = 0; i < 1_000; i++) rig.put(i, 20, { max: 25_600 })
    expect(rig.refused).toBe(900)
    expect(rig.takeAll()).toHaveLength(100)
  })

  it('of a flood of 100,000 flows some wait, the rest is counted; a flow that was there before keeps its packets', () => {
    const rig = new Rig(1 << 22)
    for (let i = 0; i < 5; i++) rig.put(1, 200)
    for (let flow = 0; flow < 100_000; flow++) {
      rig.put(1_000_000 + flow * 40_503, 100, { max: 262_144 })
      if (flow % 5_000 === 0) rig.put(1, 200, { max: 262_144 })
    }
    const out = rig.takeAll()
    expect(out.length + rig.refused).toBe(100_025)
    expect(out.length).toBe(1_024)
    expect(rig.isAllFree).toBe(true)
  })

  it('a store that others have filled: what cannot be stored is counted, and what waits stays', () => {
    const rig = new Rig(2_048 * 100)
    for (let i = 0; i < 20; i++) rig.put(1, 1_000)
    const others = rig.another()
    for (let i = 0; i < 80; i++) others.enqueue(new Uint8Array(1_000), 0, 1_000, 1, { flow: 0, number: 0 }, 0, 1 << 20)
    expect(rig.store.freeOctets).toBe(0)
    expect(rig.put(2, 20_000, { max: 1 << 20 })).toBe(1)
    expect(rig.put(1, 1_000, { max: 0 })).toBe(2)
    expect(rig.put(2, 1_000, { max: 1 << 20 })).toBe(0)
    expect(rig.put(2, 1_000, { max: 1 << 20 })).toBe(1)
    expect(others.clear()).toBe(80)
    expect(rig.takeAll()).toHaveLength(20)
    expect(rig.isAllFree).toBe(true)
  })

  it('`clear` frees everything and says how much it was; what comes afterwards is queued as ever', () => {
    const rig = new Rig()
    for (let i = 0; i < 300; i++) rig.put(i % 7, 100 + 30 * i)
    rig.take()
    expect(rig.queues.clear()).toBe(299)
    expect([rig.queues.octets, rig.queues.isEmpty, rig.isAllFree]).toEqual([0, true, true])
    expect(rig.take()).toBeUndefined()
    rig.put(1, 100)
    rig.put(2, 100)
    expect(rig.takeAll().map(({ flow }) => flow)).toEqual([1, 2])
  })
})

describe('RFC 8290 §4.2 CoDel on each queue', () => {
  it('a bulk flow that stands loses packets, a sparse one beside it none', () => {
    const rig = new Rig()
    const left = new Map<number, number>()
    for (let now = 0; now < 3_000; now++) {
      // Twice as much as leaves.
      rig.put(1, 1_400, { now })
      rig.put(1, 1_400, { now })
      if (now % 20 === 0) rig.put(2, 100, { now })
      const packet = rig.take(now)!
      left.set(packet.flow, (left.get(packet.flow) ?? 0) + 1)
    }
    expect(rig.dropped).toBeGreaterThan(50)
    expect(left.get(2)).toBe(150)
  })

  it('where the ends of a flow know of ECN, packets are marked instead, and all arrive', () => {
    const rig = new Rig()
    const marks: boolean[] = []
    for (let now = 0; now < 1_000; now++) {
      rig.put(1, 1_400, { now, ecn: 2 })
      rig.put(1, 1_400, { now, ecn: 2 })
      const { packet } = rig.take(now)!
      expect((packet[10]! << 8) | packet[11]!).toBe(headerChecksum(packet))
      marks.push(packet[1] === 3)
    }
    expect(rig.dropped).toBe(0)
    expect(rig.marked).toBeGreaterThan(10)
    expect(marks.filter((isMarked) => isMarked)).toHaveLength(rig.marked)
    const rest = rig.takeAll(1_000)
    expect(marks.length + rest.length).toBe(2_000)
  })

  it('RFC 8289 §5: what is no more than one packet of full length is no queue, however long it waits', () => {
    const rig = new Rig()
    for (let round = 0; round < 50; round++) {
      const now = round * 1_000
      for (let i = 0; i < 5; i++) rig.put(1, 100, { now })
      expect(Array.from({ length: 5 }, (_, i) => rig.take(now + 500 + i * TIMES.interval)!.number - 5 * round)).toEqual([0, 1, 2, 3, 4])
    }
    expect(rig.dropped).toBe(0)
  })

  it.each([1_500, 9_000, 65_498])('RFC 8289 §5: so it is with inner packets of %i octets: one behind the head is no queue', (length) => {
    const rig = new Rig()
    rig.put(1, length)
    for (let round = 1; round <= 200; round++) {
      rig.put(1, length, { now: round * 50 })
      expect(rig.take(round * 50 + 49)?.number).toBe(round - 1)
    }
    expect(rig.dropped).toBe(0)
  })

  it('a flow that takes the place of one that lost much begins as any other', () => {
    const dropsOf = (rig: Rig, flow: number, from: number): number => {
      const before = rig.dropped
      for (let now = from; now < from + 1_000; now++) {
        for (let i = 0; i < 3; i++) rig.put(flow, 1_400, { now })
        rig.take(now)
      }
      return rig.dropped - before
    }
    const rig = new Rig()
    dropsOf(rig, 1, 0)
    rig.takeAll(1_000)
    expect(dropsOf(rig, 2, 1_001)).toBe(dropsOf(new Rig(), 2, 1_001))
  })

  it('the last packet of a flow is never dropped', () => {
    const rig = new Rig()
    for (let i = 0; i < 100; i++) rig.put(1, 1_400)
    const taken: number[] = []
    for (let now = 0; ; now += 1_000) {
      const packet = rig.take(now)
      if (packet === undefined) break
      taken.push(packet.number)
    }
    expect(taken.at(-1)).toBe(99)
    expect(taken.length + rig.dropped).toBe(100)
    expect(rig.dropped).toBeGreaterThan(10)
  })
})

/** By flow: the numbers of the packets that are left. */
function flowsOf(rig: Rig): Record<number, number[]> {
  const flows: Record<number, number[]> = {}
  for (const { flow, number } of rig.takeAll()) {
    flows[flow] ??= []
    flows[flow].push(number)
  }
  return flows
}
