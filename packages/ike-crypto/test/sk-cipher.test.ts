import { createCipheriv, getCiphers } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type SkCipher, type SkKeys, skCipher } from '../src/index.ts'
import { hex, seeded, toHex } from './hex.ts'
import rfc4868 from './vectors/rfc4868.json' with { type: 'json' }
import rfc7634 from './vectors/rfc7634-ike.json' with { type: 'json' }
import openssl from './vectors/sk-cipher.json' with { type: 'json' }

const AES = [128, 192, 256]
const ALL: readonly SkCipher[] = [
  ...[14, 15, 16, 18, 19, 20].flatMap((id) => AES.map((bits) => skCipher(id, bits, undefined)!)),
  skCipher(28, undefined, undefined)!,
  ...[2, 12, 13, 14].flatMap((integrity) => AES.map((bits) => skCipher(12, bits, integrity)!)),
]

describe('RFC 7634 Appendix B: an INFORMATIONAL request under ChaCha20-Poly1305 (C-31)', () => {
  const cipher = skCipher(28, undefined, undefined)!
  const keys = { encryption: hex(rfc7634.key + rfc7634.salt), integrity: hex('') }
  const [iv, aad] = [hex(rfc7634.iv), hex(rfc7634.aad)]

  it('seals to the message of the RFC', () => {
    const sealed = cipher.seal(keys, iv, aad, hex(rfc7634.plaintext))
    expect(rfc7634.aad + rfc7634.iv + toHex(sealed)).toBe(rfc7634.message)
  })

  it('opens the message of the RFC', () => {
    const sealed = hex(rfc7634.message).subarray(aad.length + iv.length)
    expect(toHex(cipher.open(keys, iv, aad, sealed)!)).toBe(rfc7634.plaintext)
  })
})

describe('RFC 5282, RFC 7296 §3.14: answers computed with OpenSSL (C-31)', () => {
  for (const c of openssl.cases) {
    const cipher = skCipher(c.encryption, c.keyLength, c.integrity)!
    it(`${cipher.name}, ${c.plaintext.length / 2} octets`, () => {
      const keys = { encryption: hex(c.sk_e), integrity: hex(c.sk_a) }
      expect(toHex(cipher.seal(keys, hex(c.iv), hex(c.aad), hex(c.plaintext)))).toBe(c.sealed)
      expect(toHex(cipher.open(keys, hex(c.iv), hex(c.aad), hex(c.sealed))!)).toBe(c.plaintext)
    })
  }

  it.skipIf(!getCiphers().includes('aes-256-ccm'))('RFC 3610 §2.2: CCM with AAD of 0xFF00 octets and more', () => {
    const cipher = skCipher(16, 256, undefined)!
    const keys = keysOf(cipher, 3)
    for (const length of [0xfeff, 0xff00, 0x10001]) {
      const [iv, aad, plaintext] = [seeded(1)(8), seeded(2)(length), seeded(3)(33)]
      const nonce = Uint8Array.from([...keys.encryption.subarray(32), ...iv])
      const oracle = createCipheriv('aes-256-ccm', keys.encryption.subarray(0, 32), nonce, { authTagLength: 16 })
      oracle.setAAD(aad, { plaintextLength: 33 })
      const ciphertext = oracle.update(plaintext).toString('hex') + oracle.final('hex')
      expect(toHex(cipher.seal(keys, iv, aad, plaintext))).toBe(ciphertext + oracle.getAuthTag().toString('hex'))
    }
  })
})

describe('RFC 4868 §2.7.2 the ICV covers aad | IV | ciphertext (C-31)', () => {
  it.each(rfc4868.authenticator)('$name', ({ name, key, data, icv }) => {
    // The 50 octets of data are cut into 2 of AAD, 16 of IV and 32 of ciphertext.
    const cipher = skCipher(12, 128, { 256: 12, 384: 13, 512: 14 }[name.slice(4, 7)])!
    const keys = { encryption: new Uint8Array(16), integrity: hex(key) }
    const octets = hex(data)
    const open = (sealed: string): Uint8Array | undefined =>
      cipher.open(keys, octets.subarray(2, 18), octets.subarray(0, 2), hex(toHex(octets.subarray(18)) + sealed))
    expect(open(icv)).toHaveLength(32)
    expect(open(icv.slice(0, -2) + (icv.endsWith('00') ? '01' : '00'))).toBeUndefined()
  })
})

describe('RFC 7296 §3.3.5, RFC 5282 §8 which combinations are ciphers', () => {
  it('lengths in octets', () => {
    const lengths = (c: SkCipher | undefined): (number | undefined)[] => [
      c?.encryptionKeyLength,
      c?.integrityKeyLength,
      c?.ivLength,
      c?.icvLength,
      c?.blockLength,
    ]
    expect(lengths(skCipher(20, 256, undefined))).toEqual([36, 0, 8, 16, 1])
    expect(lengths(skCipher(18, 128, undefined))).toEqual([20, 0, 8, 8, 1])
    expect(lengths(skCipher(15, 192, 0))).toEqual([27, 0, 8, 12, 1])
    expect(lengths(skCipher(28, undefined, 0))).toEqual([36, 0, 8, 16, 1])
    expect(lengths(skCipher(12, 256, 2))).toEqual([32, 20, 16, 12, 16])
    expect(lengths(skCipher(12, 128, 12))).toEqual([16, 32, 16, 16, 16])
    expect(lengths(skCipher(12, 128, 13))).toEqual([16, 48, 16, 24, 16])
    expect(lengths(skCipher(12, 192, 14))).toEqual([24, 64, 16, 32, 16])
  })

  it.each([
    ['(C-35): ENCR_NULL', 11, undefined, 12],
    ['(C-35): AES-CBC with integrity NONE', 12, 256, 0],
    ['(C-35): AES-CBC without an integrity transform', 12, 256, undefined],
    ['AES-CBC with HMAC-MD5-96', 12, 256, 1],
    ['AES-CBC with AES-XCBC-96', 12, 128, 5],
    ['an AEAD with integrity', 20, 256, 12],
    ['ChaCha20-Poly1305 with integrity', 28, undefined, 12],
    ['RFC 7634 §4: ChaCha20-Poly1305 with a key length', 28, 256, undefined],
    ['AES-GCM without a key length', 20, undefined, undefined],
    ['AES-CBC without a key length', 12, undefined, 12],
    ['AES-CCM with 64 bits', 16, 64, undefined],
    ['3DES', 3, undefined, 12],
    ['an unknown ID', 4711, 256, 12],
  ])('%s is refused', (_, encryption, keyLength, integrity) => {
    expect(skCipher(encryption, keyLength, integrity)).toBeUndefined()
  })
})

describe.each(ALL.map((cipher) => [cipher.name, cipher] as const))('%s', (_, cipher) => {
  const keys = keysOf(cipher, 1)
  const random = seeded(cipher.name.length)
  const [iv, aad] = [random(cipher.ivLength), random(32)]

  it('opens what it sealed', () => {
    const blocks = fc.integer({ min: 1, max: 40 }).chain((n) => {
      const length = n * cipher.blockLength
      return fc.uint8Array({ minLength: length, maxLength: length })
    })
    fc.assert(
      fc.property(blocks, fc.uint8Array({ maxLength: 80 }), (plaintext, aad) => {
        const sealed = cipher.seal(keys, iv, aad, plaintext)
        expect(sealed).toHaveLength(plaintext.length + cipher.icvLength)
        expect(cipher.open(keys, iv, aad, sealed)).toEqual(plaintext)
      }),
      { numRuns: 15 },
    )
  })

  it('any one flipped bit of ciphertext, ICV, IV or AAD, and another key, give undefined', () => {
    const sealed = cipher.seal(keys, iv, aad, random(2 * 16))
    for (const bad of flips(sealed)) expect(cipher.open(keys, iv, aad, bad)).toBeUndefined()
    for (const bad of flips(iv)) expect(cipher.open(keys, bad, aad, sealed)).toBeUndefined()
    for (const bad of flips(aad)) expect(cipher.open(keys, iv, bad, sealed)).toBeUndefined()
    expect(cipher.open(keysOf(cipher, 2), iv, aad, sealed)).toBeUndefined()
    expect(cipher.open(keys, iv, aad, sealed)).toHaveLength(32)
  })

  it('every truncation, one octet more and an IV of another length give undefined and never throw', () => {
    const sealed = cipher.seal(keys, iv, aad, random(2 * 16))
    for (let length = 0; length < sealed.length; length++) expect(cipher.open(keys, iv, aad, sealed.subarray(0, length))).toBeUndefined()
    expect(cipher.open(keys, iv, aad, Uint8Array.from([...sealed, 0]))).toBeUndefined()
    expect(cipher.open(keys, iv.subarray(1), aad, sealed)).toBeUndefined()
  })

  it('leaves its arguments alone', () => {
    const plaintext = random(32)
    const before = [iv, aad, plaintext, keys.encryption, keys.integrity].map(toHex)
    const sealed = cipher.seal(keys, iv, aad, plaintext)
    const sealedBefore = toHex(sealed)
    cipher.open(keys, iv, aad, sealed)
    expect([iv, aad, plaintext, keys.encryption, keys.integrity].map(toHex)).toEqual(before)
    expect(toHex(sealed)).toBe(sealedBefore)
  })

  it('throws INVALID_LENGTH for wrong keys and for what cannot be sealed', () => {
    const invalid = (what: string): unknown =>
      expect.objectContaining({ code: 'INVALID_LENGTH', context: expect.objectContaining({ what }) })
    const plaintext = new Uint8Array(16)
    const shortKey = { ...keys, encryption: keys.encryption.subarray(1) }
    const longIntegrity = { ...keys, integrity: new Uint8Array(cipher.integrityKeyLength + 1) }
    expect(() => cipher.seal(shortKey, iv, aad, plaintext)).toThrow(invalid('SK_e'))
    expect(() => cipher.open(shortKey, iv, aad, plaintext)).toThrow(invalid('SK_e'))
    expect(() => cipher.seal(longIntegrity, iv, aad, plaintext)).toThrow(invalid('SK_a'))
    expect(() => cipher.seal(keys, iv.subarray(1), aad, plaintext)).toThrow(invalid('IV'))
    if (cipher.blockLength > 1) {
      for (const length of [0, 1, 15, 17]) expect(() => cipher.seal(keys, iv, aad, new Uint8Array(length))).toThrow(invalid('plaintext'))
    }
  })
})

function keysOf(cipher: SkCipher, seed: number): SkKeys {
  const random = seeded(seed)
  return { encryption: random(cipher.encryptionKeyLength), integrity: random(cipher.integrityKeyLength) }
}

function* flips(octets: Uint8Array): Generator<Uint8Array> {
  for (let bit = 0; bit < 8 * octets.length; bit++) {
    const flipped = Uint8Array.from(octets)
    flipped[bit >>> 3]! ^= 1 << (bit & 7)
    yield flipped
  }
}
