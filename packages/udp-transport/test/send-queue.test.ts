import { describe, expect, it } from 'vitest'
import { type Destination, LONGEST } from '../src/destinations.ts'
import { SendQueue } from '../src/send-queue.ts'

const to = (port: number): Destination => ({
  remote: { address: '192.0.2.1', port },
  name: new Uint8Array(16),
  maxSegment: LONGEST,
  loweredAt: 0,
})
const packet = (octet: number, length = 1000): Uint8Array => new Uint8Array(length).fill(octet)

describe('packets that the kernel does not take yet', () => {
  it('beyond the limit ESP is refused, IKE is not, and room comes back', () => {
    const queue = new SendQueue(10_000)
    const destination = to(1)
    for (let i = 0; i < 10; i++) expect(queue.put(packet(i), 0, 1000, false, false, destination)).toBe(true)
    expect(queue.put(packet(1, 1), 0, 1, false, false, destination)).toBe(false)
    expect(queue.put(packet(99), 0, 1000, true, true, destination)).toBe(true)
    expect(queue.first?.count).toBe(11)
    queue.advance(2)
    expect(queue.put(packet(1), 0, 996, false, false, destination)).toBe(true)
    expect(queue.put(packet(1), 0, 1, false, false, destination)).toBe(false)
  })

  it('wait in order, as copies, in runs of one destination; the marker stands before IKE', () => {
    const queue = new SendQueue(1 << 20)
    const [left, right] = [to(1), to(2)]
    const source = Uint8Array.of(9, 1, 2, 3, 9)
    queue.put(source, 1, 3, false, false, left)
    queue.put(source, 1, 3, true, true, left)
    queue.put(source, 0, 5, false, false, right)
    source.fill(0)
    const slab = queue.first!
    const octets = (i: number): number[] => [...slab.buffer.subarray(slab.offsets[i], slab.offsets[i] + slab.lengths[i])]
    expect([octets(0), octets(1), octets(2)]).toEqual([
      [1, 2, 3],
      [0, 0, 0, 0, 1, 2, 3],
      [9, 1, 2, 3, 9],
    ])
    expect(queue.runEnd(slab)).toBe(2)
    queue.advance(2)
    expect(slab.destinations[slab.head]).toBe(right)
    expect(queue.runEnd(slab)).toBe(3)
    queue.advance(3)
    expect(queue.isEmpty).toBe(true)
  })

  it('fill one piece of memory after the other, and use them again', () => {
    const queue = new SendQueue(1 << 22)
    const destination = to(1)
    const seen = new Set<Uint8Array>()
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 600; i++) queue.put(packet(i & 0xff), 0, 1000, false, false, destination)
      let next = 0
      for (let slab = queue.first; slab !== undefined; slab = queue.first) {
        seen.add(slab.buffer)
        for (let i = slab.head; i < slab.count; i++) expect(slab.buffer[slab.offsets[i]]).toBe(next++ & 0xff)
        queue.advance(slab.count)
      }
      expect(next).toBe(600)
    }
    expect(seen.size).toBeLessThan(12)
  })
})
