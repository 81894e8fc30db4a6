import { describe, expect, it } from 'vitest'
import { type Aead, type AeadProvider, ESP_TRANSFORMS, EspCryptoError, type EspTransform, espTransform } from '../src/index.ts'
import { ipsecMbProvider } from '../src/ipsec-mb.ts'
import { hex, ipv4, open, PROVIDERS, Seeded, SPI, sa, seal } from './support.ts'

const provider = load()
const GCM = ESP_TRANSFORMS.filter(({ cipher }) => cipher === 'AES-GCM' || cipher === 'AES-GMAC')

if (typeof provider === 'string') {
  // A reporter may keep quiet about what is skipped.
  console.warn(`The provider ipsec-mb: NOT TESTED here: ${provider}`)
  it.skip(`ipsec-mb: ${provider}`, () => {})
} else testProvider(provider)

function testProvider(provider: AeadProvider): void {
  // noble and, where it is there, openssl.
  const others = PROVIDERS.filter(({ name }) => name === 'noble' || name === 'openssl')

  describe.each(GCM)('$name', (transform) => {
    const keymat = new Seeded(11).octets(transform.keymatLength)
    const aead = provider.create(transform, keymat)

    it.each(others)('RFC 4106 §4, RFC 4543 §3: makes the octets that $name makes, at any length and offset', (other) => {
      const theirs = other.create(transform, keymat)
      const seeded = new Seeded(transform.keymatLength + transform.icvLength)
      for (let i = 0; i < 60; i++) {
        const length = i < 20 ? i : seeded.below(4001)
        const offset = 1 + 2 * seeded.below(20)
        const iv = seeded.octets(8)
        const aad = seeded.octets(i % 2 === 0 ? 8 : 12)
        const payload = seeded.octets(length)
        const buffer = (): Uint8Array => {
          const made = new Uint8Array(offset + length + transform.icvLength + 9).fill(0xee)
          made.set(payload, offset)
          return made
        }
        const [ourBuffer, theirBuffer] = [buffer(), buffer()]
        aead.seal(iv, aad, aad.length, ourBuffer, offset, length)
        theirs.seal(iv, aad, aad.length, theirBuffer, offset, length)
        expect([length, hex(ourBuffer)]).toEqual([length, hex(theirBuffer)])
        copiesAgree(aead, { iv, aad, payload, sealed: ourBuffer.slice(offset, offset + length + transform.icvLength), offset })
        expect(aead.open(iv, aad, aad.length, theirBuffer, offset, length)).toBe(true)
        expect(hex(theirBuffer.subarray(offset, offset + length))).toBe(hex(payload))
      }
    })

    it('RFC 4303 §3.4.4: a packet with any octet changed is dropped, SPI, number, IV, payload and ICV', () => {
      const { outbound, inbound } = sa({ provider, transform, esn: true })
      const packet = ipv4(61)
      const wire = seal(outbound, packet)
      for (let at = 0; at < wire.length; at++) {
        const forged = wire.slice()
        forged[at]! ^= 0x10
        expect([at, typeof open(inbound, forged)]).toEqual([at, 'number'])
      }
      expect(open(inbound, wire)).toEqual(packet)
      expect(hex(wire.subarray(0, 4))).toBe(SPI.toString(16))
    })

    it('throws after free', () => {
      const freed = provider.create(transform, keymat)
      freed.free!()
      freed.free!()
      expect(() => freed.seal(new Uint8Array(8), new Uint8Array(8), 8, new Uint8Array(64), 0, 32)).toThrow(/freed/)
      expect(() => freed.open(new Uint8Array(8), new Uint8Array(8), 8, new Uint8Array(64), 0, 32)).toThrow(/freed/)
    })
  })

  it('leaves the caller’s key material as it was, and refuses a wrong length of it', () => {
    const transform: EspTransform = espTransform(20, 256, undefined)!
    const keymat = new Uint8Array(36).fill(9)
    provider.create(transform, keymat).free!()
    expect(keymat).toEqual(new Uint8Array(36).fill(9))
    expect(() => provider.create(transform, keymat.subarray(1))).toThrow(EspCryptoError)
  })
}

/** From one place to another is the same as in place, both ways, where the transform can. */
function copiesAgree(
  aead: Aead,
  { iv, aad, payload, sealed, offset }: { iv: Uint8Array; aad: Uint8Array; payload: Uint8Array; sealed: Uint8Array; offset: number },
): void {
  if (!aead.sealFrom || !aead.openFrom) return
  const source = new Uint8Array(3 + payload.length)
  source.set(payload, 3)
  const wire = new Uint8Array(offset + sealed.length + 5).fill(0xee)
  aead.sealFrom(iv, aad, aad.length, source, 3, payload.length, wire, offset)
  expect(hex(wire)).toBe('ee'.repeat(offset) + hex(sealed) + 'ee'.repeat(5))
  const back = new Uint8Array(7 + payload.length + 5).fill(0xee)
  expect(aead.openFrom(iv, aad, aad.length, wire, offset, payload.length, back, 7)).toBe(true)
  expect(hex(back)).toBe('ee'.repeat(7) + hex(payload) + 'ee'.repeat(5))
}

function load(): AeadProvider | string {
  try {
    return ipsecMbProvider()
  } catch (error) {
    if (error instanceof EspCryptoError && 'reason' in error.context) return error.context.reason
    throw error
  }
}
