import { describe, expect, it } from 'vitest'
import { decodePayloads, encodePayloads, isAddressRange, NotifyType, notify, type Payload, ProtocolId } from '../../src/index.ts'
import { errorOf } from '../error-of.ts'
import { hex, octets } from '../octets.ts'

describe('RFC 7296 §3.10 Notify Payload', () => {
  it('an SPI Size beyond the payload is TRUNCATED', () => {
    expect(decodeError(41, '00 00 000a  03 04 4009 c0ff')).toEqual(['TRUNCATED', 'SK.N.spi', 8])
  })

  it('notify() concerns no SA unless told', () => {
    expect(notify(NotifyType.COOKIE, octets('01'))).toEqual({
      type: 'N',
      protocol: 0,
      spi: octets(''),
      notifyType: 16390,
      data: octets('01'),
    })
    expect(notify(NotifyType.REKEY_SA, undefined, { protocol: ProtocolId.ESP, spi: octets('01020304') })).toEqual({
      type: 'N',
      protocol: 3,
      spi: octets('01020304'),
      notifyType: 16393,
      data: octets(''),
    })
  })
})

describe('RFC 7296 §3.2 Payload Length bounds what is inside', () => {
  it('no length or count takes octets from the payload that follows', () => {
    const next = '00 00 000c  0102030405060708'
    expect(decodeError(41, `2b 00 000a  03 04 4009 c0ff ${next}`)).toEqual(['TRUNCATED', 'SK.N.spi', 8])
    expect(decodeError(42, `2b 00 000a  03 04 0001 0102 ${next}`)).toEqual(['TRUNCATED', 'SK.D.spi[0]', 8])
    expect(decodeError(47, `2b 00 000d  02 000000  0001 0004 0a ${next}`)).toEqual(['TRUNCATED', 'SK.CP.attribute[0].value', 12])
    expect(decodeError(44, `2b 00 0018  01 000000  07 00 0011  0000ffff 00000000 ffffffff ${next}`)).toEqual([
      'TRUNCATED',
      'SK.TSi.selector[0].length',
      10,
    ])
    expect(decodeError(34, `2b 00 0006  001f ${next}`)).toEqual(['TRUNCATED', 'SK.KE.method.reserved', 6])
  })
})

describe('RFC 7296 §3.11 Delete Payload', () => {
  it('SPIs of no octets are COUNT_MISMATCH: 8 octets do not buy 65535 array elements', () => {
    expect(decodeError(42, '00 00 0008  01 00 ffff')).toEqual(['COUNT_MISMATCH', 'SK.D.count', 6])
  })

  it('more SPIs than octets is TRUNCATED', () => {
    expect(decodeError(42, '00 00 000c  03 04 0002 01020304')).toEqual(['TRUNCATED', 'SK.D.spi[1]', 12])
  })

  it('octets after the last SPI are TRAILING_OCTETS', () => {
    expect(decodeError(42, '00 00 000d  03 04 0001 01020304 05')).toEqual(['TRAILING_OCTETS', 'SK.D', 12])
  })

  it('an SPI Size that the protocol does not have, with no SPI, is ILLEGAL_LENGTH', () => {
    expect(decodeError(42, '00 00 0008  01 08 0000')).toEqual(['ILLEGAL_LENGTH', 'SK.D.spiSize', 5])
  })

  it('no SPIs for ESP keeps SPI Size 4', () => {
    expect(hex(encodePayloads([{ type: 'D', protocol: 3, spis: [] }]).bytes)).toBe('0000000803040000')
  })

  it('SPIs of different or no size cannot be encoded', () => {
    expect(encodeError({ type: 'D', protocol: 3, spis: [octets('01020304'), octets('0102')] })).toEqual(['OUT_OF_RANGE', 'D.spi[1]'])
    expect(encodeError({ type: 'D', protocol: 3, spis: [octets('')] })).toEqual(['OUT_OF_RANGE', 'D.spi[0]'])
  })
})

describe('RFC 7296 §3.13 Traffic Selector Payload', () => {
  it('Number of TSs other than what is there is COUNT_MISMATCH', () => {
    expect(decodeError(44, '00 00 0008  01 000000')).toEqual(['COUNT_MISMATCH', 'SK.TSi.count', 4])
    expect(decodeError(44, '00 00 000c  00 000000  c8 00 0004')).toEqual(['COUNT_MISMATCH', 'SK.TSi.count', 4])
  })

  it('a Selector Length of zero is ILLEGAL_LENGTH and does not hang', () => {
    expect(decodeError(45, '00 00 000c  01 000000  c8 00 0000')).toEqual(['ILLEGAL_LENGTH', 'SK.TSr.selector[0].length', 10])
  })

  it('types 7 and 8 have one length each', () => {
    expect(decodeError(44, '00 00 0014  01 000000  07 00 000c 0000ffff 00000000')).toEqual([
      'ILLEGAL_LENGTH',
      'SK.TSi.selector[0].length',
      10,
    ])
    expect(decodeError(44, '00 00 0019  01 000000  07 00 0011 0000ffff 00000000 ffffffff 00')).toEqual([
      'ILLEGAL_LENGTH',
      'SK.TSi.selector[0].length',
      10,
    ])
    expect(decodeError(44, '00 00 0018  01 000000  08 00 0010 0000ffff 00000000 ffffffff')).toEqual([
      'ILLEGAL_LENGTH',
      'SK.TSi.selector[0].length',
      10,
    ])
  })

  it('addresses of the wrong size, and unknown bodies under type 7, cannot be encoded', () => {
    const range = { ipProtocol: 0, startPort: 0, endPort: 0, startAddress: octets('00000000'), endAddress: octets('ffffffff') }
    expect(encodeError({ type: 'TSi', selectors: [{ tsType: 8, ...range }] })).toEqual(['OUT_OF_RANGE', 'TSi.selector[0].startAddress'])
    expect(encodeError({ type: 'TSi', selectors: [{ tsType: 7, ...range, endAddress: octets('ff') }] })).toEqual([
      'OUT_OF_RANGE',
      'TSi.selector[0].endAddress',
    ])
    expect(encodeError({ type: 'TSi', selectors: [{ tsType: 7, body: octets('') }] })).toEqual(['OUT_OF_RANGE', 'TSi.selector[0].tsType'])
  })

  it('holds 255 selectors and refuses to encode 256', () => {
    const selectors = Array.from({ length: 255 }, () => ({ tsType: 200, body: octets('') }))
    const { firstPayload, bytes } = encodePayloads([{ type: 'TSi', selectors }])
    expect(decodePayloads(firstPayload, bytes)).toEqual([{ type: 'TSi', selectors }])
    expect(encodeError({ type: 'TSi', selectors: [...selectors, { tsType: 200, body: octets('') }] })).toEqual([
      'OUT_OF_RANGE',
      'TSi.count',
    ])
  })

  it('isAddressRange tells the types of RFC 7296 from others', () => {
    const range = { tsType: 7, ipProtocol: 0, startPort: 0, endPort: 0, startAddress: octets(''), endAddress: octets('') } as const
    expect(isAddressRange(range)).toBe(true)
    expect(isAddressRange({ tsType: 10, body: octets('') })).toBe(false)
  })
})

describe('RFC 7296 §3.15 Configuration Payload', () => {
  it('ignores the R bit of an attribute', () => {
    expect(decodePayloads(47, octets('00 00 000c  01 000000  8001 0000'))).toEqual([
      { type: 'CP', cfgType: 1, attributes: [{ type: 1, value: octets('') }] },
    ])
  })

  it('an attribute beyond the payload is TRUNCATED with its index', () => {
    expect(decodeError(47, '00 00 0011  02 000000  0001 0000  0003 0004 0a')).toEqual(['TRUNCATED', 'SK.CP.attribute[1].value', 16])
  })
})

describe('RFC 7296 §3.16 EAP Payload', () => {
  it('Length "MUST be four less than the Payload Length"', () => {
    expect(decodeError(48, '00 00 0009  02 01 0006 01')).toEqual(['LENGTH_MISMATCH', 'SK.EAP.length', 6])
    expect(decodeError(48, '00 00 0009  02 01 0004 01')).toEqual(['LENGTH_MISMATCH', 'SK.EAP.length', 6])
  })

  it('a Request without a Type is TRUNCATED', () => {
    expect(decodeError(48, '00 00 0008  01 01 0004')).toEqual(['TRUNCATED', 'SK.EAP.eapType', 8])
  })

  it('Success and Failure have no data', () => {
    expect(decodeError(48, '00 00 0009  03 01 0005 01')).toEqual(['TRAILING_OCTETS', 'SK.EAP', 8])
  })

  it('a Type where there is none, or none where there is one, cannot be encoded', () => {
    expect(encodeError({ type: 'EAP', code: 3, identifier: 1, eapType: 1, data: octets('') })).toEqual(['OUT_OF_RANGE', 'EAP.eapType'])
    expect(encodeError({ type: 'EAP', code: 1, identifier: 1, data: octets('') })).toEqual(['OUT_OF_RANGE', 'EAP.eapType'])
    expect(encodeError({ type: 'EAP', code: 4, identifier: 1, data: octets('00') })).toEqual(['OUT_OF_RANGE', 'EAP.data'])
  })
})

function decodeError(payloadType: number, bytes: string): readonly unknown[] {
  const error = errorOf(() => decodePayloads(payloadType, octets(bytes)))
  return [error.code, error.path, error.offset]
}

function encodeError(payload: Payload): readonly unknown[] {
  const error = errorOf(() => encodePayloads([payload]))
  return [error.code, error.path]
}
