import { createCipheriv } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { desEncrypt } from '../src/crypto/des.ts'
import { md4 } from '../src/crypto/md4.ts'
import { authenticatorResponse, masterKey, mskOf, ntPasswordHash, ntResponse } from '../src/methods/mschapv2-crypto.ts'

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))
const text = (octets: Uint8Array): string => Buffer.from(octets).toString('hex')
const ascii = (words: string): Uint8Array => Uint8Array.from(Buffer.from(words))

describe('RFC 1320 MD4', () => {
  it.each([
    ['', '31d6cfe0d16ae931b73c59d7e0c089c0'],
    ['a', 'bde52cb31de33e46245e05fbdbd6fb24'],
    ['abc', 'a448017aaf21d8525fc10ae87aa6729d'],
    ['message digest', 'd9130a8164549fe818874806e1c7014b'],
    ['abcdefghijklmnopqrstuvwxyz', 'd79e1c308aa5bbcdeea8ed63df412da9'],
    ['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789', '043f8582f241db351ce627e153e7f0e4'],
    ['12345678901234567890123456789012345678901234567890123456789012345678901234567890', 'e33b4ddc9c38f2199c3e7b164fcc0536'],
  ])('RFC 1320 A.5: of "%s"', (message, digest) => expect(text(md4(ascii(message)))).toBe(digest))
})

describe('FIPS 46-3 DES', () => {
  it('SP 800-17: the known answers of its tables: one bit of the block, one bit of the key', () => {
    expect(text(desEncrypt(hex('0101010101010101'), hex('8000000000000000')))).toBe('95f8a5e5dd31d900')
    expect(text(desEncrypt(hex('0101010101010101'), hex('0000000000000001')))).toBe('166b40b44aba4bd6')
    expect(text(desEncrypt(hex('8001010101010101'), hex('0000000000000000')))).toBe('95a8d72813daa94d')
    expect(text(desEncrypt(hex('0101010101010102'), hex('0000000000000000')))).toBe('869efd7f9f265a09')
    expect(text(desEncrypt(hex('133457799bbcdff1'), hex('0123456789abcdef')))).toBe('85e813540f0ab405')
  })

  it('FIPS 46-3: agrees with the runtime, which has it three times over: one key thrice is DES', () => {
    let seed = 1
    const next = (): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
      return seed >> 16
    }
    for (let i = 0; i < 50; i++) {
      const [key, block] = [new Uint8Array(8).map(next), new Uint8Array(8).map(next)]
      const cipher = createCipheriv('des-ede3-cbc', Buffer.concat([key, key, key]), new Uint8Array(8)).setAutoPadding(false)
      expect(text(desEncrypt(key, block))).toBe(cipher.update(block).toString('hex'))
    }
  })
})

/** RFC 2759 §9.2, RFC 3079 §3.5.3. */
const EXCHANGE = {
  ntHash: hex('44 EB BA 8D 53 12 B8 D6 11 47 44 11 F5 69 89 AE'),
  authenticatorChallenge: hex('5B 5D 7C 7D 7B 3F 2F 3E 3C 2C 60 21 32 26 26 28'),
  peerChallenge: hex('21 40 23 24 25 5E 26 2A 28 29 5F 2B 3A 33 7C 7E'),
  userName: 'User',
}
const RESPONSE = hex('82 30 9E CD 8D 70 8B 5E A0 8F AA 39 81 CD 83 54 42 33 11 4A 3D 85 D6 DF')

describe('RFC 2759 §9.2, RFC 3079 §3.5.3 the example', () => {
  it('RFC 2759 §8.3: PasswordHash', () => expect(ntPasswordHash('clientPass')).toEqual(EXCHANGE.ntHash))
  it('RFC 2759 §8.1: NT-Response', () => expect(ntResponse(EXCHANGE)).toEqual(RESPONSE))
  it('RFC 2759 §8.2: a domain before the name is not in it', () => {
    expect(ntResponse({ ...EXCHANGE, userName: 'DOMAIN\\User' })).toEqual(RESPONSE)
  })
  it('RFC 2759 §8.7: AuthenticatorResponse', () => {
    expect(authenticatorResponse(EXCHANGE, RESPONSE)).toBe('S=407A5589115FD0D6209F510FE9C04566932CDA56')
  })
  it('RFC 3079 §3.5.3: the master key', () => {
    expect(text(masterKey(EXCHANGE.ntHash, RESPONSE))).toBe('fdece3717a8c838cb388e527ae3cdd31')
  })
  it('RFC 3079 §3.5.3: the key that the server sends by is the second half of what the MSK has of keys', () => {
    const msk = mskOf(EXCHANGE, RESPONSE)
    expect(text(msk.subarray(16, 32))).toBe('8b7cdc149b993a1ba118cb153f56dccb')
    expect(msk.subarray(32)).toEqual(new Uint8Array(32))
  })
})
