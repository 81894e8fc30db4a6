// A part of `core`: octets that a packet leaves behind on the heap and in array buffers.
import { spread } from '../lib/measure.mjs'
import { passingCases } from '../lib/passing.mjs'

const PACKETS = 10_240

export function run() {
  return { rows: passingCases().map(({ work }) => allocation(work)), notes: [] }
}

function allocation(work) {
  pass(work)
  const heap = []
  const arrayBuffers = []
  for (let i = 0; i < 5; i++) {
    globalThis.gc()
    const before = process.memoryUsage()
    const packets = pass(work)
    const after = process.memoryUsage()
    heap.push((after.heapUsed - before.heapUsed) / packets)
    arrayBuffers.push((after.arrayBuffers - before.arrayBuffers) / packets)
  }
  return { heapPerPacket: spread(heap), arrayBuffersPerPacket: spread(arrayBuffers) }
}

function pass(work) {
  let packets = 0
  while (packets < PACKETS) packets += work()
  return packets
}
