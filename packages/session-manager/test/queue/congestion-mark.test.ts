import { describe, expect, it } from 'vitest'
import { markCongestion } from '../../src/queue/congestion-mark.ts'
import { seededRandom } from '../network.ts'
import { headerChecksum, ipv4Header, setChecksum } from './support.ts'

const NOT_ECT = 0b00
const ECT_1 = 0b01
const ECT_0 = 0b10
const CE = 0b11

describe('RFC 3168 §5 a mark of congestion', () => {
  it.each([
    ['ECT(0)', ECT_0],
    ['ECT(1)', ECT_1],
    ['CE', CE],
  ])('%s becomes CE, in IPv4 and IPv6; the rest of the octet stays', (_name, codepoint) => {
    for (const dscp of [0, 0b101110, 0b111111]) {
      const ipv4 = ipv4Header(40, (dscp << 2) | codepoint)
      expect(markCongestion(ipv4, 0)).toBe(true)
      expect(ipv4[1]).toBe((dscp << 2) | CE)
      const ipv6 = ipv6Header((dscp << 2) | codepoint, 0xabcde)
      expect(markCongestion(ipv6, 0)).toBe(true)
      expect(ipv6).toEqual(ipv6Header((dscp << 2) | CE, 0xabcde))
    }
  })

  it('Not-ECT is left as it is, octet for octet, and said to be unmarked', () => {
    for (const dscp of [0, 0b111111]) {
      for (const packet of [ipv4Header(40, (dscp << 2) | NOT_ECT), ipv6Header((dscp << 2) | NOT_ECT, 0xfffff)]) {
        const before = packet.slice()
        expect(markCongestion(packet, 0)).toBe(false)
        expect(packet).toEqual(before)
      }
    }
  })

  it('RFC 1624 §3: the header checksum is what the whole sum gives, for 20,000 random headers with and without options', () => {
    const random = seededRandom('headers')
    for (let i = 0; i < 20_000; i++) {
      const packet = random(70)
      const offset = packet[69]! % 8
      packet[offset] = 0x40 | (5 + (packet[68]! % 11))
      setChecksum(packet, offset)
      const before = packet.slice()
      const isCapable = (before[offset + 1]! & 3) !== NOT_ECT
      if (markCongestion(packet, offset) !== isCapable) expect.fail(`header ${i}: ${[...before]}`)
      before[offset + 1] = isCapable ? before[offset + 1]! | CE : before[offset + 1]!
      setChecksum(before, offset)
      if (packet.some((octet, at) => octet !== before[at])) expect(packet).toEqual(before)
    }
  })

  it('RFC 1624 §3: also where the sum wraps, for each checksum that a header can have', () => {
    for (const codepoint of [ECT_0, ECT_1, CE]) {
      const packet = ipv4Header(20, codepoint)
      for (let identification = 0; identification <= 0xffff; identification++) {
        packet[1] = codepoint
        packet[4] = identification >> 8
        packet[5] = identification & 0xff
        setChecksum(packet)
        markCongestion(packet, 0)
        if (((packet[10]! << 8) | packet[11]!) !== headerChecksum(packet)) expect.fail(`identification ${identification}`)
      }
    }
  })

  it('a checksum that was wrong stays wrong: nobody repairs what came broken', () => {
    const packet = ipv4Header(20, ECT_0)
    packet[11] = packet[11]! ^ 0x10
    markCongestion(packet, 0)
    expect((packet[10]! << 8) | packet[11]!).not.toBe(headerChecksum(packet))
  })
})

/** RFC 8200 §3: Version, Traffic Class, Flow Label. */
function ipv6Header(trafficClass: number, flowLabel: number): Uint8Array {
  const packet = new Uint8Array(40).fill(0x5a)
  new DataView(packet.buffer).setUint32(0, 0x60000000 + trafficClass * 0x100000 + flowLabel)
  return packet
}
