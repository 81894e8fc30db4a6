import { describe, expect, it } from 'vitest'
import { type PacketHandle, PacketStore } from '../../src/queue/packet-store.ts'
import { numbersFrom } from './support.ts'

const BLOCK = 2_048

describe('the store of waiting packets', () => {
  it.each([1, 20, 2_047, 2_048, 2_049, 4_096, 9_000, 65_535])('gives a packet of %i octets back as it was put', (length) => {
    const store = new PacketStore<string>(1 << 20)
    const handle = store.put(numbered(length + 7, 3), 7, length, 'owner', 12.5)!
    expect(store.lengthOf(handle)).toBe(length)
    expect(store.arrivalOf(handle)).toBe(12.5)
    expect(store.ownerOf(handle)).toBe('owner')
    expect(store.successorOf(handle)).toBeUndefined()
    expect(read(store, handle, 11).subarray(11)).toEqual(numbered(length + 7, 3).subarray(7))
    const first = Math.min(length, BLOCK)
    const at = store.positionIn(handle)
    expect(store.bufferOf(handle).subarray(at, at + first)).toEqual(numbered(length + 7, 3).subarray(7, 7 + first))
  })

  it.each(['a', 'b', 'c', 'd'])('seed %s: whatever is put and freed, what is there keeps its contents, and nothing leaks', (seed) => {
    const capacity = 200 * BLOCK
    const store = new PacketStore<number>(capacity)
    const below = numbersFrom(`store ${seed}`)
    const held = new Map<PacketHandle, { readonly length: number; readonly mark: number }>()
    let used = 0
    for (let step = 0; step < 3_000; step++) {
      // Now more come than go, now more go.
      if (below(100) < (Math.floor(step / 300) % 2 === 0 ? 70 : 30)) {
        const length = 1 + below(below(8) === 0 ? 65_535 : 3_000)
        const handle = store.put(numbered(length, step), 0, length, step, step)
        const blocks = Math.ceil(length / BLOCK)
        expect(handle === undefined).toBe(used + blocks > 200)
        if (handle === undefined) continue
        expect(held.has(handle)).toBe(false)
        held.set(handle, { length, mark: step })
        used += blocks
      } else if (held.size > 0) {
        const [handle, { length, mark }] = [...held][below(held.size)]!
        expectHeld(store, handle, length, mark)
        store.free(handle)
        held.delete(handle)
        used -= Math.ceil(length / BLOCK)
      }
      expect(store.freeOctets).toBe(capacity - used * BLOCK)
    }
    for (const [handle, { length, mark }] of held) {
      expectHeld(store, handle, length, mark)
      store.free(handle)
    }
    expect(store.freeOctets).toBe(capacity)
  })

  it('never holds more than its capacity, in whole blocks, and takes again what was freed', () => {
    const store = new PacketStore<number>(10 * BLOCK + 2_047)
    expect(store.freeOctets).toBe(10 * BLOCK)
    for (let round = 0; round < 3; round++) {
      const handles = Array.from({ length: 10 }, (_, i) => store.put(numbered(100, i), 0, 100, i, 0)!)
      expect(new Set(handles).size).toBe(10)
      expect(store.freeOctets).toBe(0)
      expect(store.put(numbered(20, 1), 0, 20, 1, 0)).toBeUndefined()
      for (const handle of handles) store.free(handle)
    }
    expect(store.put(numbered(11 * BLOCK, 1), 0, 11 * BLOCK, 1, 0)).toBeUndefined()
    expect(store.freeOctets).toBe(10 * BLOCK)
  })

  it('allocates memory for what waits at once, not for its capacity, and not again for what waits later', () => {
    const store = new PacketStore<number>(2 ** 40)
    const buffers = new Set<ArrayBufferLike>()
    for (let i = 0; i < 10_000; i++) {
      const handle = store.put(numbered(1_400, i), 0, 1_400, i, 0)!
      buffers.add(store.bufferOf(handle).buffer)
      store.free(handle)
    }
    expect([...buffers].map((buffer) => buffer.byteLength)).toEqual([256 * BLOCK])
  })

  it('holds no owner of a packet that is gone', () => {
    const store = new PacketStore<object>(1 << 20)
    const handle = store.put(numbered(5_000, 1), 0, 5_000, {}, 0)!
    store.free(handle)
    expect(store.ownerOf(handle)).toBeUndefined()
  })

  it('packets are chained by their queue, and a packet in several blocks like any other', () => {
    const store = new PacketStore<number>(1 << 20)
    const handles = [100, 65_535, 2_048].map((length, i) => store.put(numbered(length, i), 0, length, i, 0)!)
    store.chain(handles[0]!, handles[1]!)
    store.chain(handles[1]!, handles[2]!)
    expect(handles.map((handle) => store.successorOf(handle))).toEqual([handles[1], handles[2], undefined])
    store.free(handles[0]!)
    const again = store.put(numbered(50, 9), 0, 50, 9, 0)!
    expect(store.successorOf(again)).toBeUndefined()
    expect(store.successorOf(handles[1]!)).toBe(handles[2])
  })
})

function expectHeld(store: PacketStore<number>, handle: PacketHandle, length: number, mark: number): void {
  expect([store.lengthOf(handle), store.ownerOf(handle), store.arrivalOf(handle)]).toEqual([length, mark, mark])
  const [got, expected] = [read(store, handle, 0), numbered(length, mark)]
  // One comparison, not one for each octet.
  if (got.some((octet, at) => octet !== expected[at])) expect(got).toEqual(expected)
}

function read(store: PacketStore<unknown>, handle: PacketHandle, at: number): Uint8Array {
  const target = new Uint8Array(at + store.lengthOf(handle))
  store.copyTo(handle, target, at)
  return target
}

/** Octets that tell packets and places in them apart. */
function numbered(length: number, mark: number): Uint8Array {
  const packet = new Uint8Array(length)
  for (let i = 0; i < length; i++) packet[i] = (i * 7 + (i >> 8) + mark * 31) & 0xff
  return packet
}
