import { describe, expect, it } from 'vitest'
import { decodePayloads, encodePayloads, type Payload, type Proposal, type Transform } from '../../src/index.ts'
import { errorOf } from '../error-of.ts'
import { hex, octets } from '../octets.ts'

describe('RFC 7296 §3.3 lengths and counts "MUST be consistent"', () => {
  it('a Transform Length beyond the proposal is TRUNCATED at SA.proposal[0].transform[1].length', () => {
    expect(saError('00 00 0018 01010002  03 00 0008 02000005  00 00 0009 0400001f')).toEqual([
      'TRUNCATED',
      'SK.SA.proposal[0].transform[1].length',
      4 + 8 + 8 + 2,
    ])
  })

  it('a Transform Length of 0 to 3 is ILLEGAL_LENGTH and does not hang', () => {
    for (const length of ['0000', '0003']) {
      expect(saError(`00 00 0010 01010001  00 00 ${length} 0400001f`)).toEqual([
        'ILLEGAL_LENGTH',
        'SK.SA.proposal[0].transform[0].length',
        14,
      ])
    }
  })

  it('a Transform Length of 4 to 7 leaves no room for Transform ID', () => {
    expect(saError('00 00 000e 01010001  00 00 0006 0400')).toEqual(['TRUNCATED', 'SK.SA.proposal[0].transform[0].id', 18])
  })

  it('a Proposal Length of 0 is ILLEGAL_LENGTH and does not hang', () => {
    expect(saError('02 00 0000 01010000')).toEqual(['ILLEGAL_LENGTH', 'SK.SA.proposal[0].length', 6])
  })

  it('a Proposal Length beyond the payload is TRUNCATED', () => {
    expect(saError('00 00 0009 01010000')).toEqual(['TRUNCATED', 'SK.SA.proposal[0].length', 6])
  })

  it('an SPI Size beyond the proposal is TRUNCATED', () => {
    expect(saError('00 00 000a 01030400 0102')).toEqual(['TRUNCATED', 'SK.SA.proposal[0].spi', 12])
  })

  it('Num Transforms other than what is there is COUNT_MISMATCH', () => {
    expect(saError('00 00 0010 01010002  00 00 0008 0400001f')).toEqual(['COUNT_MISMATCH', 'SK.SA.proposal[0].transformCount', 11])
    expect(saError('00 00 0010 01010000  00 00 0008 0400001f')).toEqual(['COUNT_MISMATCH', 'SK.SA.proposal[0].transformCount', 11])
  })

  it('Last Substruc 0 before another proposal is TRAILING_OCTETS', () => {
    expect(saError('00 00 0008 01010000  00 00 0008 02010000')).toEqual(['TRAILING_OCTETS', 'SK.SA', 12])
  })

  it('Last Substruc 2 with nothing after it is TRUNCATED', () => {
    expect(saError('02 00 0008 01010000')).toEqual(['TRUNCATED', 'SK.SA.proposal[1]', 12])
  })

  it('Last Substruc 3 in a proposal, or 2 in a transform, is ILLEGAL_VALUE', () => {
    expect(saError('03 00 0008 01010000')).toEqual(['ILLEGAL_VALUE', 'SK.SA.proposal[0].lastSubstruc', 4])
    expect(saError('00 00 0010 01010001  02 00 0008 0400001f')).toEqual([
      'ILLEGAL_VALUE',
      'SK.SA.proposal[0].transform[0].lastSubstruc',
      12,
    ])
  })

  it('a TLV attribute beyond its transform is TRUNCATED', () => {
    expect(saError('00 00 0014 01010001  00 00 000c 01000014 0063 0001')).toEqual([
      'TRUNCATED',
      'SK.SA.proposal[0].transform[0].attribute[0].value',
      24,
    ])
  })

  it('ignores RESERVED octets (C-10)', () => {
    const proposals = decodeSa('00 ff 0010 01010001  00 ff 0008 04ff001f')
    expect(proposals).toEqual([{ number: 1, protocol: 1, spi: octets(''), transforms: [{ type: 4, id: 31 }] }])
  })
})

describe('RFC 7296 §3.3.1 Proposal', () => {
  it('keeps proposal numbers, SPIs of any size and unknown protocols for the negotiation to judge (C-15)', () => {
    const proposals: Proposal[] = [
      { number: 9, protocol: 201, spi: octets('010203'), transforms: [] },
      { number: 9, protocol: 1, spi: octets('0102030405060708'), transforms: [] },
    ]
    expect(roundTrip(proposals)).toEqual(proposals)
  })

  it('holds 255 transforms and refuses to encode 256', () => {
    const transforms: Transform[] = Array.from({ length: 255 }, (_, id) => ({ type: 4, id }))
    const proposal = { number: 1, protocol: 1, spi: octets('') }
    expect(roundTrip([{ ...proposal, transforms }])).toEqual([{ ...proposal, transforms }])
    const tooMany: Payload = { type: 'SA', proposals: [{ ...proposal, transforms: [...transforms, { type: 4, id: 0 }] }] }
    expect(errorOf(() => encodePayloads([tooMany]))).toMatchObject({ code: 'OUT_OF_RANGE', path: 'SA.proposal[0].transformCount' })
  })
})

describe('RFC 7296 §3.3.5 Transform Attributes', () => {
  it('Key Length is in bits and in the TV format (C-16)', () => {
    expect(transformOf('00 00 000c 0100000c 800e0100')).toEqual({ type: 1, id: 12, keyLength: 256 })
  })

  it('keeps unknown transform types, IDs and attributes (C-17)', () => {
    expect(transformOf('00 00 000c f0001234 8063ffff')).toEqual({ type: 0xf0, id: 0x1234, attributes: [{ type: 99, value: 0xffff }] })
  })

  it('a Key Length in the TLV format, repeated, or behind another attribute stays among the attributes (§3.3.6)', () => {
    const cases: readonly [string, Transform][] = [
      ['000e 0002 0100', { type: 1, id: 12, attributes: [{ type: 14, value: octets('0100') }] }],
      ['800e0080 800e0100', { type: 1, id: 12, keyLength: 128, attributes: [{ type: 14, value: 256 }] }],
      [
        '80630001 800e0100',
        {
          type: 1,
          id: 12,
          attributes: [
            { type: 99, value: 1 },
            { type: 14, value: 256 },
          ],
        },
      ],
    ]
    for (const [attributes, transform] of cases) {
      const length = (8 + octets(attributes).length).toString(16).padStart(4, '0')
      const bytes = `00 00 ${length} 0100000c ${attributes}`
      expect(transformOf(bytes)).toEqual(transform)
      expect(hex(encodePayloads([sa([transform])]).bytes.subarray(12))).toBe(hex(octets(bytes)))
    }
  })

  it('a Key Length of 65536 bits or an attribute type of 16 bits cannot be encoded', () => {
    const error = errorOf(() => encodePayloads([sa([{ type: 1, id: 12, keyLength: 65536 }])]))
    expect(error).toMatchObject({ code: 'OUT_OF_RANGE', path: 'SA.proposal[0].transform[0].keyLength.value' })
    const attributes = [{ type: 0x8000, value: 1 }]
    expect(errorOf(() => encodePayloads([sa([{ type: 1, id: 12, attributes }])]))).toMatchObject({
      code: 'OUT_OF_RANGE',
      path: 'SA.proposal[0].transform[0].attribute[0].type',
    })
  })
})

function saError(body: string): readonly unknown[] {
  const error = errorOf(() => decodeSa(body))
  return [error.code, error.path, error.offset]
}

function decodeSa(body: string): readonly Proposal[] {
  const bytes = octets(`00 00 0000 ${body}`)
  bytes.set([bytes.length >> 8, bytes.length & 0xff], 2)
  const [payload] = decodePayloads(33, bytes)
  if (payload?.type !== 'SA') throw new Error('expected SA')
  return payload.proposals
}

function transformOf(transform: string): Transform | undefined {
  const length = (8 + octets(transform).length).toString(16).padStart(4, '0')
  return decodeSa(`00 00 ${length} 01010001 ${transform}`)[0]?.transforms[0]
}

function sa(transforms: readonly Transform[]): Payload {
  return { type: 'SA', proposals: [{ number: 1, protocol: 1, spi: new Uint8Array(), transforms }] }
}

function roundTrip(proposals: readonly Proposal[]): readonly Proposal[] {
  return decodeSa(hex(encodePayloads([{ type: 'SA', proposals }]).bytes.subarray(4)))
}
