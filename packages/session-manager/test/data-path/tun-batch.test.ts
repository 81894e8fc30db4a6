import { describe, expect, it } from 'vitest'
import { TunBatch } from '../../src/data-path/tun-batch.ts'

describe('packets on their way to the TUN', () => {
  it('stand side by side in one batch', () => {
    expect(batchesOf([100, 60])).toEqual([['100 of 1', '60 of 2']])
  })

  it('those already there are written, not lost, where one does not fit beside them, however large it is', () => {
    expect(batchesOf([100, 262_144])).toEqual([['100 of 1'], ['262144 of 2']])
    expect(batchesOf([100, 600_000, 50])).toEqual([['100 of 1'], ['600000 of 2'], ['50 of 3']])
  })

  it('eight of the longest are one batch', () => {
    expect(batchesOf(Array.from({ length: 9 }, () => 65_500)).map((batch) => batch.length)).toEqual([8, 1])
  })

  it('one batch has 512 of them at most', () => {
    expect(batchesOf(Array.from({ length: 513 }, () => 20)).map((batch) => batch.length)).toEqual([512, 1])
  })
})

/** One input that brings packets of these lengths; each is filled with its number. */
function batchesOf(lengths: readonly number[]): string[][] {
  const tun = new TunBatch()
  const batches: string[][] = []
  const emit: Parameters<TunBatch['flush']>[0] = (output) => {
    if (output.kind !== 'write-tun') throw new Error(output.kind)
    const { buffer, offsets, lengths: written, count } = output.batch
    batches.push(Array.from({ length: count }, (_, i) => `${written[i]} of ${buffer[offsets[i]!]}`))
  }
  tun.begin()
  for (const [index, length] of lengths.entries()) {
    const at = tun.reserve(length, emit)
    tun.buffer.fill(index + 1, at, at + length)
    tun.commit(length)
  }
  tun.flush(emit)
  return batches
}
