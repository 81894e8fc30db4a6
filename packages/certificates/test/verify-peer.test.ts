import { createPrivateKey, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  bindIdentity,
  type CertificatePayload,
  type Identity,
  publicKeyOf,
  readCertificate,
  readPkcs12,
  signAuth,
  type Trust,
  verifyPeer,
} from '../src/index.ts'
import { type Chain, type Keys, octets, type Revocation, vectors } from './vectors.ts'

const { cases } = vectors<{ cases: Chain[] }>('chains')
const { forms, pkcs12 } = vectors<Keys>('keys')
const revocation = vectors<Revocation>('revocation')
const OCTETS = new TextEncoder().encode('signed')
const text = (idType: number, name: string): Identity => ({ idType, data: new TextEncoder().encode(name) })
const certificateOf = (title: string): ReturnType<typeof readCertificate> =>
  readCertificate(octets(cases.find((one) => one.title === title)!.endEntity))

describe('RFC 4945 §3.1 an identity is bound to the certificate', () => {
  const mismatch = expect.objectContaining({ code: 'IDENTITY_MISMATCH' })
  const dns = certificateOf('a DNS name that is permitted')
  const mail = certificateOf('an e-mail address at the host permitted')
  const ipv4 = certificateOf('an IPv4 address that is permitted')
  const ipv6 = certificateOf('an IPv6 address beside what is excluded')

  it('§3.1.2: ID_FQDN is a dNSName, in whatever case', () => {
    expect(() => bindIdentity(text(2, 'VPN.example.org'), dns)).not.toThrow()
    for (const name of ['example.org', 'a.vpn.example.org', '*.example.org', '', 'vpn.example.org\0'])
      expect(() => bindIdentity(text(2, name), dns)).toThrow(mismatch)
    expect(() => bindIdentity(text(2, 'dnsGood'), dns)).toThrow(mismatch)
  })

  it('§3.1.3: ID_RFC822_ADDR is an rfc822Name', () => {
    expect(() => bindIdentity(text(3, 'anna@example.org'), mail)).not.toThrow()
    expect(() => bindIdentity(text(3, 'bert@example.org'), mail)).toThrow(mismatch)
    expect(() => bindIdentity(text(2, 'anna@example.org'), mail)).toThrow(mismatch)
  })

  it('§3.1.1: ID_IPV4_ADDR and ID_IPV6_ADDR are an iPAddress', () => {
    expect(() => bindIdentity({ idType: 1, data: Uint8Array.of(10, 1, 2, 3) }, ipv4)).not.toThrow()
    expect(() => bindIdentity({ idType: 1, data: Uint8Array.of(10, 1, 2, 4) }, ipv4)).toThrow(mismatch)
    expect(() => bindIdentity({ idType: 5, data: octets('IAENuQAAAAAAAAAAAAAAAQ==') }, ipv6)).not.toThrow()
  })

  it('§3.1.5: ID_DER_ASN1_DN is the subject', () => {
    expect(() => bindIdentity({ idType: 9, data: dns.subject }, dns)).not.toThrow()
    expect(() => bindIdentity({ idType: 9, data: mail.subject }, dns)).toThrow(mismatch)
    expect(() => bindIdentity({ idType: 9, data: Uint8Array.of(1, 2) }, dns)).toThrow(expect.objectContaining({ name: 'CertificateError' }))
  })

  it('§3.1.6: ID_KEY_ID and ID_NULL stand in no certificate', () => {
    for (const idType of [11, 13, 200]) expect(() => bindIdentity(text(idType, 'x'), dns)).toThrow(mismatch)
  })
})

describe('RFC 7296 §2.15 who somebody is', () => {
  const file = readPkcs12(octets(pkcs12.today), 'secret words')
  const [own, root] = file.certificates.map(readCertificate)
  const identity: Identity = { idType: 9, data: own!.subject }
  const trust: Trust = { anchors: [root!], revocation: 'off' }
  const { now } = revocation
  const x509 = (der: Uint8Array): CertificatePayload => ({ encoding: 4, data: der })
  const auth = signAuth(file.key!, OCTETS, { hashAlgorithms: [2, 3, 4, 5] })
  const claim = { identity, auth, octets: OCTETS, certificates: [x509(own!.der)] }

  it('§3.6: by a certificate of a CA that is trusted', async () => {
    expect(await verifyPeer(claim, trust, { now })).toMatchObject({
      who: own!.subjectText,
      notAfter: Math.min(own!.notAfter, root!.notAfter),
    })
  })

  it.each([
    ['another identity', { ...claim, identity: text(2, 'gw.example') }, trust, 'IDENTITY_MISMATCH'],
    ['other octets', { ...claim, octets: OCTETS.slice(1) }, trust, 'BAD_SIGNATURE'],
    ['no certificate', { ...claim, certificates: [] }, trust, 'UNKNOWN_ISSUER'],
    ['a certificate of somebody else', { ...claim, certificates: [x509(octets(revocation.good))] }, trust, 'BAD_SIGNATURE'],
    ['another CA', claim, { ...trust, anchors: [] }, 'UNKNOWN_ISSUER'],
    ['no word of revocation where one is wanted', claim, { ...trust, revocation: 'hard' as const }, 'REVOCATION_UNKNOWN'],
    ['33 CERT payloads', { ...claim, certificates: Array(33).fill(x509(own!.der)) as CertificatePayload[] }, trust, 'LIMIT_EXCEEDED'],
  ])('§2.15: %s is refused', async (_, wrong, trusted, code) => {
    await expect(verifyPeer(wrong, trusted, { now })).rejects.toMatchObject({ name: 'CertificateError', code })
  })

  it('RFC 4806 §3: a list and an answer in CERT payloads are looked at', async () => {
    const list = { encoding: 7, data: octets(revocation.crl) }
    const certificates = [...claim.certificates, list, { encoding: 14, data: Uint8Array.of(1) }]
    expect(await verifyPeer({ ...claim, certificates }, { ...trust, revocation: 'soft' }, { now })).toMatchObject({ who: own!.subjectText })
  })

  it('§3.6: encodings that are not known here, and CERT payloads that cannot be read, do no harm', async () => {
    const certificates = [{ encoding: 2, data: Uint8Array.of(1) }, ...claim.certificates, x509(Uint8Array.of(1, 2, 3))]
    expect(await verifyPeer({ ...claim, certificates }, trust, { now })).toMatchObject({ who: own!.subjectText })
  })
})

describe('RFC 7670 raw public keys', () => {
  const key: KeyObject = createPrivateKey(forms['ec']!.pkcs8)
  const spki = publicKeyOf(key)
  const auth = signAuth(key, OCTETS, { hashAlgorithms: [2] })
  const claim = { identity: text(11, 'office'), auth, octets: OCTETS, certificates: [{ encoding: 15, data: spki }] }
  const trust: Trust = { anchors: [], rawPublicKeys: [spki], revocation: 'hard' }

  it('§3: a key that is known, sent or not', async () => {
    expect(await verifyPeer(claim, trust, { now: 0 })).toEqual({ who: 'a raw public key', notAfter: undefined })
    expect(await verifyPeer({ ...claim, certificates: [] }, trust, { now: 0 })).toMatchObject({ who: 'a raw public key' })
  })

  it('§3: a key that is not known', async () => {
    const other = octets(forms['p384']!.spki)
    await expect(verifyPeer({ ...claim, certificates: [{ encoding: 15, data: other }] }, trust, { now: 0 })).rejects.toMatchObject({
      code: 'UNKNOWN_ISSUER',
    })
    await expect(verifyPeer(claim, { ...trust, rawPublicKeys: [other] }, { now: 0 })).rejects.toMatchObject({ code: 'UNKNOWN_ISSUER' })
  })
})
