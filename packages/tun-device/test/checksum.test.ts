import { describe, expect, it } from 'vitest'
import { checksumOf, fold, pseudoHeaderSum, storeChecksum, storeIpv4HeaderChecksum } from '../src/checksum.ts'
import { createPacketMemory } from '../src/packet-memory.ts'
import { octets, pseudoHeader, seeded, slowChecksum, tcpPacket, udpPacket } from './packets.ts'

/** checksumOf() in the form of slowChecksum(): complemented, network order. */
function checksum(view: Uint8Array, offset: number, length: number): number {
  const stored = new Uint8Array(2)
  storeChecksum(stored, 0, checksumOf(view, offset, length))
  return (stored[0] << 8) | stored[1]
}

/** Where the octets that are summed may lie, `fill` in it. */
const MEMORIES = [
  ['an array', (fill: Uint8Array) => fill.slice()],
  [
    'packet memory',
    (fill: Uint8Array) => {
      const memory = createPacketMemory(fill.length)
      memory.set(fill)
      return memory
    },
  ],
] as const

describe.each(MEMORIES)('RFC 1071: the Internet checksum in %s', (_, memoryOf) => {
  it('§3: the example 00 01 f2 03 f4 f5 f6 f7 sums to ddf2', () => {
    const example = memoryOf(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))
    expect(checksum(example, 0, 8)).toBe(~0xddf2 & 0xffff)
  })

  it('is the same at every alignment and length', () => {
    const random = seeded(1)
    const memory = memoryOf(octets(300, random))
    for (let base = 0; base < 4; base++) {
      const view = new Uint8Array(memory.buffer, base)
      for (let offset = 0; offset < 5; offset++) {
        for (let length = 0; length < 70; length++) {
          expect(checksum(view, offset, length), `${base}+${offset}, ${length}`).toBe(slowChecksum(view.slice(offset, offset + length)))
        }
      }
    }
  })

  it('does not overflow on 65,535 octets of 0xff', () => {
    const memory = memoryOf(new Uint8Array(65_540).fill(0xff))
    for (let offset = 0; offset < 4; offset++)
      expect(checksum(memory, offset, 65_535)).toBe(slowChecksum(memory.slice(offset, offset + 65_535)))
  })

  it('(randomised) agrees with the slow way', () => {
    const random = seeded(99)
    const memory = memoryOf(new Uint8Array(3000))
    for (let round = 0; round < 300; round++) {
      memory.set(octets(memory.length, random))
      const offset = random(memory.length)
      const length = random(memory.length - offset + 1)
      expect(checksum(memory, offset, length)).toBe(slowChecksum(memory.slice(offset, offset + length)))
    }
  })
})

describe.each([4, 6] as const)('IPv%i', (version) => {
  it('sums the pseudo-header', () => {
    const random = seeded(5)
    for (const make of [tcpPacket, udpPacket]) {
      const packet = make({ version, source: 200, destination: 9 }, octets(33, random))
      const header = version === 4 ? 20 : 40
      const stored = new Uint8Array(2)
      storeChecksum(stored, 0, pseudoHeaderSum(packet, 0, packet[version === 4 ? 9 : 6], packet.length - header))
      expect((stored[0] << 8) | stored[1]).toBe(slowChecksum(pseudoHeader(packet)))
      const whole = fold(
        pseudoHeaderSum(packet, 0, packet[version === 4 ? 9 : 6], packet.length - header) +
          checksumOf(packet, header, packet.length - header),
      )
      expect(whole).toBe(0xffff)
    }
  })
})

it('RFC 791 §3.1: stores the header checksum', () => {
  const packet = tcpPacket({}, new Uint8Array(4))
  const expected = packet.slice()
  packet[10] = 0xaa
  storeIpv4HeaderChecksum(packet, 0, 20)
  expect(packet).toEqual(expected)
})
