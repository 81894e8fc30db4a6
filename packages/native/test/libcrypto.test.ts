import { describe, expect, it } from 'vitest'
import { type AeadCipher, loadLibcrypto } from '../src/index.ts'
import { hex, open, seal, testAead, toHex } from './native-aead.ts'

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
  testAead({ cipher, tagLength, nonceLength }, keyLength, (algorithm, key) => loadLibcrypto().createAead(algorithm, key))
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
