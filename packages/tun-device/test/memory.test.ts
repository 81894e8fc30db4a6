import { describe, expect, it } from 'vitest'
import { batchOf, HEADROOM, memoryTunPair, packetsOf, TAILROOM } from '../src/index.ts'
import { octets, seeded, udpPacket } from './packets.ts'

const random = seeded(3)
const packets = [10, 20, 30].map((length) => udpPacket({}, octets(length, random)))
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

describe('batches', () => {
  it('hold packets with room around each', () => {
    const batch = batchOf(packets)
    expect(batch.count).toBe(3)
    expect(packetsOf(batch)).toEqual(packets)
    expect(batch.offsets[0]).toBeGreaterThanOrEqual(HEADROOM)
    for (let i = 0; i < 3; i++) {
      const end = batch.offsets[i] + batch.lengths[i] + TAILROOM
      expect(end).toBeLessThanOrEqual(i < 2 ? batch.offsets[i + 1] - HEADROOM : batch.buffer.length)
      expect(batch.offsets[i] % 4).toBe(0)
    }
  })
})

describe('memoryTunPair', () => {
  it('delivers at one end what is written at the other, in batches, later than the write', async () => {
    const [left, right] = memoryTunPair()
    const received: Uint8Array[][] = []
    right.start((batch) => received.push(packetsOf(batch)))
    left.write(batchOf(packets.slice(0, 2)))
    left.write(batchOf(packets.slice(2)))
    expect(received).toEqual([])
    await turn()
    expect(received).toEqual([packets])
    expect(left.counters.packetsWritten).toBe(3)
    expect(right.counters).toMatchObject({ packetsRead: 3, reads: 1, octetsRead: left.counters.octetsWritten })
  })

  it('lets go of the buffer at once', async () => {
    const [left, right] = memoryTunPair()
    const received: Uint8Array[] = []
    right.start((batch) => received.push(...packetsOf(batch)))
    const batch = batchOf(packets)
    left.write(batch)
    batch.buffer.fill(0)
    await turn()
    expect(received).toEqual(packets)
  })

  it('holds packets back while paused and before start(), up to the queue length', async () => {
    const [left, right] = memoryTunPair({ queueLength: 2 })
    left.write(batchOf(packets))
    const received: Uint8Array[] = []
    right.start((batch) => received.push(...packetsOf(batch)))
    await turn()
    expect(received).toEqual(packets.slice(0, 2))
    expect(right.counters.readDrops).toBe(1)
    right.pause()
    left.write(batchOf(packets.slice(0, 1)))
    await turn()
    expect(received.length).toBe(2)
    right.resume()
    await turn()
    expect(received.length).toBe(3)
  })

  it('drops what is longer than the MTU', async () => {
    const [left] = memoryTunPair({ mtu: 40 })
    left.write(batchOf(packets))
    expect(left.counters).toMatchObject({ packetsWritten: 1, writeDrops: 2 })
  })

  it('delivers only when it is told to, with delivery: manual', async () => {
    const [left, right] = memoryTunPair({ delivery: 'manual' })
    let count = 0
    right.start((batch) => (count += batch.count))
    left.write(batchOf(packets))
    await turn()
    expect(count).toBe(0)
    expect(right.deliver()).toBe(3)
    expect(count).toBe(3)
    expect(right.deliver()).toBe(0)
  })

  it('delivers nothing after close()', async () => {
    const [left, right] = memoryTunPair()
    let count = 0
    right.start((batch) => (count += batch.count))
    left.write(batchOf(packets))
    right.close()
    await turn()
    left.write(batchOf(packets))
    await turn()
    expect(count).toBe(0)
  })
})
