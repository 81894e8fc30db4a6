import { describe, expect, it } from 'vitest'
import { ESP_TRANSFORMS, EspCryptoError, espTransform, nobleProvider } from '../src/index.ts'
import { PROVIDERS } from './support.ts'

describe('RFC 7296 §3.3.2: the transform that was negotiated', () => {
  const rows: readonly (readonly [number, number | undefined, number | undefined, string, number, number, number])[] = [
    [20, 256, undefined, 'ENCR_AES_GCM_16-256', 36, 8, 16],
    [18, 128, 0, 'ENCR_AES_GCM_8-128', 20, 8, 8],
    [14, 192, undefined, 'ENCR_AES_CCM_8-192', 27, 8, 8],
    [28, undefined, undefined, 'ENCR_CHACHA20_POLY1305', 36, 8, 16],
    [21, 128, undefined, 'ENCR_NULL_AUTH_AES_GMAC-128', 20, 8, 16],
    [30, 256, undefined, 'ENCR_AES_GCM_16_IIV-256', 36, 0, 16],
    [12, 128, 12, 'ENCR_AES_CBC-128 AUTH_HMAC_SHA2_256_128', 48, 16, 16],
    [12, 256, 14, 'ENCR_AES_CBC-256 AUTH_HMAC_SHA2_512_256', 96, 16, 32],
    [12, 192, 2, 'ENCR_AES_CBC-192 AUTH_HMAC_SHA1_96', 44, 16, 12],
    [11, undefined, 13, 'ENCR_NULL AUTH_HMAC_SHA2_384_192', 48, 0, 24],
  ]
  for (const [encryption, keyLength, integrity, name, keymatLength, ivLength, icvLength] of rows) {
    it(`${name}: ${keymatLength} octets of KEYMAT`, () => {
      expect(espTransform(encryption, keyLength, integrity)).toMatchObject({ name, keymatLength, ivLength, icvLength })
    })
  }

  it('names and parameters are unique, and every row is found by them', () => {
    expect(new Set(ESP_TRANSFORMS.map((row) => row.name)).size).toBe(ESP_TRANSFORMS.length)
    for (const row of ESP_TRANSFORMS) expect(espTransform(row.encryption, row.keyLength, row.integrity)).toBe(row)
    expect(ESP_TRANSFORMS).toHaveLength(45)
  })

  it('RFC 4303 §3.2 (E-6): NULL encryption without integrity does not exist', () => {
    expect(espTransform(11, undefined, undefined)).toBeUndefined()
    expect(espTransform(11, undefined, 0)).toBeUndefined()
  })

  it('RFC 8221 §6: a cipher without integrity and an AEAD with one do not exist', () => {
    expect(espTransform(12, 256, 0)).toBeUndefined()
    expect(espTransform(20, 256, 12)).toBeUndefined()
  })

  it('AES without a key length, a fixed key with one, and unknown numbers are not ours', () => {
    expect(espTransform(20, undefined, undefined)).toBeUndefined()
    expect(espTransform(20, 160, undefined)).toBeUndefined()
    expect(espTransform(28, 256, undefined)).toBeUndefined()
    expect(espTransform(3, undefined, 12)).toBeUndefined()
    expect(espTransform(65_000, 128, undefined)).toBeUndefined()
  })
})

describe.each(PROVIDERS)('provider $name', (provider) => {
  it('takes KEYMAT of the exact length only', () => {
    for (const transform of ESP_TRANSFORMS.filter((row) => provider.supports(row))) {
      for (const length of [0, transform.keymatLength - 1, transform.keymatLength + 1]) {
        expect(() => provider.create(transform, new Uint8Array(length))).toThrow(EspCryptoError)
      }
      const aead = provider.create(transform, new Uint8Array(transform.keymatLength))
      expect(aead.icvLength).toBe(transform.icvLength)
      expect(aead.ivLength).toBe(transform.hasImplicitIv ? 8 : transform.ivLength)
    }
  })

  it('(E-6): does not make up a NULL transform without integrity', () => {
    const { hash: _, ...nothing } = espTransform(11, undefined, 12)!
    expect(() => provider.create(nothing, new Uint8Array(nothing.keymatLength))).toThrow(/TRANSFORM_UNSUPPORTED/)
  })
})

it('noble has every transform', () => {
  expect(ESP_TRANSFORMS.filter((row) => !nobleProvider.supports(row))).toEqual([])
})
