import { describe, expect, it } from 'vitest'
import { CodecError, decodePayloads, encodePayloads, type Payload } from '../src/index.ts'
import { decodeOr, errorOf } from './error-of.ts'
import { golden, payloadTypeOf } from './golden.ts'
import { concat, hex, octets } from './octets.ts'
import vectors from './vectors/rfc.json' with { type: 'json' }

describe('Payloads against the octets of their diagrams', () => {
  for (const { title, payload, octets: expected } of golden) {
    it(`${title}: encodes`, () => {
      const { firstPayload, bytes } = encodePayloads([payload])
      expect(hex(bytes)).toBe(hex(expected))
      expect(firstPayload).toBe(payloadTypeOf(payload))
    })

    it(`${title}: decodes`, () => {
      expect(decodePayloads(payloadTypeOf(payload), expected)).toEqual([payload])
    })

    it(`${title}: truncated at each offset is an error with a path`, () => {
      for (let length = 0; length < expected.length; length++) {
        const error = errorOf(() => decodePayloads(payloadTypeOf(payload), expected.slice(0, length), 'inner'))
        expect(error.code).toBe('TRUNCATED')
        expect(error.path).toMatch(/^inner\.\w+\.\w+/)
        expect(error.offset).toBeLessThanOrEqual(length)
      }
    })

    it(`${title}: cut short with a Payload Length to match never loses or invents octets`, () => {
      for (let length = 4; length < expected.length; length++) {
        const cut = expected.slice(0, length)
        cut.set([length >> 8, length & 0xff], 2)
        const result = decodeOr(() => decodePayloads(payloadTypeOf(payload), cut))
        if (result instanceof CodecError) expect(result.path).toMatch(/^SK\.\w+/)
        else expect(hex(encodePayloads(result).bytes)).toBe(hex(cut))
      }
    })

    it(`${title}: one octet more is TRAILING_OCTETS`, () => {
      const error = errorOf(() => decodePayloads(payloadTypeOf(payload), concat(expected, octets('00')), 'inner'))
      expect(error).toMatchObject({ code: 'TRAILING_OCTETS', path: 'inner', offset: expected.length })
    })
  }
})

describe('RFC 7296 §3.2 Generic Payload Header', () => {
  it('chains payloads by Next Payload, in any order (C-11)', () => {
    const payloads = golden.map(({ payload }) => payload).reverse()
    const { firstPayload, bytes } = encodePayloads(payloads)
    expect(decodePayloads(firstPayload, bytes)).toEqual(payloads)
  })

  it('no payloads are no octets and Next Payload 0', () => {
    expect(encodePayloads([])).toEqual({ firstPayload: 0, bytes: new Uint8Array() })
    expect(decodePayloads(0, new Uint8Array())).toEqual([])
  })

  it('octets after Next Payload 0 are TRAILING_OCTETS', () => {
    expect(errorOf(() => decodePayloads(0, octets('00')))).toMatchObject({ code: 'TRAILING_OCTETS', path: 'SK', offset: 0 })
  })

  it('a Payload Length below 4, zero among them, is ILLEGAL_LENGTH', () => {
    for (const length of ['0000', '0001', '0002', '0003']) {
      const error = errorOf(() => decodePayloads(43, octets(`2b 00 ${length} 0000 0000`)))
      expect(error).toMatchObject({ code: 'ILLEGAL_LENGTH', path: 'SK.V.length', offset: 2 })
    }
  })

  it('ignores RESERVED bits and writes them zero (C-10)', () => {
    const payloads = decodePayloads(34, octets('00 7f 000a  001f beef  0102'))
    expect(payloads).toEqual([{ type: 'KE', method: 31, data: octets('0102') }])
    expect(hex(encodePayloads(payloads).bytes)).toBe('0000000a001f00000102')
  })

  it('names an unknown payload in the path of an error by its number', () => {
    expect(errorOf(() => decodePayloads(200, octets('00 00 0005'))).path).toBe('SK.0xc8.length')
    expect(errorOf(() => decodePayloads(51, octets('00 00 0005'))).path).toBe('SK.GSA.length')
  })

  it('a payload longer than 65535 octets cannot be encoded', () => {
    expect(encodePayloads([{ type: 'Nonce', data: new Uint8Array(65531) }]).bytes.length).toBe(65535)
    const error = errorOf(() => encodePayloads([{ type: 'Nonce', data: new Uint8Array(65532) }]))
    expect(error).toMatchObject({ code: 'TOO_LONG', path: 'Nonce.length' })
  })

  it('numbers that do not fit cannot be encoded', () => {
    const bad: readonly [Payload, string][] = [
      [{ type: 'KE', method: 65536, data: octets('') }, 'KE.method'],
      [{ type: 'KE', method: -1, data: octets('') }, 'KE.method'],
      [{ type: 'KE', method: 1.5, data: octets('') }, 'KE.method'],
      [{ type: 'IDi', idType: 256, data: octets('') }, 'IDi.idType'],
      [{ type: 'CP', cfgType: 1, attributes: [{ type: 0x8000, value: octets('') }] }, 'CP.attribute[0].type'],
      [{ type: 'unknown', payloadType: 256, body: octets('') }, 'unknown.nextPayload'],
    ]
    for (const [payload, path] of bad) {
      const before: Payload = { type: 'unknown', payloadType: 1, body: octets('') }
      const error = errorOf(() => encodePayloads(payload.type === 'unknown' ? [before, payload] : [payload]))
      expect(error).toMatchObject({ code: 'OUT_OF_RANGE', path })
    }
  })
})

describe('Payloads printed in RFCs', () => {
  it('RFC 7670 Appendix A.1: CERT with a raw public key', () => {
    const bytes = octets(vectors.rfc7670AppendixA1)
    const payloads = decodePayloads(37, bytes)
    expect(payloads).toEqual([{ type: 'CERT', encoding: 15, data: bytes.subarray(5) }])
    expect(encodePayloads(payloads).bytes).toEqual(bytes)
  })

  it('RFC 7427 Appendix B.1: the start of AUTH with method 14', () => {
    const bytes = octets(vectors.rfc7427AppendixB1)
    const payloads = decodePayloads(39, bytes)
    expect(payloads).toEqual([{ type: 'AUTH', method: 14, data: octets('0f 300d06092a864886f70d0101050500') }])
    expect(encodePayloads(payloads).bytes).toEqual(bytes)
  })

  it('RFC 7634 Appendix B: N(SET_WINDOW_SIZE)', () => {
    const bytes = octets(vectors.rfc7634AppendixB.plaintextWithoutPadLength)
    const payloads = decodePayloads(41, bytes)
    expect(payloads).toEqual([{ type: 'N', protocol: 0, spi: octets(''), notifyType: 16385, data: octets('0000000a') }])
    expect(encodePayloads(payloads)).toEqual({ firstPayload: 41, bytes })
  })
})
