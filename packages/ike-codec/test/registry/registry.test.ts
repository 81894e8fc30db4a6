import { describe, expect, it } from 'vitest'
import * as codec from '../../src/index.ts'

const { nameOf, NotifyType, EncryptionId, PayloadType } = codec

describe('nameOf', () => {
  it('gives the registry’s word', () => {
    expect(nameOf(EncryptionId, 20)).toBe('ENCR_AES_GCM_16')
    expect(nameOf(NotifyType, 16388)).toBe('NAT_DETECTION_SOURCE_IP')
    expect(nameOf(PayloadType, 0)).toBe('NONE')
  })

  it('gives hex for a number without a name', () => {
    expect(nameOf(NotifyType, 40000)).toBe('0x9c40')
    expect(nameOf(PayloadType, 9)).toBe('0x09')
    expect(nameOf(EncryptionId, 0x123)).toBe('0x0123')
  })

  it('does not take names from a prototype', () => {
    expect(nameOf({}, 1)).toBe('0x01')
  })
})

describe('IKEv2 registries', () => {
  const registries = {
    ExchangeType: codec.ExchangeType,
    PayloadType: codec.PayloadType,
    ProtocolId: codec.ProtocolId,
    TransformType: codec.TransformType,
    EncryptionId: codec.EncryptionId,
    PrfId: codec.PrfId,
    IntegrityId: codec.IntegrityId,
    KeyExchangeMethod: codec.KeyExchangeMethod,
    SequenceNumbers: codec.SequenceNumbers,
    IdType: codec.IdType,
    AuthMethod: codec.AuthMethod,
    CertEncoding: codec.CertEncoding,
    NotifyType: codec.NotifyType,
    TrafficSelectorType: codec.TrafficSelectorType,
    CfgType: codec.CfgType,
    ConfigurationAttributeType: codec.ConfigurationAttributeType,
    HashAlgorithm: codec.HashAlgorithm,
    EapCode: codec.EapCode,
    RedirectGatewayType: codec.RedirectGatewayType,
  }

  for (const [name, registry] of Object.entries(registries)) {
    it(`${name} names each number once`, () => {
      const values: number[] = Object.values(registry)
      expect(new Set(values).size).toBe(values.length)
      for (const [word, value] of Object.entries(registry)) expect(nameOf(registry, value)).toBe(word)
    })
  }

  // The numbers that consecutive runs of names must end at: a name dropped or doubled in the middle shows here.
  it('RFC 7296 §3.10.1 and its extensions: notify runs end where they should', () => {
    expect(codec.NotifyType).toMatchObject({
      INVALID_KE_PAYLOAD: 17,
      AUTHENTICATION_FAILED: 24,
      TS_UNACCEPTABLE: 38,
      UNEXPECTED_NAT_DETECTED: 41,
      STATE_NOT_FOUND: 47,
      NON_FIRST_FRAGMENTS_ALSO: 16395,
      NO_NATS_ALLOWED: 16402,
      TICKET_OPAQUE: 16413,
      EAP_ONLY_AUTHENTICATION: 16417,
      IPSEC_REPLAY_COUNTER_SYNC: 16423,
      IKEV2_FRAGMENTATION_SUPPORTED: 16430,
      SIGNATURE_HASH_ALGORITHMS: 16431,
      PUZZLE: 16434,
      INTERMEDIATE_EXCHANGE_SUPPORTED: 16438,
      ADDITIONAL_KEY_EXCHANGE: 16441,
      PPK_IDENTITY_KEY: 16446,
    })
  })

  it('RFC 9370 §2.2: ADDKE1 to ADDKE7 are transform types 6 to 12', () => {
    const { ADDKE1, ADDKE7, KE, SN } = codec.TransformType
    expect([KE, SN, ADDKE1, ADDKE7]).toEqual([4, 5, 6, 12])
  })

  it('RFC 7670 §3 and RFC 4806 §3.1: certificate encodings 15 and 14', () => {
    expect([codec.CertEncoding.RAW_PUBLIC_KEY, codec.CertEncoding.OCSP_CONTENT]).toEqual([15, 14])
  })
})
