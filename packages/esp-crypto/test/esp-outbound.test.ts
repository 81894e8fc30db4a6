import { describe, expect, it } from 'vitest'
import { ESP_TRANSFORMS, EspCryptoError, EspDrop, EspOutbound, espTransform, NextHeader, nobleProvider } from '../src/index.ts'
import { GCM_256, hex, ipv4, ipv6, octets, open, PROVIDERS, Seeded, SPI, sa, seal } from './support.ts'

const M = 0xffffffff
const CBC = espTransform(12, 128, 12)!
const CHACHA20 = espTransform(28, undefined, undefined)!

describe('RFC 4303 §3.3.3 (E-1): sequence numbers', () => {
  it('start at 1 and increment', () => {
    const { outbound } = sa()
    expect([1, 2, 3].map(() => hex(seal(outbound, ipv4(20)).subarray(4, 8)))).toEqual(['00000001', '00000002', '00000003'])
    expect([outbound.sequenceHigh, outbound.sequenceLow, outbound.packets, outbound.octets]).toEqual([0, 3, 3, 60])
  })

  it('32-bit numbers never cycle', () => {
    const { outbound } = sa({ sequence: { high: 0, low: M - 2 } })
    const wire = new Uint8Array(200)
    expect(outbound.sequenceRemaining).toBe(2)
    expect(outbound.encapsulate(ipv4(20), 0, 20, 4, wire, 0)).toBeGreaterThan(0)
    expect(outbound.encapsulate(ipv4(20), 0, 20, 4, wire, 0)).toBeGreaterThan(0)
    wire.fill(0)
    for (let i = 0; i < 3; i++) expect(outbound.encapsulate(ipv4(20), 0, 20, 4, wire, 0)).toBe(EspDrop.SEQUENCE_EXHAUSTED)
    expect(wire.every((octet) => octet === 0)).toBe(true)
    expect([outbound.sequenceLow, outbound.sequenceRemaining, outbound.packets]).toEqual([M, 0, 2])
  })

  it('64-bit numbers carry into the high half, and never cycle either', () => {
    const { outbound } = sa({ esn: true, sequence: { high: 4, low: M } })
    expect(hex(seal(outbound, ipv4(20)).subarray(4, 16))).toBe('000000000000000500000000')
    expect([outbound.sequenceHigh, outbound.sequenceLow]).toEqual([5, 0])
    const last = sa({ esn: true, sequence: { high: M, low: M } }).outbound
    expect(last.encapsulate(ipv4(20), 0, 20, 4, new Uint8Array(200), 0)).toBe(EspDrop.SEQUENCE_EXHAUSTED)
  })

  it('refuse to be continued from what is no number', () => {
    for (const [esn, high, low] of [
      [false, 1, 0],
      [true, 0, 2 ** 32],
      [true, -1, 0],
      [true, 0, 0.5],
    ] as const) {
      expect(() => sa({ esn, sequence: { high, low } })).toThrow(/SEQUENCE_OUT_OF_RANGE/)
    }
  })
})

describe('RFC 4303 §2: the packet', () => {
  it('§2.4 (E-3): padding is 1, 2, 3… and right-aligns Pad Length and Next Header', () => {
    const transform = espTransform(11, undefined, 12)!
    for (let size = 20; size < 24; size++) {
      const { outbound } = sa({ transform })
      const wire = seal(outbound, ipv4(size))
      const padLength = (4 - ((size + 2) % 4)) % 4
      expect(hex(wire.subarray(8 + size, -16))).toBe(`${'010203'.slice(0, padLength * 2)}0${padLength}04`)
      expect(hex(wire.subarray(8, 8 + size))).toBe(hex(ipv4(size)))
    }
  })

  it('§2.4: CBC pads to whole blocks', () => {
    const { outbound } = sa({ transform: CBC })
    for (let size = 0; size < 40; size++) {
      expect((size + outbound.overhead(size) - 8 - 16 - 16) % 16).toBe(0)
      expect(outbound.overhead(size)).toBeLessThan(8 + 16 + 16 + 2 + 16)
    }
  })

  it('overhead is exact: AES-GCM of 1,400 octets', () => {
    expect(sa().outbound.overhead(1400)).toBe(8 + 8 + 2 + 2 + 16)
    expect(sa({ transform: espTransform(30, 256, undefined)! }).outbound.overhead(1400)).toBe(8 + 2 + 2 + 16)
  })

  it('§2.6 (E-4): dummy packets can be sent, and are dropped without a word', () => {
    const { outbound, inbound } = sa()
    for (const length of [0, 1, 500]) {
      expect(open(inbound, seal(outbound, new Seeded(1).octets(length), NextHeader.NO_NEXT_HEADER))).toHaveLength(0)
    }
    expect(inbound.counters).toMatchObject({ dummies: 3, packets: 0, inner: 0, nextHeader: 0 })
  })

  it('§2.7 (E-5, the stripping): TFC padding that a caller asks for is zeroes after the payload, and stripped by the inner length', () => {
    for (const [packet, nextHeader] of [
      [ipv4(77), 4],
      [ipv6(77), 41],
    ] as const) {
      const { outbound, inbound } = sa()
      for (const tfcLength of [1, 255, 256, 1000]) {
        const wire = seal(outbound, packet, nextHeader, tfcLength)
        expect(wire.length).toBeGreaterThanOrEqual(77 + tfcLength + 34)
        expect(hex(open(inbound, wire) as Uint8Array)).toBe(hex(packet))
      }
    }
  })
})

describe('(E-9): IVs', () => {
  const counterTransforms = ESP_TRANSFORMS.filter((row) => row.saltLength > 0 && !row.hasImplicitIv)
  it.each(counterTransforms)('RFC 4106 §3.1, RFC 4309 §3.1, RFC 7634 §2, RFC 4543 §3.1: unique for the key of $name', (transform) => {
    const seen = new Set<string>()
    // Across the carry into the high half too, where a 32-bit counter would repeat.
    const { outbound } = sa({ transform, esn: true, sequence: { high: 0, low: M - 100 } })
    for (let i = 0; i < 200; i++) seen.add(hex(seal(outbound, ipv4(20)).subarray(8, 16)))
    expect(seen.size).toBe(200)
  })

  it('are the 64-bit sequence number', () => {
    const { outbound } = sa({ transform: CHACHA20, esn: true, sequence: { high: 2, low: 8 } })
    expect(hex(seal(outbound, ipv4(20)).subarray(8, 16))).toBe('0000000200000009')
  })

  it('RFC 8750 §4 (E-10): implicit ones are as well, are not sent, and open on the other side', () => {
    for (const encryption of [29, 30, 31]) {
      const transform = espTransform(encryption, encryption === 31 ? undefined : 128, undefined)!
      const explicit = espTransform({ 29: 14, 30: 20, 31: 28 }[encryption]!, transform.keyLength, undefined)!
      for (const esn of [false, true]) {
        const sequence = { high: esn ? 7 : 0, low: 40 }
        const implicitWire = seal(sa({ transform, esn, sequence }).outbound, ipv4(60))
        const explicitWire = seal(sa({ transform: explicit, esn, sequence }).outbound, ipv4(60))
        expect(hex(implicitWire)).toBe(hex(explicitWire.subarray(0, 8)) + hex(explicitWire.subarray(16)))
        const { inbound } = sa({ transform, esn })
        if (esn) inbound.replayWindow.accept(7, 1)
        expect(hex(open(inbound, implicitWire) as Uint8Array)).toBe(hex(ipv4(60)))
      }
    }
  })

  it('RFC 3602 §3: of CBC come from the random source, one each packet', () => {
    const drawn: string[] = []
    const outbound = new EspOutbound({
      spi: SPI,
      transform: CBC,
      aead: nobleProvider.create(CBC, new Uint8Array(48)),
      esn: false,
      random: (target) => {
        target.fill(drawn.length + 1)
        drawn.push(hex(target))
      },
    })
    const sent = [1, 2, 3].map(() => hex(seal(outbound, ipv4(20)).subarray(8, 24)))
    expect(sent).toEqual(['01'.repeat(16), '02'.repeat(16), '03'.repeat(16)])
    expect(drawn).toEqual(sent)
  })

  it('RFC 3602 §3: CBC without a random source is refused', () => {
    const aead = nobleProvider.create(CBC, new Uint8Array(48))
    expect(() => new EspOutbound({ spi: SPI, transform: CBC, aead, esn: false })).toThrow(/RANDOM_REQUIRED/)
  })

  it('a random source does not get to choose the IVs of a counter mode', () => {
    const aead = nobleProvider.create(GCM_256, new Uint8Array(36))
    const random = () => expect.unreachable()
    const outbound = new EspOutbound({ spi: SPI, transform: GCM_256, aead, esn: false, random })
    expect(hex(seal(outbound, ipv4(20)).subarray(8, 16))).toBe('0000000000000001')
  })
})

describe('RFC 4303 §2.4 (E-3): the room behind a payload', () => {
  it.each(PROVIDERS)('makes no difference to what is sent, and nothing in front of or behind it is touched, $name', (provider) => {
    for (const transform of ESP_TRANSFORMS.filter((each) => provider.supports(each) && each.cipher !== 'AES-CBC')) {
      for (const [length, tfcLength] of [
        [20, 0],
        [61, 0],
        [1337, 0],
        [60, 33],
      ] as const) {
        const expected = seal(sa({ provider, transform }).outbound, ipv4(length), 4, tfcLength)
        const { outbound } = sa({ provider, transform })
        for (const tailroom of [0, 3, 64]) {
          const source = new Uint8Array(10 + length + 64 + 5).fill(0xee)
          source.set(ipv4(length), 10)
          const wire = new Uint8Array(expected.length + 2).fill(0xdd)
          const again = tailroom === 0 ? outbound : sa({ provider, transform }).outbound
          const written = again.encapsulate(source, 10, length, 4, wire, 1, tfcLength, tailroom)
          expect(hex(wire)).toBe(`dd${hex(expected)}dd`)
          expect(written).toBe(expected.length)
          expect(hex(source.subarray(0, 10 + length))).toBe('ee'.repeat(10) + hex(ipv4(length)))
          expect(hex(source.subarray(10 + length + tailroom))).toBe('ee'.repeat(64 + 5 - tailroom))
        }
      }
    }
  })
})

describe('parameters', () => {
  const aead = nobleProvider.create(GCM_256, new Uint8Array(36))

  it('RFC 4303 §2.1: the SPI is not 0', () => {
    for (const spi of [0, -1, 2 ** 32, 1.5]) {
      expect(() => new EspOutbound({ spi, transform: GCM_256, aead, esn: false })).toThrow(/SPI_OUT_OF_RANGE/)
    }
  })

  it('an Aead of another transform is refused', () => {
    for (const transform of [CBC, espTransform(18, 256, undefined)!]) {
      expect(() => new EspOutbound({ spi: SPI, transform, aead, esn: false, random: () => {} })).toThrow(/AEAD_MISMATCH/)
    }
  })

  it('an error has its code and what it is about', () => {
    try {
      nobleProvider.create(GCM_256, octets('00'))
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(EspCryptoError)
      expect(error).toMatchObject({ code: 'KEYMAT_LENGTH', context: { transform: 'ENCR_AES_GCM_16-256', expected: 36, actual: 1 } })
    }
  })
})
