import { createCipheriv, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Aead, ESP_TRANSFORMS, type EspTransform, espTransform } from '../src/index.ts'
import { hex, octets, PROVIDERS, Seeded } from './support.ts'

const SIZES = [0, 16, 32, 64, 1408, 4096] as const
const SPI_AND_NUMBER = octets('c0ffee0100000007')
const WITH_ESN = octets('c0ffee010000000300000007')

/** What `seal` makes of the same key, IV and plaintext. */
function sealed(aead: Aead, aad: Uint8Array, length: number): string {
  const seeded = new Seeded(length)
  const iv = seeded.octets(aead.ivLength)
  const buffer = new Uint8Array(length + aead.icvLength)
  buffer.set(seeded.octets(length))
  aead.seal(iv, aad, aad.length, buffer, 0, length)
  return hex(buffer)
}

describe.each(ESP_TRANSFORMS)('$name', (transform) => {
  const providers = PROVIDERS.filter((provider) => provider.supports(transform))
  const keymat = new Seeded(7).octets(transform.keymatLength)

  it('every provider makes the same octets, with and without ESN', () => {
    expect(providers.length).toBeGreaterThan(0)
    const aeads = providers.map((provider) => provider.create(transform, keymat))
    for (const length of SIZES) {
      for (const aad of [SPI_AND_NUMBER, WITH_ESN]) {
        const results = aeads.map((aead) => sealed(aead, aad, length))
        expect(new Set(results).size).toBe(1)
      }
    }
  })

  it('an Aead is not worn out: interleaved and repeated calls agree with fresh ones', () => {
    for (const provider of providers) {
      const aead = provider.create(transform, keymat)
      const forged = new Uint8Array(32 + transform.icvLength)
      for (let round = 0; round < 3; round++) {
        for (const length of SIZES) {
          expect(sealed(aead, WITH_ESN, length)).toBe(sealed(provider.create(transform, keymat), WITH_ESN, length))
          expect(aead.open(new Uint8Array(aead.ivLength), WITH_ESN, 12, forged, 0, 32)).toBe(false)
        }
      }
    }
  })

  it('from one place to another is the same as in place, and leaves the source as it was', () => {
    for (const provider of providers) {
      const aead = provider.create(transform, keymat)
      if (aead.sealFrom === undefined || aead.openFrom === undefined) continue
      for (const length of SIZES) {
        const seeded = new Seeded(length)
        const iv = seeded.octets(aead.ivLength)
        const source = new Uint8Array([1, 2, 3, ...seeded.octets(length), 4])
        const before = hex(source)
        const wire = new Uint8Array(5 + length + aead.icvLength)
        aead.sealFrom(iv, WITH_ESN, 12, source, 3, length, wire, 5)
        expect(hex(wire.subarray(5))).toBe(sealed(aead, WITH_ESN, length))
        const onWire = hex(wire)
        const back = new Uint8Array(length + 4).fill(4)
        back.set([1, 2, 3])
        expect(aead.openFrom(iv, WITH_ESN, 12, wire, 5, length, back, 3)).toBe(true)
        expect([hex(back), hex(source), hex(wire)]).toEqual([before, before, onWire])
        wire[wire.length - 1]! ^= 1
        expect(aead.openFrom(iv, WITH_ESN, 12, wire, 5, length, back, 3)).toBe(false)
      }
    }
  })

  it('the first aadLength octets are the associated data, whatever follows', () => {
    for (const provider of providers) {
      const aead = provider.create(transform, keymat)
      const iv = new Uint8Array(aead.ivLength)
      const [a, b] = [new Uint8Array(32 + transform.icvLength), new Uint8Array(32 + transform.icvLength)]
      aead.seal(iv, SPI_AND_NUMBER, 8, a, 0, 32)
      aead.seal(iv, octets('c0ffee0100000007ffffffff'), 8, b, 0, 32)
      expect(hex(a)).toBe(hex(b))
    }
  })
})

describe.each(PROVIDERS)('what the ICV covers, $name', (provider) => {
  it('RFC 4543 §3.3: GMAC covers SPI, number, IV and payload, and encrypts nothing', () => {
    const transform = espTransform(21, 256, undefined)!
    const keymat = new Seeded(3).octets(36)
    const iv = octets('0000000000000001')
    for (const aad of [SPI_AND_NUMBER, WITH_ESN]) {
      const payload = new Seeded(4).octets(100)
      const buffer = new Uint8Array([...payload, ...new Uint8Array(16)])
      provider.create(transform, keymat).seal(iv, aad, aad.length, buffer, 0, 100)
      const oracle = createCipheriv('aes-256-gcm', keymat.subarray(0, 32), new Uint8Array([...keymat.subarray(32), ...iv]))
      oracle.setAAD(new Uint8Array([...aad, ...iv, ...payload]))
      oracle.final()
      expect(hex(buffer)).toBe(hex(payload) + oracle.getAuthTag().toString('hex'))
    }
  })

  for (const [integrity, hash, keyLength, icvLength] of [
    [2, 'sha1', 20, 12],
    [12, 'sha256', 32, 16],
    [13, 'sha384', 48, 24],
    [14, 'sha512', 64, 32],
  ] as const) {
    it(`RFC 4303 §3.3.2.1: HMAC-${hash} covers SPI, number, IV, ciphertext, and the high half of an ESN last`, () => {
      const transform: EspTransform = espTransform(12, 128, integrity)!
      const keymat = new Seeded(5).octets(16 + keyLength)
      const iv = new Seeded(6).octets(16)
      for (const [aad, before, after] of [
        [SPI_AND_NUMBER, 'c0ffee0100000007', ''],
        [WITH_ESN, 'c0ffee0100000007', '00000003'],
      ] as const) {
        const buffer = new Uint8Array(64 + icvLength)
        provider.create(transform, keymat).seal(iv, aad, aad.length, buffer, 0, 64)
        const cbc = createCipheriv('aes-128-cbc', keymat.subarray(0, 16), iv).setAutoPadding(false)
        const ciphertext = cbc.update(new Uint8Array(64))
        expect(hex(buffer.subarray(0, 64))).toBe(ciphertext.toString('hex'))
        const oracle = createHmac(hash, keymat.subarray(16)).update(octets(before)).update(iv).update(ciphertext).update(octets(after))
        expect(hex(buffer.subarray(64))).toBe(oracle.digest('hex').slice(0, icvLength * 2))
      }
    })
  }
})
