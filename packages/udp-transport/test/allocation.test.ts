import { expect, it } from 'vitest'
import { openUdp } from '../src/index.ts'

const ROUNDS = 40
const PACKETS = 128
// The heap figure of Bun is that of the last collection, and Deno's moves with what its own threads do.
const hasExactHeap = process.versions['bun'] === undefined && process.versions['deno'] === undefined

it.runIf(hasExactHeap)('no allocation per packet: sent in batches, received in batches', async () => {
  let received = 0
  const options = { address: '127.0.0.1', onDatagram: (): void => {}, onError: (): void => {} }
  const right = await openUdp({
    ...options,
    onEspBatch: ({ count }) => {
      received += count
    },
  })
  const left = await openUdp(options)
  const offsets = Uint32Array.from({ length: PACKETS }, (_, i) => i * 1400)
  const batch = { buffer: new Uint8Array(PACKETS * 1400).fill(1), offsets, lengths: new Uint32Array(PACKETS).fill(1400), count: PACKETS }
  // A compiler at work and a collection in between both show in the figure; one undisturbed run is what the code needs.
  let octetsPerPacket = Number.POSITIVE_INFINITY
  for (let i = 0; i < 200 && octetsPerPacket >= 10; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    const before = process.memoryUsage().heapUsed
    const end = received + ROUNDS * PACKETS
    for (let round = 0; round < ROUNDS; round++) {
      left.sendBatch(batch, right.local)
      // A turn of the event loop, in which it is received.
      await new Promise(setImmediate)
    }
    while (received < end) await new Promise(setImmediate)
    const octets = process.memoryUsage().heapUsed - before
    // No figure where garbage was collected meanwhile.
    if (octets >= 0) octetsPerPacket = Math.min(octetsPerPacket, octets / (ROUNDS * PACKETS))
  }
  expect(left.counters.sendDrops).toBe(0)
  // The turns and promises of this test are some of it.
  expect(octetsPerPacket).toBeLessThan(10)
  await Promise.all([left.close(), right.close()])
})
