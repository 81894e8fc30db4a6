import { describe, expect, it } from 'vitest'
import { type AeadCipher, loadLibcrypto, type NativeAead, NativeError } from '../src/index.ts'

const hex = (text: string): Uint8Array => Uint8Array.from(text.replace(/\s/g, '').match(/../g) ?? [], (octet) => Number.parseInt(octet, 16))
const toHex = (bytes: Uint8Array): string => Array.from(bytes, (octet) => octet.toString(16).padStart(2, '0')).join('')

/** seal() in a larger buffer at an odd offset, so that offsets matter. */
function seal(aead: NativeAead, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, tagLength: number): Uint8Array {
  const buffer = new Uint8Array(7 + plaintext.length + tagLength + 5).fill(0xee)
  buffer.set(plaintext, 7)
  aead.seal(nonce, aad, aad.length, buffer, 7, plaintext.length, buffer, 7)
  expect(toHex(buffer.subarray(0, 7))).toBe('ee'.repeat(7))
  expect(toHex(buffer.subarray(buffer.length - 5))).toBe('ee'.repeat(5))
  return buffer.slice(7, 7 + plaintext.length + tagLength)
}

function open(aead: NativeAead, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, tagLength: number): Uint8Array | undefined {
  const buffer = new Uint8Array(3 + sealed.length)
  buffer.set(sealed, 3)
  const length = sealed.length - tagLength
  return aead.open(nonce, aad, aad.length, buffer, 3, length, buffer, 3) ? buffer.slice(3, 3 + length) : undefined
}

describe('known answers', () => {
  it('RFC 8439 §2.8.2: ChaCha20-Poly1305', () => {
    const text = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    const plaintext = Uint8Array.from(text, (letter) => letter.charCodeAt(0))
    const aead = loadLibcrypto().createAead(
      { cipher: 'chacha20-poly1305', tagLength: 16, nonceLength: 12 },
      Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i),
    )
    const nonce = hex('07000000 4041424344454647')
    const aad = hex('50515253c0c1c2c3c4c5c6c7')
    const sealed = seal(aead, nonce, aad, plaintext, 16)
    expect(toHex(sealed.subarray(0, 16))).toBe('d31a8d34648e60db7b86afbc53ef7ec2')
    expect(toHex(sealed.subarray(-16))).toBe('1ae10b594f09e26a7e902ecbd0600691')
    expect(open(aead, nonce, aad, sealed, 16)).toEqual(plaintext)
    aead.free()
  })

  it('SP 800-38D, test case 16 of the GCM specification: AES-256-GCM with AAD', () => {
    const aead = loadLibcrypto().createAead(
      { cipher: 'aes-256-gcm', tagLength: 16, nonceLength: 12 },
      hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308'),
    )
    const plaintext = hex(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    )
    const sealed = seal(aead, hex('cafebabefacedbaddecaf888'), hex('feedfacedeadbeeffeedfacedeadbeefabaddad2'), plaintext, 16)
    expect(toHex(sealed)).toBe(
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
        '76fc6ece0f4e1768cddf8853bb2d551b',
    )
    aead.free()
  })

  it('RFC 3610 §8, packet vector 1: AES-128-CCM with an 8 octet tag', () => {
    const aead = loadLibcrypto().createAead(
      { cipher: 'aes-128-ccm', tagLength: 8, nonceLength: 13 },
      hex('C0C1C2C3C4C5C6C7C8C9CACBCCCDCECF'),
    )
    const nonce = hex('00000003020100A0A1A2A3A4A5')
    const aad = hex('0001020304050607')
    const plaintext = hex('08090A0B0C0D0E0F101112131415161718191A1B1C1D1E')
    for (let round = 0; round < 3; round++) {
      const sealed = seal(aead, nonce, aad, plaintext, 8)
      expect(toHex(sealed).toUpperCase()).toBe('588C979A61C663D2F066D0C2C0F989806D5F6B61DAC38417E8D12CFDF926E0')
      expect(open(aead, nonce, aad, sealed, 8)).toEqual(plaintext)
    }
    aead.free()
  })
})

const ALGORITHMS: readonly [AeadCipher, number, number, number][] = [
  ['aes-128-gcm', 16, 16, 12],
  ['aes-192-gcm', 24, 12, 12],
  ['aes-256-gcm', 32, 8, 12],
  ['chacha20-poly1305', 32, 16, 12],
  ['aes-128-ccm', 16, 16, 11],
  ['aes-192-ccm', 24, 12, 11],
  ['aes-256-ccm', 32, 8, 11],
]

describe.each(ALGORITHMS)('%s with a key of %i octets, tag %i, nonce %i', (cipher, keyLength, tagLength, nonceLength) => {
  const key = Uint8Array.from({ length: keyLength }, (_, i) => i * 7)
  const create = (): NativeAead => loadLibcrypto().createAead({ cipher, tagLength, nonceLength }, key)

  it('opens what it sealed, for every length, many packets to one context', () => {
    const aead = create()
    const aad = new Uint8Array(12)
    for (const length of [0, 1, 15, 16, 17, 64, 1400, 65_000]) {
      const nonce = Uint8Array.from({ length: nonceLength }, (_, i) => i + length)
      const plaintext = Uint8Array.from({ length }, (_, i) => i)
      const sealed = seal(aead, nonce, aad, plaintext, tagLength)
      expect(open(aead, nonce, aad, sealed, tagLength)).toEqual(plaintext)
    }
    aead.free()
  })

  it('reports a changed octet in data, tag, AAD or nonce, and goes on working after it', () => {
    const aead = create()
    const nonce = new Uint8Array(nonceLength).fill(1)
    const aad = new Uint8Array(8).fill(2)
    const plaintext = new Uint8Array(100).fill(3)
    const sealed = seal(aead, nonce, aad, plaintext, tagLength)
    const flip = (bytes: Uint8Array, at: number): Uint8Array => Uint8Array.from(bytes, (octet, i) => (i === at ? octet ^ 1 : octet))
    expect(open(aead, nonce, aad, flip(sealed, 0), tagLength)).toBeUndefined()
    expect(open(aead, nonce, aad, flip(sealed, sealed.length - 1), tagLength)).toBeUndefined()
    expect(open(aead, nonce, flip(aad, 7), sealed, tagLength)).toBeUndefined()
    expect(open(aead, flip(nonce, nonceLength - 1), aad, sealed, tagLength)).toBeUndefined()
    expect(open(aead, nonce, aad, sealed, tagLength)).toEqual(plaintext)
    aead.free()
  })

  it('authenticates an AAD of any length, from any place', () => {
    const aead = create()
    const nonce = new Uint8Array(nonceLength)
    const long = Uint8Array.from({ length: 3000 }, (_, i) => i)
    const tags = new Set<string>()
    for (const aad of [long.subarray(0, 0), long.subarray(3, 4), long.subarray(3, 83), long.subarray(3, 84), long.subarray(5)]) {
      const sealed = seal(aead, nonce, aad, hex('0102'), tagLength)
      tags.add(toHex(sealed.subarray(2)))
      expect(open(aead, nonce, aad.slice(), sealed, tagLength)).toEqual(hex('0102'))
    }
    expect(tags.size).toBe(5)
    aead.free()
  })

  it('refuses a wrong key length, an out-of-range buffer, and use after free', () => {
    const code = (work: () => unknown): string | undefined => {
      try {
        work()
      } catch (error) {
        if (error instanceof NativeError) return error.code
        throw error
      }
      return undefined
    }
    expect(code(() => loadLibcrypto().createAead({ cipher, tagLength, nonceLength }, new Uint8Array(keyLength + 1)))).toBe('CRYPTO')
    const aead = create()
    const nonce = new Uint8Array(nonceLength)
    const buffer = new Uint8Array(100)
    expect(code(() => aead.seal(nonce, buffer, 8, buffer, 50, 51 - tagLength, buffer, 50))).toBe('ARGUMENT')
    expect(code(() => aead.seal(nonce, buffer, 8, buffer, -1, 10, buffer, 0))).toBe('ARGUMENT')
    expect(code(() => aead.seal(nonce.subarray(1), buffer, 8, buffer, 0, 10, buffer, 0))).toBe('ARGUMENT')
    expect(code(() => aead.open(nonce, buffer, 101, buffer, 0, 10, buffer, 0))).toBe('ARGUMENT')
    expect(code(() => aead.seal(nonce, buffer, 8, buffer, 50, 50 - tagLength, buffer, 50))).toBeUndefined()
    aead.free()
    aead.free()
    expect(code(() => aead.seal(nonce, buffer, 8, buffer, 0, 10, buffer, 0))).toBe('CRYPTO')
  })
})

it('keeps addresses right while the garbage collector moves small arrays', () => {
  const aead = loadLibcrypto().createAead({ cipher: 'aes-128-gcm', tagLength: 16, nonceLength: 12 }, new Uint8Array(16))
  const rubbish: Uint8Array[] = []
  const expected = toHex(seal(aead, new Uint8Array(12), new Uint8Array(8), new Uint8Array(4), 16))
  for (let i = 0; i < 20_000; i++) {
    const small = new Uint8Array(20)
    aead.seal(new Uint8Array(12), new Uint8Array(8), 8, small, 0, 4, small, 0)
    rubbish[i % 500] = new Uint8Array(i % 64)
    if (toHex(small) !== expected) throw new Error(`packet ${i} differs`)
  }
  aead.free()
})

it('says which libcrypto it found', () => {
  expect(loadLibcrypto().version).toMatch(/^OpenSSL \d/)
})
