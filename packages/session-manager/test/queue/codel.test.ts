import { describe, expect, it } from 'vitest'
import { codelFor, numbersFrom, TIMES } from './support.ts'

const { target, interval } = TIMES

describe('RFC 8289 §5 CoDel', () => {
  it('drops nothing that waited less than the target, for however long', () => {
    const { drops } = codelFor()
    for (let now = 0; now < 10_000; now++) expect(drops(now - target + 0.01, now)).toBe(false)
  })

  it('drops the first packet when they have been late for a whole interval, not before', () => {
    const { drops } = codelFor()
    expect(drops(990, 1_000)).toBe(false)
    expect(drops(1_080, 1_000 + interval - 1)).toBe(false)
    expect(drops(1_080, 1_000 + interval)).toBe(true)
  })

  it('one packet in time, or a queue that is short, begins the interval again', () => {
    for (const interrupt of [(drops: Drops) => drops(1_050, 1_050), (drops: Drops) => drops(1_000, 1_050, true)]) {
      const { drops } = codelFor()
      expect(drops(990, 1_000)).toBe(false)
      expect(interrupt(drops)).toBe(false)
      expect(drops(1_080, 1_100)).toBe(false)
      expect(drops(1_180, 1_199)).toBe(false)
      expect(drops(1_180, 1_200)).toBe(true)
    }
  })

  it('a queue that ran empty does so too', () => {
    const { codel, drops } = codelFor()
    expect(drops(990, 1_000)).toBe(false)
    codel.emptied()
    expect(drops(1_080, 1_100)).toBe(false)
    expect(drops(1_080, 1_200)).toBe(true)
  })

  it('while the queue stays, drop n comes interval/√n after the one before', () => {
    const { drops } = codelFor()
    const times = dropTimes(drops, 2_000)
    expect(times.length).toBeGreaterThan(80)
    let due = times[0]!
    for (let n = 1; n < times.length; n++) {
      due += interval / Math.sqrt(n)
      // Packets come each millisecond: the first at or after the time that the control law names.
      expect(times[n]! - due).toBeGreaterThanOrEqual(0)
      expect(times[n]! - due).toBeLessThan(1)
    }
  })

  it('after a drop the next packet goes out, unless that one is due as well', () => {
    const { drops } = codelFor()
    drops(0, 10)
    expect([1, 2, 3].map(() => drops(50, 10 + interval))).toEqual([true, false, false])
  })

  it('asked late, it makes up for the drops that were due meanwhile', () => {
    const { drops } = codelFor()
    drops(0, 10)
    expect(drops(0, 110)).toBe(true)
    // Due at 210, 280.7, 338.4.
    expect([1, 2, 3].map(() => drops(0, 300))).toEqual([true, true, false])
    expect(drops(0, 339)).toBe(true)
  })

  it('asked after more than an interval, it goes on from there: a connection that stood still loses no whole queue', () => {
    const { drops } = codelFor()
    drops(0, 10)
    expect(drops(0, 110)).toBe(true)
    // Due at 210, and the next 70.7 after that.
    expect([1, 2, 3].map(() => drops(0, 5_000))).toEqual([true, false, false])
    expect(drops(0, 5_070)).toBe(false)
    expect(drops(0, 5_071)).toBe(true)
  })

  it('stops as soon as one packet is in time', () => {
    const { drops } = codelFor()
    dropTimes(drops, 500)
    expect(drops(500, 500)).toBe(false)
    for (let now = 501; now < 501 + interval; now++) expect(drops(now - 50, now)).toBe(false)
  })

  it('where the queue is back soon, it goes on about as fast as it left off; where it is back late, from the beginning', () => {
    const soon = codelFor()
    const before = dropTimes(soon.drops, 1_000).length
    soon.drops(1_000, 1_000)
    const [first, second] = dropTimes(soon.drops, 1_400, 1_001) as [number, number]
    expect(second - first).toBeLessThan(2 * (interval / Math.sqrt(before)))
    const late = codelFor()
    dropTimes(late.drops, 1_000)
    late.drops(1_000, 1_000)
    const [again, next] = dropTimes(late.drops, 4_000, 3_000) as [number, number]
    expect(next - again).toBe(interval)
  })

  it('how fast it left off is what it dropped since it last began, not all that it ever dropped', () => {
    const { drops } = codelFor()
    dropTimes(drops, 1_000)
    drops(1_000, 1_000)
    let now = 1_001
    for (let count = 0; count < 4; now++) while (count < 4 && drops(now - 50, now)) count++
    drops(now, now)
    // One to begin with, and three.
    const [first, second] = dropTimes(drops, now + 500, now + 1) as [number, number]
    expect(second - first).toBe(Math.ceil(interval / Math.sqrt(3)))
  })

  it('`reset`: the next queue begins as the first did', () => {
    const used = codelFor()
    dropTimes(used.drops, 1_000)
    used.codel.reset()
    expect(dropTimes(used.drops, 3_000, 1_001)).toEqual(dropTimes(codelFor().drops, 3_000, 1_001))
  })
})

describe('RFC 8289 §5 CoDel at a bottleneck', () => {
  it.each(['a', 'b', 'c'])('seed %s: a burst that is gone within the interval loses nothing', (seed) => {
    const below = numbersFrom(`bursts ${seed}`)
    const queue = new Bottleneck(1)
    for (let burst = 0; burst < 50; burst++) {
      queue.arrive(2 + below(interval - target - 1))
      queue.pass(2 * interval)
    }
    expect(queue.dropped).toBe(0)
  })

  it.each([1.1, 1.5, 2])(
    'a sender that goes slower with each loss: %d times too fast at first, it is brought down to short waits',
    (factor) => {
      const queue = new Bottleneck(1)
      let rate = factor
      let waits: number[] = []
      for (let now = 0; now < 60_000; now++) {
        const dropped = queue.dropped
        queue.arrive(rate)
        queue.pass(1)
        // Half for a loss, and a little more with each round trip, as TCP does.
        rate = queue.dropped > dropped ? rate / 2 : rate + 0.0002
        if (now === 30_000) waits = []
        waits.push(queue.wait)
      }
      waits.sort((a, b) => a - b)
      expect(waits[waits.length >> 1]).toBeLessThan(2 * target)
      expect(waits.at(-1)).toBeLessThan(2 * interval)
    },
  )

  it('a sender that does not heed losses loses what is too much, and no more', () => {
    const queue = new Bottleneck(1)
    for (let now = 0; now < 30_000; now++) {
      queue.arrive(1.25)
      queue.pass(1)
    }
    expect(queue.wait).toBeLessThan(3 * interval)
    const tooMuch = 30_000 * 0.25
    expect(queue.dropped).toBeGreaterThan(tooMuch - 5 * interval)
    expect(queue.dropped).toBeLessThan(tooMuch + 5 * interval)
  })
})

type Drops = ReturnType<typeof codelFor>['drops']

/** When packets that have all waited 50 ms are dropped: one comes each millisecond, and another one each time that it was. */
function dropTimes(drops: Drops, until: number, from: number = 0): number[] {
  const times: number[] = []
  for (let now = from; now < until; now++) while (drops(now - 50, now)) times.push(now)
  return times
}

/** A queue that `rate` packets leave each millisecond. */
class Bottleneck {
  readonly #drops = codelFor()
  readonly #rate: number
  readonly #arrivals: number[] = []
  #now = 0
  #credit = 0
  #owed = 0
  dropped = 0
  /** How long the last packet had waited. */
  wait = 0

  constructor(rate: number) {
    this.#rate = rate
  }

  arrive(packets: number): void {
    for (this.#owed += packets; this.#owed >= 1; this.#owed--) this.#arrivals.push(this.#now)
  }

  pass(milliseconds: number): void {
    for (let i = 0; i < milliseconds; i++) {
      for (this.#credit += this.#rate; this.#credit >= 1; this.#credit--) this.#leave()
      this.#now++
    }
  }

  #leave(): void {
    for (let arrival = this.#arrivals[0]; arrival !== undefined; arrival = this.#arrivals[0]) {
      const isDropped = this.#drops.drops(arrival, this.#now, this.#arrivals.length <= 2)
      this.#arrivals.shift()
      this.wait = this.#now - arrival
      if (!isDropped) return
      this.dropped++
    }
    this.#drops.codel.emptied()
  }
}
