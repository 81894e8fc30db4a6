import { addressOf, Errno, type Libc, loadLibc } from '@underpass/native'
import { describe, expect, it } from 'vitest'
import { packetsOf } from '../src/packet-batch.ts'
import { PacketReader } from '../src/packet-reader.ts'
import { createCounters } from '../src/tun-device.ts'
import { faults, octets, pseudoHeader, seeded, slowChecksum, tcpPacket } from './packets.ts'

const random = seeded(7)
const LARGEST = 65_498

/** A packet as the kernel hands it over, its checksum partial, behind a virtio_net_hdr: `gsoSize` 0 for a whole one. */
function frame(packet: Uint8Array, gsoSize = 0): Uint8Array {
  const header = new DataView(new ArrayBuffer(10))
  header.setUint8(0, 1)
  header.setUint8(1, gsoSize === 0 ? 0 : 1)
  header.setUint16(4, gsoSize, true)
  header.setUint16(6, 20, true)
  header.setUint16(8, 16, true)
  const whole = new Uint8Array(10 + packet.length)
  whole.set(new Uint8Array(header.buffer))
  whole.set(packet, 10)
  new DataView(whole.buffer).setUint16(10 + 20 + 16, ~slowChecksum(pseudoHeader(packet)) & 0xffff)
  return whole
}

/** A reader of a descriptor that has these frames, one a read. */
function readerOf(mtu: number, frames: readonly Uint8Array[]) {
  const left = [...frames]
  const places: number[] = []
  const libc: Libc = {
    ...loadLibc(),
    readTo: (fd, address, length) => libc.read(fd, reader.batch.buffer, address - addressOf(reader.batch.buffer), length),
    read(_fd, buffer, offset, length) {
      const next = left.shift()
      if (next === undefined) return -Errno.EAGAIN
      places.push(offset)
      buffer.set(next.subarray(0, length), offset)
      return Math.min(length, next.length)
    },
  }
  const counters = createCounters()
  const reader: PacketReader = new PacketReader(
    libc,
    -1,
    { linkLength: 0, hasVirtioHeader: true, takesUdpSuperPackets: true, takesLongSuperPackets: false, mtu },
    counters,
  )
  return { reader, counters, places }
}

const whole = (length: number) => tcpPacket({}, octets(length - 40, random))

// The rest of libc is the real one, which is Linux's; CI runs on it.
describe.runIf(process.platform === 'linux').each([1400, LARGEST])('a reader for an MTU of %i', (mtu) => {
  it('delivers whole packets and the pieces of super-packets in their order, checksums complete', () => {
    const super3 = tcpPacket({ sequence: 100 }, octets(2500, random))
    const { reader, counters } = readerOf(mtu, [frame(whole(1400)), frame(super3, 1000), frame(whole(52))])
    expect(reader.fill()).toBe('empty')
    const packets = packetsOf(reader.batch)
    expect(packets.map((packet) => packet.length)).toEqual([1400, 1040, 1040, 540, 52])
    expect(packets.flatMap(faults)).toEqual([])
    expect(Uint8Array.of(...packets.slice(1, 4).flatMap((packet) => [...packet.subarray(40)]))).toEqual(super3.subarray(40))
    expect(counters).toMatchObject({ reads: 3, packetsRead: 5, readDrops: 0 })
  })

  it('drops what is no IP packet, and goes on', () => {
    const { reader, counters } = readerOf(mtu, [frame(whole(100)).fill(0, 10), frame(whole(100))])
    expect(reader.fill()).toBe('empty')
    expect(packetsOf(reader.batch).map(faults)).toEqual([[]])
    expect(counters).toMatchObject({ readDrops: 1, packetsRead: 1 })
  })
})

describe.runIf(process.platform === 'linux')('a reader for packets that are as long as super-packets', () => {
  it('reads each into its own place, and no more of them than there is room for', () => {
    const sent = Array.from({ length: 20 }, () => whole(LARGEST))
    const { reader, places } = readerOf(
      LARGEST,
      sent.map((packet) => frame(packet)),
    )
    const received: Uint8Array[] = []
    for (let turn = 0; received.length < sent.length && turn < sent.length; turn++) {
      places.length = 0
      expect(reader.fill()).toBe(received.length + reader.batch.count < sent.length ? 'full' : 'empty')
      // Where it was read to is where it lies: behind its virtio_net_hdr of 10 octets.
      expect(Array.from(reader.batch.offsets.subarray(0, reader.batch.count), (at) => at - 10)).toEqual(places)
      received.push(...packetsOf(reader.batch))
    }
    expect(received).toEqual(sent)
  })
})
