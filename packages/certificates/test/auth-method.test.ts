import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  encodeAnnouncements,
  type Preferences,
  publicKeyOf,
  readAnnouncements,
  readPrivateKey,
  readPublicKey,
  signAuth,
  signatureAnnouncements,
  verifyAuth,
} from '../src/index.ts'
import { type Keys, vectors } from './vectors.ts'

const { forms } = vectors<Keys>('keys')
const OCTETS = new TextEncoder().encode('the signed octets of RFC 7296 §2.15')
const ALL = [2, 3, 4, 5]

const keyOf = (name: string): KeyObject => createPrivateKey(forms[name]!.pkcs8)
const hexOf = (data: Uint8Array, length: number): string => Buffer.from(data.subarray(0, length)).toString('hex')

describe('RFC 7427 AUTH by method 14', () => {
  // Appendix A, behind the octet of its length.
  it.each([
    [
      'rsa',
      {},
      '43304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120',
    ],
    ['rsa', { prefersPss: false }, '0f300d06092a864886f70d01010b0500'],
    ['ec', {}, '0c300a06082a8648ce3d040302'],
    ['p384', {}, '0c300a06082a8648ce3d040303'],
    ['p521', {}, '0c300a06082a8648ce3d040304'],
    ['ed25519', {}, '07300506032b6570'],
  ] as [string, Partial<Preferences>, string][])('§3 (S-1): a key of kind %s %o', (name, preferences, identifier) => {
    const { method, data } = signAuth(keyOf(name), OCTETS, { hashAlgorithms: ALL, ...preferences })
    expect(method).toBe(14)
    expect(hexOf(data, identifier.length / 2)).toBe(identifier)
    const key = readPublicKey(publicKeyOf(keyOf(name)))
    expect(() => verifyAuth(key, OCTETS, { method, data })).not.toThrow()
    expect(() => verifyAuth(key, OCTETS.slice(1), { method, data })).toThrow(expect.objectContaining({ code: 'BAD_SIGNATURE' }))
    data[data.length - 2]! ^= 1
    expect(() => verifyAuth(key, OCTETS, { method, data })).toThrow(expect.objectContaining({ code: 'BAD_SIGNATURE' }))
  })

  it('§3, Appendix A.4.3: RSASSA-PSS-params with the trailer field written out are read, too', () => {
    const { data } = signAuth(keyOf('rsa'), OCTETS, { hashAlgorithms: ALL })
    const written = Buffer.from(`483046${hexOf(data.subarray(3), 11)}3039${hexOf(data.subarray(16), 52)}a303020101`, 'hex')
    const key = readPublicKey(publicKeyOf(keyOf('rsa')))
    expect(() => verifyAuth(key, OCTETS, { method: 14, data: Uint8Array.from([...written, ...data.subarray(68)]) })).not.toThrow()
  })

  it('§4 (S-1): the hash is one that the peer has', () => {
    expect(hexOf(signAuth(keyOf('ec'), OCTETS, { hashAlgorithms: [4] }).data, 13)).toBe('0c300a06082a8648ce3d040304')
    expect(hexOf(signAuth(keyOf('ec'), OCTETS, { hashAlgorithms: [3, 4] }).data, 13)).toBe('0c300a06082a8648ce3d040303')
  })

  it('RFC 8420 §2 (S-2): Ed25519 only where the peer has Identity', () => {
    expect(() => signAuth(keyOf('ed25519'), OCTETS, { hashAlgorithms: [2, 3, 4] })).toThrow(
      expect.objectContaining({ code: 'WRONG_METHOD' }),
    )
    expect(() => signAuth(keyOf('ed25519'), OCTETS, { hashAlgorithms: undefined })).toThrow(
      expect.objectContaining({ code: 'WRONG_METHOD' }),
    )
  })

  it('RFC 8247 §3.1: SHA-1 is not believed, whatever signs with it', () => {
    const key = readPublicKey(publicKeyOf(keyOf('rsa')))
    const identifier = Buffer.from('0f300d06092a864886f70d0101050500', 'hex')
    const data = Uint8Array.from([...identifier, ...sign('sha1', OCTETS, keyOf('rsa'))])
    expect(() => verifyAuth(key, OCTETS, { method: 14, data })).toThrow(expect.objectContaining({ code: 'WEAK_ALGORITHM' }))
  })

  it('RFC 8247 §3.1: an RSA key below 2048 bits is not believed', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const { method, data } = signAuth(privateKey, OCTETS, { hashAlgorithms: ALL })
    expect(() => verifyAuth(readPublicKey(publicKeyOf(privateKey)), OCTETS, { method, data })).toThrow(/1024 bits/)
  })

  it.each([
    ['nothing', ''],
    ['a length and nothing', '0c'],
    ['a length that runs over the end', '0c300a'],
    ['a length that is not that of the AlgorithmIdentifier', '0d300a06082a8648ce3d040302ff'],
    ['no AlgorithmIdentifier', '03020101'],
    ['RSASSA-PSS with empty parameters', '0f300d06092a864886f70d01010a3000'],
    ['an algorithm of no kind', '05300306012a'],
  ])('§3: %s is an error of this package', (_, data) => {
    const key = readPublicKey(publicKeyOf(keyOf('ec')))
    expect(() => verifyAuth(key, OCTETS, { method: 14, data: new Uint8Array(Buffer.from(data, 'hex')) })).toThrow(
      expect.objectContaining({ name: 'CertificateError' }),
    )
  })

  it('§3: a signature of one kind of key is not verified by another', () => {
    const { method, data } = signAuth(keyOf('ec'), OCTETS, { hashAlgorithms: ALL })
    const verify = (): void => verifyAuth(readPublicKey(publicKeyOf(keyOf('rsa'))), OCTETS, { method, data })
    expect(verify).toThrow(expect.objectContaining({ code: 'WRONG_METHOD' }))
  })
})

describe('RFC 7296 §3.8, RFC 4754: AUTH by the methods of older peers', () => {
  it.each([
    ['rsa', 1, 256],
    ['ec', 9, 64],
    ['p384', 10, 96],
    ['p521', 11, 132],
  ])('RFC 4754 §3: %s is method %i with %i octets where the peer knows no method 14', (name, method, length) => {
    const auth = signAuth(keyOf(name), OCTETS, { hashAlgorithms: undefined })
    expect(auth.method).toBe(method)
    expect(auth.data).toHaveLength(length)
    const key = readPublicKey(publicKeyOf(keyOf(name)))
    expect(() => verifyAuth(key, OCTETS, auth)).not.toThrow()
    auth.data[5]! ^= 1
    expect(() => verifyAuth(key, OCTETS, auth)).toThrow(expect.objectContaining({ code: 'BAD_SIGNATURE' }))
    expect(() => verifyAuth(key, OCTETS, { method, data: auth.data.slice(1) })).toThrow(
      expect.objectContaining({ name: 'CertificateError' }),
    )
  })

  it('RFC 4754 §3: the curve belongs to the method', () => {
    const { data } = signAuth(keyOf('ec'), OCTETS, { hashAlgorithms: undefined })
    const key = readPublicKey(publicKeyOf(keyOf('ec')))
    expect(() => verifyAuth(key, OCTETS, { method: 10, data })).toThrow(expect.objectContaining({ code: 'WRONG_METHOD' }))
  })
})

describe('RFC 9593 SUPPORTED_AUTH_METHODS', () => {
  it('§3.2: what is written is read', () => {
    const list = [...signatureAnnouncements(), { method: 2, certLink: 0, algorithm: undefined }]
    expect(readAnnouncements(encodeAnnouncements(list))).toEqual(list)
  })

  it('§3.2: the announcements of a PSK and of RSA are 2 and 3 octets', () => {
    expect([
      ...encodeAnnouncements([
        { method: 2, certLink: 0, algorithm: undefined },
        { method: 1, certLink: 0, algorithm: undefined },
      ]),
    ]).toEqual([2, 2, 3, 1, 0])
  })

  it('§3.2: lengths that do not fit end the list', () => {
    for (const data of [
      [0, 2],
      [1, 2],
      [9, 14, 0, 1],
    ])
      expect(readAnnouncements(Uint8Array.from([2, 2, ...data]))).toHaveLength(1)
  })

  it('§3.1: the algorithm is one of those announced, though another is liked better', () => {
    const announcements = signatureAnnouncements().filter(
      ({ algorithm }) => algorithm && hexOf(algorithm, algorithm.length).endsWith('0c0500'),
    )
    expect(announcements).toHaveLength(1)
    const { data } = signAuth(keyOf('rsa'), OCTETS, { hashAlgorithms: ALL, announcements })
    expect(hexOf(data, 16)).toBe('0f300d06092a864886f70d01010c0500')
  })
})

describe('private keys in all forms', () => {
  for (const [name, { spki, pkcs8, encrypted, traditional }] of Object.entries(forms)) {
    it(`RFC 5958, RFC 8017, RFC 5915: a key of kind ${name}`, () => {
      const read = (text: string, passphrase?: string): string =>
        Buffer.from(publicKeyOf(readPrivateKey(new TextEncoder().encode(text), passphrase))).toString('base64')
      expect(read(pkcs8)).toBe(spki)
      expect(read(encrypted, 'secret words')).toBe(spki)
      if (traditional) expect(read(traditional)).toBe(spki)
      expect(() => read(encrypted)).toThrow(/no passphrase/)
      expect(() => read(encrypted, 'other')).toThrow(expect.objectContaining({ code: 'WRONG_PASSPHRASE' }))
      expect(() => read('nothing')).toThrow(/no private key/)
    })
  }
})
