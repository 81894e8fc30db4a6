import {
  EncryptionId,
  IntegrityId,
  KeyExchangeMethod,
  PrfId,
  type Proposal,
  ProtocolId,
  type Transform,
  TransformType,
} from '@underpass/ike-codec'
import { describe, expect, it } from 'vitest'
import { chooseEspProposal, chooseIkeProposal, espOffer, ikeOffer, isAnswerTo } from '../../src/ike/proposals.ts'
import { DEFAULT_ESP_SUITES, DEFAULT_IKE_SUITES, parseEspSuite, parseIkeSuite } from '../../src/index.ts'
import { u32 } from '../../src/octets.ts'

const { ENCR, PRF, INTEG, KE, SN } = TransformType
const SPI = u32(0x11223344)
const OUR_SPI = u32(0x55667788)

describe('RFC 7296 §3.3 what an initiator offers', () => {
  it('RFC 7296 §3.3.1 (C-15): proposals are numbered from 1 without a gap', () => {
    expect(ikeOffer(DEFAULT_IKE_SUITES.map(parseIkeSuite)).map((proposal) => proposal.number)).toEqual(
      ikeOffer(DEFAULT_IKE_SUITES.map(parseIkeSuite)).map((_, index) => index + 1),
    )
    expect(espOffer(DEFAULT_ESP_SUITES.map(parseEspSuite), SPI, false).map((proposal) => proposal.number)).toEqual([1, 2])
  })

  it('RFC 5282 §8 (C-15): an AEAD proposal carries no INTEG, and no proposal mixes AEADs with other ciphers', () => {
    const aeads: readonly number[] = [EncryptionId.ENCR_AES_GCM_16, EncryptionId.ENCR_CHACHA20_POLY1305]
    for (const { transforms } of [
      ...ikeOffer(DEFAULT_IKE_SUITES.map(parseIkeSuite)),
      ...espOffer(DEFAULT_ESP_SUITES.map(parseEspSuite), SPI, false),
    ]) {
      const kinds = new Set(transforms.filter((transform) => transform.type === ENCR).map((transform) => aeads.includes(transform.id)))
      expect(kinds.size).toBe(1)
      expect(transforms.some((transform) => transform.type === INTEG)).toBe(!kinds.has(true))
    }
  })

  it('RFC 7296 §3.3.5 (C-15): several key lengths are several transforms of one proposal', () => {
    const [proposal] = espOffer([parseEspSuite('aes256gcm16'), parseEspSuite('aes128gcm16')], SPI, false)
    expect(proposal!.transforms.filter((transform) => transform.type === ENCR)).toEqual([
      { type: ENCR, id: EncryptionId.ENCR_AES_GCM_16, keyLength: 256 },
      { type: ENCR, id: EncryptionId.ENCR_AES_GCM_16, keyLength: 128 },
    ])
  })

  it('RFC 7296 §3.3.5 (C-16): a Key Length stands with variable-key ciphers only', () => {
    const transforms = ikeOffer(DEFAULT_IKE_SUITES.map(parseIkeSuite)).flatMap((proposal) => proposal.transforms)
    for (const transform of transforms)
      expect(transform.keyLength !== undefined).toBe(transform.type === ENCR && transform.id !== EncryptionId.ENCR_CHACHA20_POLY1305)
  })

  it('RFC 7296 §5 (C-35): nothing offered for an IKE SA goes without encryption or integrity', () => {
    const withCbc = [...DEFAULT_IKE_SUITES, 'aes256-sha256-modp2048', 'aes128-sha1-modp2048']
    for (const { transforms } of ikeOffer(withCbc.map(parseIkeSuite))) {
      const ids = (type: number): number[] => transforms.filter((transform) => transform.type === type).map(({ id }) => id)
      expect(ids(ENCR)).not.toContain(EncryptionId.ENCR_NULL)
      expect(ids(INTEG)).not.toContain(IntegrityId.NONE)
      // Combined-mode ciphers alone need no integrity transform (RFC 5282 §8).
      expect(ids(INTEG).length > 0).toBe(ids(ENCR).includes(EncryptionId.ENCR_AES_CBC))
    }
  })

  it('RFC 7296 §3.3: only what the configuration names can be chosen from the offer, no other combination of it', () => {
    const wanted = ['aes256gcm16-prfsha384-ecp384', 'aes128gcm16-prfsha256-x25519'].map(parseIkeSuite)
    const strange = ['aes256gcm16-prfsha256-x25519', 'aes128gcm16-prfsha384-ecp384', 'aes256gcm16-prfsha384-x25519'].map(parseIkeSuite)
    const offer = ikeOffer(wanted)
    for (const suite of wanted) expect(chooseIkeProposal(offer, [suite])).toBeDefined()
    for (const suite of strange) expect(chooseIkeProposal(offer, [suite])).toBeUndefined()
  })

  it('RFC 7296 §3.3: suites that differ in one type only share a proposal', () => {
    const offer = ikeOffer(
      ['aes256gcm16-prfsha256-x25519', 'aes256gcm16-prfsha256-ecp256', 'aes256gcm16-prfsha256-modp2048'].map(parseIkeSuite),
    )
    expect(offer).toHaveLength(1)
    expect(offer[0]!.transforms.filter((transform) => transform.type === KE).map((transform) => transform.id)).toEqual([
      KeyExchangeMethod.CURVE25519,
      KeyExchangeMethod.ECP_256,
      KeyExchangeMethod.MODP_2048,
    ])
  })

  it('RFC 7296 §3.3: each default suite can be chosen from the default offer', () => {
    const offer = ikeOffer(DEFAULT_IKE_SUITES.map(parseIkeSuite))
    for (const text of DEFAULT_IKE_SUITES) expect(chooseIkeProposal(offer, [parseIkeSuite(text)]), text).toBeDefined()
  })

  it('RFC 7296 §3.3.2: ESN is offered ahead of 32-bit numbers where it is configured, else not at all', () => {
    const numbers = (esn: boolean): number[] =>
      espOffer([parseEspSuite('aes256gcm16')], SPI, esn)[0]!
        .transforms.filter((transform) => transform.type === SN)
        .map((transform) => transform.id)
    expect(numbers(true)).toEqual([1, 0])
    expect(numbers(false)).toEqual([0])
  })

  it('RFC 7296 §1.2: the first Child SA takes no KE transform', () => {
    for (const proposal of espOffer(DEFAULT_ESP_SUITES.map(parseEspSuite), SPI, true))
      expect(proposal.transforms.some((transform) => transform.type === KE)).toBe(false)
  })
})

const CLASSIC: Transform[] = [
  { type: ENCR, id: EncryptionId.ENCR_AES_CBC, keyLength: 256 },
  { type: PRF, id: PrfId.PRF_HMAC_SHA2_256 },
  { type: INTEG, id: IntegrityId.AUTH_HMAC_SHA2_256_128 },
  { type: KE, id: KeyExchangeMethod.ECP_256 },
]
const classicSuite = parseIkeSuite('aes256-sha256-ecp256')

describe('RFC 7296 §3.3.6 what a responder chooses for the IKE SA', () => {
  it('RFC 7296 §2.7 (C-14): exactly one transform of each type, of one proposal, under its number', () => {
    const many = ike(7, [
      { type: ENCR, id: EncryptionId.ENCR_AES_CBC, keyLength: 128 },
      ...CLASSIC,
      { type: PRF, id: PrfId.PRF_HMAC_SHA1 },
      { type: KE, id: KeyExchangeMethod.MODP_2048 },
    ])
    const chosen = chooseIkeProposal([many], [classicSuite])
    expect(chosen!.proposal).toEqual({ number: 7, protocol: ProtocolId.IKE, spi: new Uint8Array(0), transforms: CLASSIC })
  })

  it('RFC 7296 §3.3.6 (C-17): a proposal with an unknown transform type is passed over, the others are not', () => {
    const odd = ike(1, [...CLASSIC, { type: 99, id: 1 }])
    expect(chooseIkeProposal([odd], [classicSuite])).toBeUndefined()
    expect(chooseIkeProposal([odd, ike(2, CLASSIC)], [classicSuite])!.proposal.number).toBe(2)
  })

  it.each([
    ['ENCR', ENCR],
    ['PRF', PRF],
    ['INTEG', INTEG],
    ['KE', KE],
  ])('RFC 7296 §3.3.3 (C-17): a proposal without %s is passed over, the others are not', (_, type) => {
    const lacking = ike(
      1,
      CLASSIC.filter((transform) => transform.type !== type),
    )
    expect(chooseIkeProposal([lacking, ike(2, CLASSIC)], [classicSuite])!.proposal.number).toBe(2)
    expect(chooseIkeProposal([lacking], [classicSuite])).toBeUndefined()
  })

  it('RFC 7296 §3.3.6 (C-17): an unknown transform ID is passed over, its proposal is not', () => {
    const chosen = chooseIkeProposal(
      [ike(1, [{ type: ENCR, id: 999, keyLength: 256 }, ...CLASSIC, { type: PRF, id: 777 }])],
      [classicSuite],
    )
    expect(chosen!.proposal.transforms).toEqual(CLASSIC)
  })

  it('RFC 7296 §3.3.6 (C-17): a transform with an unknown attribute is passed over, another of its type is not', () => {
    const odd: Transform = { ...CLASSIC[0]!, attributes: [{ type: 77, value: 1 }] }
    expect(chooseIkeProposal([ike(1, [odd, ...CLASSIC.slice(1)])], [classicSuite])).toBeUndefined()
    expect(chooseIkeProposal([ike(1, [odd, ...CLASSIC])], [classicSuite])!.proposal.transforms).toEqual(CLASSIC)
  })

  it('RFC 7296 §3.3.5 (C-16): AES without a Key Length is no AES that we know', () => {
    const lacking = [{ type: ENCR, id: EncryptionId.ENCR_AES_CBC }, ...CLASSIC.slice(1)]
    expect(chooseIkeProposal([ike(1, lacking)], [classicSuite])).toBeUndefined()
  })

  it('RFC 7634 §2 (C-16): ChaCha20-Poly1305 with a Key Length is refused', () => {
    const suite = parseIkeSuite('chacha20poly1305-prfsha256-x25519')
    const transforms = (keyLength?: number): Transform[] => [
      { type: ENCR, id: EncryptionId.ENCR_CHACHA20_POLY1305, ...(keyLength === undefined ? {} : { keyLength }) },
      { type: PRF, id: PrfId.PRF_HMAC_SHA2_256 },
      { type: KE, id: KeyExchangeMethod.CURVE25519 },
    ]
    expect(chooseIkeProposal([ike(1, transforms(256))], [suite])).toBeUndefined()
    expect(chooseIkeProposal([ike(1, transforms())], [suite])).toBeDefined()
  })

  it('RFC 5282 §8 (C-15): with an AEAD, INTEG may be absent or NONE and is answered as it came', () => {
    const suite = parseIkeSuite('aes256gcm16-prfsha256-x25519')
    const transforms: Transform[] = [
      { type: ENCR, id: EncryptionId.ENCR_AES_GCM_16, keyLength: 256 },
      { type: PRF, id: PrfId.PRF_HMAC_SHA2_256 },
      { type: KE, id: KeyExchangeMethod.CURVE25519 },
    ]
    const none: Transform = { type: INTEG, id: IntegrityId.NONE }
    expect(chooseIkeProposal([ike(1, transforms)], [suite])!.proposal.transforms).not.toContainEqual(none)
    expect(chooseIkeProposal([ike(1, [...transforms, none])], [suite])!.proposal.transforms).toContainEqual(none)
    expect(chooseIkeProposal([ike(1, [...transforms, CLASSIC[2]!])], [suite])).toBeUndefined()
  })

  it('RFC 7296 §2.7: our first suite wins, whatever the order of the offer', () => {
    const suites = ['aes256-sha256-ecp256', 'aes256-sha256-modp2048'].map(parseIkeSuite)
    const offer = ike(1, [{ type: KE, id: KeyExchangeMethod.MODP_2048 }, ...CLASSIC])
    expect(chooseIkeProposal([offer], suites)!.suite.keyExchange).toBe(KeyExchangeMethod.ECP_256)
  })

  it('RFC 7296 §1.2: a suite of the group whose key came is taken rather than one that costs another round trip', () => {
    const suites = ['aes256-sha256-ecp256', 'aes256-sha256-modp2048'].map(parseIkeSuite)
    const offer = ike(1, [...CLASSIC, { type: KE, id: KeyExchangeMethod.MODP_2048 }])
    expect(chooseIkeProposal([offer], suites, KeyExchangeMethod.MODP_2048)!.suite.keyExchange).toBe(KeyExchangeMethod.MODP_2048)
  })

  it('RFC 7296 §3.3.1: a proposal for another protocol is passed over', () => {
    expect(chooseIkeProposal([{ ...ike(1, CLASSIC), protocol: ProtocolId.ESP }], [classicSuite])).toBeUndefined()
  })
})

const GCM: Transform[] = [
  { type: ENCR, id: EncryptionId.ENCR_AES_GCM_16, keyLength: 256 },
  { type: SN, id: 0 },
]
const gcmSuite = parseEspSuite('aes256gcm16')

describe('RFC 7296 §3.3.6 what a responder chooses for ESP', () => {
  it('RFC 7296 §3.3.1 (C-14): the answer has the number of the offer and our SPI', () => {
    expect(chooseEspProposal([esp(3, GCM)], [gcmSuite], false, OUR_SPI)!.proposal).toEqual({
      number: 3,
      protocol: ProtocolId.ESP,
      spi: OUR_SPI,
      transforms: GCM,
    })
  })

  it('RFC 7296 §3.3.3 (C-17): a proposal without a Sequence Numbers transform lacks a mandatory type', () => {
    expect(chooseEspProposal([esp(1, GCM.slice(0, 1))], [gcmSuite], false, OUR_SPI)).toBeUndefined()
    expect(chooseEspProposal([esp(1, GCM.slice(0, 1)), esp(2, GCM)], [gcmSuite], false, OUR_SPI)!.proposal.number).toBe(2)
  })

  it.each([
    ['absent', [], true],
    ['NONE', [{ type: KE, id: 0 }], true],
    ['a group', [{ type: KE, id: KeyExchangeMethod.CURVE25519 }], false],
  ])('RFC 7296 §1.2: a KE transform that is %s in the first Child SA', (_, transforms, isTaken) => {
    expect(chooseEspProposal([esp(1, [...GCM, ...transforms])], [gcmSuite], false, OUR_SPI) !== undefined).toBe(isTaken)
  })

  it.each([
    [[1, 0], true, true],
    [[0, 1], true, true],
    [[0], true, false],
    [[1, 0], false, false],
  ])('RFC 4303 §2.2.1: of sequence numbers %j with ESN configured %j, ESN is %j', (offered, esn, chosen) => {
    const offer = esp(1, [GCM[0]!, ...offered.map((id) => ({ type: SN, id }))])
    expect(chooseEspProposal([offer], [gcmSuite], esn, OUR_SPI)!.esn).toBe(chosen)
  })

  it('RFC 4303 §2.2.1: an offer of ESN alone is refused where ESN is not configured', () => {
    expect(chooseEspProposal([esp(1, [GCM[0]!, { type: SN, id: 1 }])], [gcmSuite], false, OUR_SPI)).toBeUndefined()
  })

  it.each([
    ['0', u32(0)],
    ['two octets long', Uint8Array.of(1, 2)],
    ['eight octets long', new Uint8Array(8).fill(1)],
    ['absent', new Uint8Array(0)],
  ])('RFC 3948 §2 (U-1): a proposal whose SPI is %s is passed over', (_, spi) => {
    expect(chooseEspProposal([{ ...esp(1, GCM), spi }, esp(2, GCM)], [gcmSuite], false, OUR_SPI)!.proposal.number).toBe(2)
  })

  it('RFC 4301 §3.2 (E-6): encryption without integrity is never chosen, nor is neither of them', () => {
    const bare: Transform[] = [
      { type: ENCR, id: EncryptionId.ENCR_AES_CBC, keyLength: 256 },
      { type: SN, id: 0 },
    ]
    const none: Transform[] = [
      { type: ENCR, id: EncryptionId.ENCR_NULL },
      { type: INTEG, id: 0 },
      { type: SN, id: 0 },
    ]
    const suites = ['aes256-sha256', 'null-sha256', 'aes256gcm16'].map(parseEspSuite)
    expect(chooseEspProposal([esp(1, bare), esp(2, none)], suites, false, OUR_SPI)).toBeUndefined()
  })
})

describe('RFC 7296 §3.3.6 (C-14) an initiator checks the answer', () => {
  const offer = ikeOffer(['aes256gcm16-prfsha256-x25519', 'aes256-sha256-ecp256'].map(parseIkeSuite))
  const good = chooseIkeProposal(offer, [classicSuite])!.proposal

  it('RFC 7296 §3.3.6 (C-14): takes what a responder chooses', () => {
    expect(isAnswerTo([good], offer)).toBe(true)
  })

  it.each<[string, Proposal[]]>([
    ['none', []],
    ['two', [good, good]],
    ['one with a number that was not offered', [{ ...good, number: 9 }]],
    ['one under the number of another', [{ ...good, number: 1 }]],
    ['one for another protocol', [{ ...good, protocol: ProtocolId.ESP }]],
    ['one with two transforms of a type', [{ ...good, transforms: [...good.transforms, { type: KE, id: KeyExchangeMethod.ECP_256 }] }]],
    ['one without a type that was offered', [{ ...good, transforms: good.transforms.filter((transform) => transform.type !== INTEG) }]],
    ['one with another key length', [changed(good, ENCR, { keyLength: 128 })]],
    ['one with another cipher', [changed(good, ENCR, { id: EncryptionId.ENCR_NULL })]],
    ['one with a type that was not offered', [{ ...good, transforms: [...good.transforms, { type: SN, id: 0 }] }]],
    ['one with an attribute added', [changed(good, PRF, { attributes: [{ type: 3, value: 3 }] })]],
    ['one with NONE in the place of integrity', [changed(good, INTEG, { id: IntegrityId.NONE })]],
  ])('RFC 7296 §3.3.6 (C-14, C-35): refuses an answer of %s', (_, answer) => {
    expect(isAnswerTo(answer, offer)).toBe(false)
  })

  it('RFC 5282 §8: an AEAD answer may add INTEG NONE', () => {
    const aead = chooseIkeProposal(offer, [parseIkeSuite('aes256gcm16-prfsha256-x25519')])!.proposal
    expect(isAnswerTo([{ ...aead, transforms: [...aead.transforms, { type: INTEG, id: IntegrityId.NONE }] }], offer)).toBe(true)
  })
})

function ike(number: number, transforms: readonly Transform[]): Proposal {
  return { number, protocol: ProtocolId.IKE, spi: new Uint8Array(0), transforms }
}

function esp(number: number, transforms: readonly Transform[]): Proposal {
  return { number, protocol: ProtocolId.ESP, spi: SPI, transforms }
}

function changed(proposal: Proposal, type: number, change: Partial<Transform>): Proposal {
  return {
    ...proposal,
    transforms: proposal.transforms.map((transform) => (transform.type === type ? { ...transform, ...change } : transform)),
  }
}
