import { Errno, type Libc, loadLibc } from '@underpass/native'
import { expect, it } from 'vitest'
import { batchOf } from '../src/packet-batch.ts'
import { PacketWriter } from '../src/packet-writer.ts'
import { createCounters } from '../src/tun-device.ts'
import { octets, seeded, tcpPacket, udpPacket } from './packets.ts'

const random = seeded(31)
const UDP_L4 = 5

it.runIf(process.platform === 'linux')('writes datagrams one by one after a kernel before Linux 6.2 refused a UDP super-packet', () => {
  const written: { gsoType: number; vectors: number }[] = []
  // Such a kernel cannot be had here; what it does with the header is all that matters.
  const oldKernel: Libc = {
    ...loadLibc(),
    writev(_fd, _vectors, count) {
      const gsoType = writer.prefix[1]
      written.push({ gsoType, vectors: count })
      return gsoType === UDP_L4 ? -Errno.EINVAL : 100
    },
  }
  const counters = createCounters()
  const layout = { linkLength: 0, hasVirtioHeader: true, takesUdpSuperPackets: true, takesLongSuperPackets: false, mtu: 1500 }
  const writer = new PacketWriter(oldKernel, -1, layout, counters)
  const datagrams = (sourcePort: number): Uint8Array[] => [0, 1, 2].map(() => udpPacket({ sourcePort }, octets(64, random)))
  const segments = [0, 1].map((i) => tcpPacket({ sequence: 1 + i * 50 }, octets(50, random)))
  const single = { gsoType: 0, vectors: 2 }

  writer.write(batchOf([...datagrams(1), ...datagrams(2), ...segments]))
  const refused = { gsoType: UDP_L4, vectors: 4 }
  const tcp = { gsoType: 1, vectors: 3 }
  expect(written).toEqual([refused, single, single, single, refused, single, single, single, tcp])
  expect(counters).toMatchObject({ packetsWritten: 8, writes: 7, writeDrops: 0 })

  written.length = 0
  writer.write(batchOf([...datagrams(1), ...segments]))
  expect(written).toEqual([single, single, single, tcp])
})

// The calls are Linux's, as above; CI runs it.
it.runIf(process.platform === 'linux')(
  'writes segments one by one after the kernel refused a long super-packet, and joins fewer from then on',
  () => {
    const vectors: number[] = []
    let isDown = true
    const short: Libc = {
      ...loadLibc(),
      writev(_fd, _vectors, count) {
        vectors.push(count)
        if (isDown) return -Errno.EIO
        // For want of memory in large pieces.
        return count > 50 ? -Errno.ENOBUFS : 100
      },
    }
    const counters = createCounters()
    const layout = { linkLength: 0, hasVirtioHeader: true, takesUdpSuperPackets: true, takesLongSuperPackets: true, mtu: 1500 }
    const writer = new PacketWriter(short, -1, layout, counters)
    const segments = Array.from({ length: 60 }, (_, i) => tcpPacket({ sequence: 1 + i * 1_400 }, octets(1_400, random)))
    // Of an interface that is down nothing is learnt: the next one is long again.
    writer.write(batchOf(segments))
    expect(vectors).toEqual([61])
    expect(counters).toMatchObject({ packetsWritten: 0, writeDrops: 60 })
    isDown = false
    vectors.length = 0
    writer.write(batchOf(segments))
    expect(vectors).toEqual([61, ...new Array(60).fill(2)])
    expect(counters).toMatchObject({ packetsWritten: 60, writeDrops: 60 })
    vectors.length = 0
    writer.write(batchOf(segments))
    expect(vectors).toEqual([47, 15])
  },
)
