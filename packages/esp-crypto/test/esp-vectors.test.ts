import { describe, expect, it } from 'vitest'
import { EspInbound, EspOutbound, espSpi, espTransform } from '../src/index.ts'
import { hex, octets, open, PROVIDERS, seal, vectors } from './support.ts'

interface Rfc7634 {
  readonly spi: number
  readonly keymat: string
  readonly iv: string
  readonly packet: string
  readonly plaintext: string
  readonly ciphertext: string
  readonly tag: string
  readonly esp: string
}

interface Dpdk {
  readonly packets: readonly {
    readonly name: string
    readonly encryption: number
    readonly keyLength: number
    readonly integrity?: number
    readonly keymat: string
    readonly iv: string
    readonly nextHeader: number
    readonly packet: string
    readonly esp: string
  }[]
}

describe.each(PROVIDERS)('whole ESP packets, $name', (provider) => {
  const chacha20 = espTransform(28, undefined, undefined)!
  const rfc7634 = vectors<Rfc7634>('rfc7634-esp')

  it.skipIf(!provider.supports(chacha20))('RFC 7634 Appendix A: opened', () => {
    const aead = provider.create(chacha20, octets(rfc7634.keymat))
    const inbound = new EspInbound({ spi: rfc7634.spi, transform: chacha20, aead, esn: false, replayWindow: 64 })
    expect(hex(open(inbound, octets(rfc7634.esp)) as Uint8Array)).toBe(rfc7634.packet)
    expect(inbound.nextHeader).toBe(4)
    expect(inbound.replayWindow.topLow).toBe(5)
  })

  it.skipIf(!provider.supports(chacha20))('RFC 7634 Appendix A: sealed', () => {
    const aead = provider.create(chacha20, octets(rfc7634.keymat))
    const buffer = octets(rfc7634.plaintext + '00'.repeat(16))
    aead.seal(octets(rfc7634.iv), octets('0102030400000005'), 8, buffer, 0, rfc7634.plaintext.length / 2)
    expect(hex(buffer)).toBe(rfc7634.ciphertext + rfc7634.tag)
  })

  it.skipIf(!provider.supports(chacha20))(
    'RFC 7634 Appendix A: padded and laid out as printed, but for the IV, which the RFC chose',
    () => {
      const aead = provider.create(chacha20, octets(rfc7634.keymat))
      const outbound = new EspOutbound({ spi: rfc7634.spi, transform: chacha20, aead, esn: false, sequence: { high: 0, low: 4 } })
      const wire = seal(outbound, octets(rfc7634.packet))
      expect(wire).toHaveLength(rfc7634.esp.length / 2)
      expect(hex(wire.subarray(0, 16))).toBe('01020304000000050000000000000005')
      aead.open(wire.subarray(8, 16), wire, 8, wire, 16, wire.length - 32)
      expect(hex(wire.subarray(16, -16))).toBe(rfc7634.plaintext)
    },
  )

  for (const vector of vectors<Dpdk>('dpdk-esp').packets) {
    const transform = espTransform(vector.encryption, vector.keyLength, vector.integrity)!
    const wire = octets(vector.esp)
    const spi = espSpi(wire, 0)

    it.skipIf(!provider.supports(transform))(`RFC 4303 §3.4: ${vector.name} is opened`, () => {
      const aead = provider.create(transform, octets(vector.keymat))
      const inbound = new EspInbound({ spi, transform, aead, esn: false, replayWindow: 64 })
      expect(hex(open(inbound, wire) as Uint8Array)).toBe(vector.packet)
      expect(inbound.nextHeader).toBe(vector.nextHeader)
      expect(hex(wire)).toBe(vector.esp)
    })

    it.skipIf(!provider.supports(transform))(`RFC 4303 §3.3: ${vector.name} is sealed`, () => {
      const aead = provider.create(transform, octets(vector.keymat))
      const iv = octets(vector.iv)
      if (transform.cipher === 'AES-CBC') {
        const outbound = new EspOutbound({ spi, transform, aead, esn: false, random: (target) => target.set(iv) })
        expect(hex(seal(outbound, octets(vector.packet), vector.nextHeader))).toBe(vector.esp)
        return
      }
      // The IV of a counter mode is ours to choose, so the vector's goes in by hand.
      const padLength = (4 - ((vector.packet.length / 2 + 2) % 4)) % 4
      const padding = '010203'.slice(0, padLength * 2)
      const plaintext = `${vector.packet}${padding}0${padLength}${vector.nextHeader.toString(16).padStart(2, '0')}`
      const buffer = octets(plaintext + '00'.repeat(transform.icvLength))
      aead.seal(iv, wire, 8, buffer, 0, plaintext.length / 2)
      expect(vector.esp.slice(0, 16) + vector.iv + hex(buffer)).toBe(vector.esp)
    })
  }
})
