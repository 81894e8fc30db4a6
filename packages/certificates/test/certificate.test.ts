import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCrl } from '../src/crl.ts'
import { CertificateError, findPath, readCertificate, readPkcs12 } from '../src/index.ts'
import { readOcspResponse } from '../src/ocsp.ts'
import { type Chain, type Keys, octets, type Revocation, vectors } from './vectors.ts'

const { cases } = vectors<{ cases: Chain[] }>('chains')
const revocation = vectors<Revocation>('revocation')
const named = cases.find(({ title }) => title === 'a DNS name that is permitted')!

/** Only this package's own error may come out, and soon. */
function withstands(read: () => unknown): void {
  try {
    read()
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
  }
}

describe('RFC 5280 §4 octets that are no certificate', () => {
  it('§4.1: cut at each octet, it is malformed', () => {
    const der = octets(named.endEntity)
    for (let length = 0; length < der.length; length++) expect(() => readCertificate(der.slice(0, length))).toThrow(CertificateError)
  })

  it('§4.1: octets behind it are not ignored', () => {
    expect(() => readCertificate(Uint8Array.from([...octets(named.endEntity), 0, 0]))).toThrow(/one DER value/)
  })

  it('§4.1: more octets than any certificate has are not looked at', () => {
    expect(() => readCertificate(new Uint8Array(40_000))).toThrow(/40000 octets/)
  })

  it('§6.1: mutations of certificates end in this error, or in one that is read; none of them is believed', () => {
    const anchors = named.anchors.map((one) => readCertificate(octets(one)))
    const intermediates = named.intermediates.map((one) => readCertificate(octets(one)))
    const original = octets(named.endEntity)
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
        const der = original.slice()
        for (const [at, octet] of changes) der[at] = octet
        if (Buffer.compare(der, original) === 0) return
        withstands(() => {
          const endEntity = readCertificate(der)
          findPath({ endEntity, intermediates, anchors, now: named.now })
          // Of ECDSA another s may verify; of all that is signed nothing may differ.
          expect(Buffer.compare(endEntity.tbs, readCertificate(original).tbs)).toBe(0)
        })
      }),
      { numRuns: 1_500 },
    )
  })

  it.each([
    ['a CRL', revocation.crl, readCrl],
    [
      'an OCSP response',
      revocation.ocsp.goodByResponder.response,
      (der: Uint8Array) =>
        readOcspResponse(der, readCertificate(octets(revocation.good)), readCertificate(octets(revocation.root)), revocation.now),
    ],
    ['a PKCS#12 file', vectors<Keys>('keys').pkcs12.plain, (der: Uint8Array) => readPkcs12(der, 'secret words')],
  ])('§5, RFC 6960, RFC 7292: mutations of %s end in this error, or are read', (_, base64, read) => {
    const original = octets(base64)
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
        const der = original.slice()
        for (const [at, octet] of changes) der[at] = octet
        withstands(() => read(der))
      }),
      { numRuns: 300 },
    )
  })
})
