import { describe, expect, it } from 'vitest'
import { publicKeyOf, readPkcs12 } from '../src/index.ts'
import { type Keys, octets, vectors } from './vectors.ts'

const { pkcs12 } = vectors<Keys>('keys')

describe('RFC 7292 PKCS#12', () => {
  it.each(['today', 'aes128', 'plain'] as const)('§4: a file of openssl: %s', (form) => {
    const { key, certificates } = readPkcs12(octets(pkcs12[form]), 'secret words')
    expect(certificates).toEqual(pkcs12.certificates.map(octets))
    expect(Buffer.from(publicKeyOf(key!)).toString('base64')).toBe(pkcs12.spki)
  })

  it('§4: another passphrase', () => {
    expect(() => readPkcs12(octets(pkcs12.today), 'other')).toThrow(expect.objectContaining({ code: 'WRONG_PASSPHRASE' }))
  })

  it('§4: the ciphers of old are refused by name', () => {
    expect(() => readPkcs12(octets(pkcs12.old), 'secret words')).toThrow(/old way/)
  })
})
