import { espTransform, nobleProvider } from '@underpass/esp-crypto'
import { EncryptionId, IntegrityId, KeyExchangeMethod, PrfId } from '@underpass/ike-codec'
import { keyExchange, prf, skCipher } from '@underpass/ike-crypto'
import { describe, expect, it } from 'vitest'
import {
  DEFAULT_ESP_SUITES,
  DEFAULT_IKE_SUITES,
  describeEspSuite,
  describeIkeSuite,
  parseEspSuite,
  parseIkeSuite,
  SessionError,
} from '../src/index.ts'

const CIPHERS = ['aes128', 'aes192', 'aes256']
const AEADS = ['gcm8', 'gcm12', 'gcm16', 'ccm8', 'ccm12', 'ccm16']
  .flatMap((mode) => CIPHERS.map((cipher) => cipher + mode))
  .concat('chacha20poly1305')
const INTEGRITY = ['sha1', 'sha256', 'sha384', 'sha512']
const GROUPS = ['x25519', 'x448', 'ecp256', 'ecp384', 'ecp521', 'modp2048', 'modp3072', 'modp4096', 'modp6144', 'modp8192']

describe('IKE suites as text', () => {
  it('names encryption, integrity, PRF and key exchange', () => {
    expect(parseIkeSuite('aes256-sha384-prfsha512-ecp384')).toEqual({
      encryption: EncryptionId.ENCR_AES_CBC,
      keyLength: 256,
      integrity: IntegrityId.AUTH_HMAC_SHA2_384_192,
      prf: PrfId.PRF_HMAC_SHA2_512,
      keyExchange: KeyExchangeMethod.ECP_384,
    })
  })

  it('the PRF goes with the integrity where none is named', () => {
    expect(parseIkeSuite('aes128-sha256-modp2048').prf).toBe(PrfId.PRF_HMAC_SHA2_256)
  })

  it('words stand in any order and in either case', () => {
    expect(parseIkeSuite('X25519-PRFSHA256-AES256GCM16')).toEqual(parseIkeSuite('aes256gcm16-prfsha256-x25519'))
  })

  it.each([...DEFAULT_IKE_SUITES, ...CIPHERS.map((cipher) => `${cipher}-sha1-prfsha256-x25519`)])(
    '"%s" reads as it was written',
    (text) => {
      expect(describeIkeSuite(parseIkeSuite(text))).toBe(text)
    },
  )

  it('every suite that can be written can be done', () => {
    const texts = [
      ...AEADS.map((aead) => `${aead}-prfsha256-x25519`),
      ...CIPHERS.flatMap((cipher) => INTEGRITY.map((integrity) => `${cipher}-${integrity}-x25519`)),
      ...GROUPS.map((group) => `aes256gcm16-prfsha256-${group}`),
      ...['prfsha1', 'prfsha384', 'prfsha512'].map((word) => `aes256gcm16-${word}-x25519`),
    ]
    for (const text of texts) {
      const suite = parseIkeSuite(text)
      expect(skCipher(suite.encryption, suite.keyLength, suite.integrity), text).toBeDefined()
      expect(prf(suite.prf), text).toBeDefined()
      expect(keyExchange(suite.keyExchange), text).toBeDefined()
    }
  })

  it.each([
    ['', 'not an algorithm'],
    ['aes256gcm16', 'names no PRF'],
    ['aes256gcm16-prfsha256', 'names no key exchange'],
    ['prfsha256-x25519', 'names no encryption'],
    ['aes256-x25519', 'names no integrity'],
    ['aes256-prfsha256-x25519', 'names no integrity'],
    ['aes256gcm16-sha256-prfsha256-x25519', 'AEAD takes no integrity'],
    ['null-sha256-x25519', 'cannot go without encryption'],
    ['aes128gmac-prfsha256-x25519', 'cannot go without encryption'],
    ['aes256gcm16-aes128gcm16-prfsha256-x25519', 'second of its kind'],
    ['idea-sha256-x25519', '"idea" is not an algorithm'],
    ['des-md5-modp768', '"des" is not done here: ENCR_DES is MUST NOT (RFC 8247 §2.1)'],
    ['aes256-sha256-modp1024', '"modp1024" is not done here: 1024-bit MODP is SHOULD NOT (RFC 8247 §2.4)'],
  ])('RFC 7296 §5 (C-35): "%s" is refused: %s', (text, why) => {
    expect(() => parseIkeSuite(text)).toThrow(SessionError)
    expect(() => parseIkeSuite(text)).toThrow(why)
  })
})

describe('ESP suites as text', () => {
  it.each([...DEFAULT_ESP_SUITES, ...AEADS, 'aes128gmac', 'null-sha256', 'aes192-sha512'])(
    '"%s" reads as it was written, and can be done',
    (text) => {
      const suite = parseEspSuite(text)
      expect(describeEspSuite(suite)).toBe(text)
      const transform = espTransform(suite.encryption, suite.keyLength, suite.integrity)
      expect(transform).toBeDefined()
      expect(nobleProvider.supports(transform!)).toBe(true)
    },
  )

  it.each([
    ['null', 'names no integrity'],
    ['aes256', 'names no integrity'],
    ['sha256', 'names no encryption'],
    ['aes256gcm16-sha256', 'AEAD takes no integrity'],
    ['aes256gcm16-prfsha256', 'takes no PRF'],
    ['aes256gcm16-x25519', 'not supported yet'],
    ['aes256gcm16-noesn', '"noesn" is not an algorithm'],
  ])('RFC 4303 §3.2 (E-6): "%s" is refused: %s', (text, why) => {
    expect(() => parseEspSuite(text)).toThrow(why)
  })
})
