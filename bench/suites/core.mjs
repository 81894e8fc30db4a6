// From one core's TUN over the wire to the other core's TUN, both in this thread: SPD, seal, frame; deframe, open, selector check.
import { createClient, createGateway, Pair } from '../lib/cores.mjs'
import { interleave, spread } from '../lib/measure.mjs'
import { batchOf, udpPacket } from '../lib/packets.mjs'
import { fastestProvider, noCipher } from '../lib/providers.mjs'

export function run({ quick }) {
  const provider = fastestProvider()
  const cases = []
  for (const transport of ['tcp', 'udp'])
    for (const size of [64, 1400]) for (const cipher of [provider, noCipher]) cases.push(passing(transport, size, 64, cipher))
  for (const transport of ['tcp', 'udp']) cases.push(passing(transport, 64, 1, provider))
  const results = interleave(cases, quick ? { rounds: 3, milliseconds: 100 } : { rounds: 9, milliseconds: 300 })
  return {
    rows: results.map(({ case: { labels, work }, perSecond, perCpuSecond }) => ({
      ...labels,
      perSecond,
      perCpuSecond,
      ...(globalThis.gc === undefined ? {} : allocation(work)),
    })),
    notes: globalThis.gc === undefined ? ['Allocation is counted where the runtime lets us ask for a collection (--expose-gc).'] : [],
  }
}

function passing(transport, size, batch, provider) {
  const gateway = createGateway({ provider })
  const pair = new Pair(gateway, createClient({ name: 'client', provider, transport })).connect()
  const packets = batchOf(Array.from({ length: batch }, () => udpPacket(pair.assigned, '10.2.0.1', size)))
  const times = Math.ceil(256 / batch)
  return {
    labels: { transport, size, batch, provider: provider.name },
    work() {
      const before = pair.received
      for (let i = 0; i < times; i++) pair.send(packets)
      if (pair.received - before !== times * batch) throw new Error(`${transport}: packets were lost`)
      return times * batch
    },
  }
}

/** Octets a packet leaves behind on the heap and in array buffers. Runs in which a collection came between do not count. */
function allocation(work) {
  const heap = []
  const arrayBuffers = []
  for (let i = 0; i < 12 && heap.length < 5; i++) {
    globalThis.gc()
    const before = process.memoryUsage()
    let packets = 0
    while (packets < 10_000) packets += work()
    const after = process.memoryUsage()
    if (after.heapUsed <= before.heapUsed || after.arrayBuffers < before.arrayBuffers) continue
    heap.push((after.heapUsed - before.heapUsed) / packets)
    arrayBuffers.push((after.arrayBuffers - before.arrayBuffers) / packets)
  }
  return heap.length === 0 ? {} : { heapPerPacket: spread(heap), arrayBuffersPerPacket: spread(arrayBuffers) }
}
