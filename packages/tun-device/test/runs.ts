import { expect } from 'vitest'
import { Coalescer } from '../src/coalescer.ts'
import { batchOf, packetsOf } from '../src/packet-batch.ts'
import { SuperPacket } from '../src/super-packet.ts'

/** Indices of the packets of each run. */
export function plan(packets: readonly Uint8Array[], joinsUdp = true): number[][] {
  const coalescer = new Coalescer(joinsUdp)
  coalescer.plan(batchOf(packets))
  return runsOf(coalescer)
}

export function runsOf(coalescer: Coalescer): number[][] {
  return Array.from({ length: coalescer.runs }, (_, run) => {
    const indices: number[] = []
    for (let index = coalescer.first[run]; index >= 0; index = coalescer.next[index]) indices.push(index)
    expect(indices.length).toBe(coalescer.packets[run])
    return indices
  })
}

/** Builds each run's super-packet as it would be written, and cuts it up as the kernel would. */
export function throughSuperPackets(packets: readonly Uint8Array[]): Uint8Array[] {
  const batch = batchOf(packets)
  const coalescer = new Coalescer(true)
  coalescer.plan(batch)
  const out: Uint8Array[] = []
  for (const [run, indices] of runsOf(coalescer).entries()) {
    if (indices.length === 1) {
      out.push(packetsOf(batch)[indices[0]])
      continue
    }
    const area = 2_000
    const buffer = new Uint8Array(area + 80_000)
    const headerLength = coalescer.writeSuperHeader(batch, run, buffer, area, 0)
    let at = area + 10 + headerLength
    for (const index of indices) {
      const payload = packets[index].subarray(headerLength)
      buffer.set(payload, at)
      at += payload.length
    }
    expect(at - area - 10).toBe(coalescer.lengths[run])
    const superPacket = new SuperPacket(buffer)
    expect(superPacket.load(area, 0, area + 10, coalescer.lengths[run])).toBe(true)
    while (superPacket.nextLength > 0) out.push(buffer.slice(0, superPacket.writeNext(0)))
  }
  return out
}
