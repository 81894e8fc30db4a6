import { describe, expect, it } from 'vitest'
import { ESP_TRANSFORMS, EspDrop, type EspTransform } from '../src/index.ts'
import { hex, ipv4, open, PROVIDERS, Seeded, sa, seal } from './support.ts'

const CASES = PROVIDERS.flatMap((provider) =>
  ESP_TRANSFORMS.filter((transform) => provider.supports(transform)).map((transform) => ({ provider, transform })),
)

function alignment(transform: EspTransform): number {
  return Math.max(4, transform.blockLength)
}

describe.each(CASES)('RFC 4303 §3: $provider.name, $transform.name', ({ provider, transform }) => {
  it('(E-3): any size from 0 to 9000 comes back, 32- and 64-bit numbers', () => {
    const seeded = new Seeded(transform.encryption)
    const sizes = [0, 1, 2, 13, 14, 15, 16, 17, 1400, 9000, ...Array.from({ length: 6 }, () => seeded.below(9001))]
    for (const esn of [false, true]) {
      const { outbound, inbound } = sa({ provider, transform, esn, mode: 'transport' })
      for (const size of sizes) {
        const packet = seeded.octets(size)
        const wire = seal(outbound, packet, 17)
        expect((wire.length - 8 - transform.ivLength - transform.icvLength) % alignment(transform)).toBe(0)
        const before = hex(wire)
        expect(hex(open(inbound, wire) as Uint8Array)).toBe(hex(packet))
        expect(hex(wire)).toBe(before)
        expect(inbound.nextHeader).toBe(17)
      }
      expect(inbound.counters).toMatchObject({ packets: sizes.length, icv: 0, replay: 0, padding: 0 })
    }
  })

  it('§3.4.4 (E-8): any bit flipped is a drop, nothing of the plaintext is left, and the packet itself still passes', () => {
    const { outbound, inbound } = sa({ provider, transform, esn: true })
    const packet = ipv4(37)
    const wire = seal(outbound, packet)
    for (let bit = 0; bit < wire.length * 8; bit++) {
      const forged = wire.slice()
      forged[bit >>> 3]! ^= 1 << (bit & 7)
      const payload = new Uint8Array(wire.length)
      const result = inbound.decapsulate(forged, 0, forged.length, payload, 0)
      if (result >= 0 || hex(payload).includes(hex(packet.subarray(4, 20)))) expect([bit, result, hex(payload)]).toEqual('a drop')
      const isSpi = bit < 32
      if (isSpi) expect(result).toBe(EspDrop.SPI)
      else expect([EspDrop.ICV, EspDrop.REPLAY]).toContain(result)
    }
    expect(inbound.counters.packets).toBe(0)
    expect(hex(open(inbound, wire) as Uint8Array)).toBe(hex(packet))
  })

  it('truncated at every length, or longer: a drop, never an exception', () => {
    const { outbound, inbound } = sa({ provider, transform })
    const wire = seal(outbound, ipv4(60))
    for (let length = 0; length < wire.length; length++) expect(open(inbound, wire.slice(0, length))).toBeLessThan(0)
    for (const extra of [1, 4, 16]) expect(open(inbound, new Uint8Array([...wire, ...new Uint8Array(extra)]))).toBeLessThan(0)
    expect(hex(open(inbound, wire) as Uint8Array)).toBe(hex(ipv4(60)))
  })

  it('§3.4.3 (E-2): a replay is a drop', () => {
    const { outbound, inbound } = sa({ provider, transform })
    const wires = [1, 2, 3].map((seed) => seal(outbound, ipv4(40, seed)))
    for (const wire of [wires[2]!, wires[0]!, wires[1]!]) expect(open(inbound, wire)).toHaveLength(40)
    for (const wire of wires) expect(open(inbound, wire)).toBe(EspDrop.REPLAY)
    expect(inbound.counters).toMatchObject({ packets: 3, replay: 3, icv: 0 })
  })

  it('works at any offset of larger buffers, and in place', () => {
    const { outbound, inbound } = sa({ provider, transform })
    const packet = ipv4(333)
    const buffer = new Uint8Array(2048).fill(0xaa)
    for (const start of [0, 2, 7]) {
      const payload = start + 8 + transform.ivLength
      buffer.set(packet, payload)
      const written = outbound.encapsulate(buffer, payload, packet.length, 4, buffer, start)
      expect(written).toBe(packet.length + outbound.overhead(packet.length))
      expect(buffer[start + written]).toBe(0xaa)
      const at = start + 1000
      buffer.copyWithin(at, start, start + written)
      expect(inbound.decapsulate(buffer, at, written, buffer, at + 8 + transform.ivLength)).toBe(packet.length)
      expect(hex(buffer.subarray(at + 8 + transform.ivLength, at + 8 + transform.ivLength + packet.length))).toBe(hex(packet))
      buffer.fill(0xaa)
    }
  })
})
