import { describe, expect, it } from 'vitest'
import {
  DEFAULT_ESP_SUITES,
  DEFAULT_IKE_SUITES,
  describeRow,
  LEGACY_ESP_SUITES,
  LEGACY_IKE_SUITES,
  parseEspSuite,
  parseIkeSuite,
  rowsBrokenByEsp,
  rowsBrokenByIke,
} from '../src/index.ts'

const ofIke = (text: string): string[] => rowsBrokenByIke(parseIkeSuite(text)).map(describeRow)
const ofEsp = (text: string): string[] => rowsBrokenByEsp(parseEspSuite(text)).map(describeRow)

describe('RFC 8247 and RFC 8221: rows that a suite breaks', () => {
  it.each([...DEFAULT_IKE_SUITES, 'aes192-sha384-modp8192', 'aes256ccm8-prfsha512-x448'])('RFC 8247 §2: %s breaks none', (text) => {
    expect(ofIke(text)).toEqual([])
  })

  it.each([...DEFAULT_ESP_SUITES, 'null-sha256', 'aes128gmac'])('RFC 8221 §5: %s breaks none', (text) => {
    expect(ofEsp(text)).toEqual([])
  })

  it('RFC 8247 §2.2, §2.3: SHA-1 is MUST-, as a PRF and for integrity', () => {
    expect(ofIke('aes256-sha1-modp2048')).toEqual(['PRF_HMAC_SHA1 is MUST- (RFC 8247 §2.2)', 'AUTH_HMAC_SHA1_96 is MUST- (RFC 8247 §2.3)'])
    expect(ofIke('aes256-sha1-prfsha256-x25519')).toEqual(['AUTH_HMAC_SHA1_96 is MUST- (RFC 8247 §2.3)'])
    expect(ofIke('aes256gcm16-prfsha1-x25519')).toEqual(['PRF_HMAC_SHA1 is MUST- (RFC 8247 §2.2)'])
    expect(ofEsp('aes256-sha1')).toEqual(['AUTH_HMAC_SHA1_96 is MUST- (RFC 8221 §6)'])
  })

  it('RFC 8247 §2.1: ENCR_NULL is MUST NOT for an IKE SA', () => {
    const suite = { ...parseIkeSuite('aes256-sha256-x25519'), encryption: 11, keyLength: undefined }
    expect(rowsBrokenByIke(suite).map(describeRow)).toEqual(['ENCR_NULL is MUST NOT (RFC 8247 §2.1)'])
  })

  it('RFC 8247 §2: each suite of the legacy sets breaks a row, which is why they have to be named', () => {
    for (const text of LEGACY_IKE_SUITES) expect(ofIke(text), text).not.toEqual([])
    for (const text of LEGACY_ESP_SUITES) expect(ofEsp(text), text).not.toEqual([])
  })
})
