import { expect, it } from 'vitest'
import { packPackets, unpackPackets } from '../../src/workers/handed-packets.ts'

it('packets come out of the transferred buffer as they went in, with room behind each', () => {
  const buffer = Uint8Array.from({ length: 100 }, (_, i) => i)
  const batch = { buffer, offsets: Uint32Array.of(0, 10, 50), lengths: Uint32Array.of(7, 30, 21), count: 3 }
  const { buffer: out, offsets, lengths, count, tailroom } = unpackPackets(structuredClone(packPackets(batch, [0, 2])))
  expect(count).toBe(2)
  const packets = [0, 1].map((i) => [...out.subarray(offsets[i], offsets[i]! + lengths[i]!)])
  expect(packets).toEqual([[...buffer.subarray(0, 7)], [...buffer.subarray(50, 71)]])
  expect(offsets[1]! - offsets[0]!).toBeGreaterThanOrEqual(lengths[0]! + tailroom!)
  expect(out.length).toBeGreaterThanOrEqual(offsets[1]! + lengths[1]! + tailroom!)
})
