import { describe, expect, it, vi } from 'vitest'
import {
  type CodecError,
  decodeHeader,
  decodeMessage,
  decodePayloads,
  describeMessage,
  encodeEncryptedEnvelope,
  encodeMessage,
  encodePayloads,
  encryptedBodyOffset,
  type HeaderFields,
  notify,
  type Payload,
  unsupportedCriticalPayload,
} from '../src/index.ts'
import { errorOf } from './error-of.ts'
import { concat, hex, octets } from './octets.ts'
import wire from './vectors/messages.json' with { type: 'json' }
import vectors from './vectors/rfc.json' with { type: 'json' }

const header: HeaderFields = { initiatorSpi: 0xa1n, responderSpi: 0xb1n, exchangeType: 37, flags: 0x08, messageId: 7 }

describe('RFC 7634 Appendix B: an INFORMATIONAL request', () => {
  const bytes = octets(vectors.rfc7634AppendixB.message)
  const aad = octets(vectors.rfc7634AppendixB.aad)

  it('decodes', () => {
    const { header: decoded, payloads } = decodeMessage(bytes)
    expect(decoded).toEqual({
      initiatorSpi: 0xc0c1c2c3c4c5c6c7n,
      responderSpi: 0xd0d1d2d3d4d5d6d7n,
      nextPayload: 46,
      majorVersion: 2,
      minorVersion: 0,
      exchangeType: 37,
      flags: 0,
      messageId: 9,
      length: 69,
    })
    expect(payloads).toEqual([{ type: 'SK', firstPayload: 41, body: bytes.subarray(32) }])
  })

  it('encodes to the same octets', () => {
    expect(hex(encodeMessage(decodeMessage(bytes)))).toBe(hex(bytes))
  })

  it('RFC 5282 §5.1: what is before the body is the AAD, sent and received (C-31)', () => {
    const message = decodeMessage(bytes)
    expect(encryptedBodyOffset(bytes, message)).toBe(32)
    const envelope = encodeEncryptedEnvelope(message.header, [], { firstPayload: 41, bodyLength: 8 + 13 + 16 })
    expect(envelope.bodyOffset).toBe(32)
    expect(hex(envelope.bytes.subarray(0, envelope.bodyOffset))).toBe(hex(aad))
    envelope.bytes.set(bytes.subarray(32), envelope.bodyOffset)
    expect(hex(envelope.bytes)).toBe(hex(bytes))
  })

  it('reads in the notation of RFC 7296', () => {
    const inner = decodePayloads(41, octets(vectors.rfc7634AppendixB.plaintextWithoutPadLength))
    expect(describeMessage(decodeMessage(bytes), inner)).toBe('HDR, SK {N(SET_WINDOW_SIZE)}')
  })
})

describe('RFC 7296 §3 Messages in the clear', () => {
  for (const { title, octets: text, describe: description } of wire.messages) {
    const bytes = octets(text)

    it(`${title}: reads ${description} and encodes to the same octets`, () => {
      const message = decodeMessage(bytes)
      expect(describeMessage(message)).toBe(description)
      expect(hex(encodeMessage(message))).toBe(hex(bytes))
    })

    it(`${title}: truncated at each offset is an error with a path`, () => {
      for (let length = 0; length < bytes.length; length++) {
        const error = errorOf(() => decodeMessage(bytes.slice(0, length)))
        expect(error.code).toBe(length < 28 ? 'TRUNCATED' : 'LENGTH_MISMATCH')
        expect(error.path).toMatch(/^HDR\.\w+$/)
      }
    })

    it(`${title}: truncated at each offset with a Length to match is an error with a path`, () => {
      for (let length = 28; length < bytes.length; length++) {
        const error = errorOf(() => decodeMessage(withLength(bytes.slice(0, length))))
        expect(error.code).toBe('TRUNCATED')
        expect(error.path).toMatch(/^\w+\.\w+$/)
      }
    })

    it(`${title}: one octet more is TRAILING_OCTETS`, () => {
      const error = errorOf(() => decodeMessage(withLength(concat(bytes, octets('00')))))
      expect(error).toMatchObject({ code: 'TRAILING_OCTETS', path: 'HDR.length', offset: bytes.length } satisfies Partial<CodecError>)
    })
  }

  it('RFC 7296 §1.2: the values of an IKE_SA_INIT request', () => {
    const { payloads } = decodeMessage(octets(wire.messages[0]?.octets ?? ''))
    expect(payloads.map(({ type }) => type)).toEqual(['SA', 'KE', 'Nonce', 'N', 'N'])
    expect(payloads[1]).toEqual({ type: 'KE', method: 31, data: octets(vectors.rfc8031AppendixA.pub_i) })
  })

  it('decoded octets are views into the input', () => {
    const bytes = octets(wire.messages[0]?.octets ?? '')
    const nonce = decodeMessage(bytes).payloads[2]
    bytes[28 + 40 + 40 + 4] = 0xff
    expect(nonce).toMatchObject({ type: 'Nonce', data: octets('ff0102030405060708090a0b0c0d0e0f') })
  })

  it('decodes from the middle of a larger buffer', () => {
    const bytes = octets(wire.messages[0]?.octets ?? '')
    const framed = concat(octets('0000 00000000'), bytes, octets('ffff'))
    const view = framed.subarray(6, 6 + bytes.length)
    expect(decodeMessage(view)).toEqual(decodeMessage(bytes))
  })
})

describe('RFC 7296 §3.1 The IKE Header', () => {
  it('Length other than the octets given is LENGTH_MISMATCH', () => {
    const bytes = encodeMessage({ header, payloads: [] })
    expect(hex(bytes)).toBe('00000000000000a100000000000000b1002025080000000700 00001c'.replaceAll(' ', ''))
    expect(errorOf(() => decodeHeader(concat(bytes, octets('00'))))).toMatchObject({
      code: 'LENGTH_MISMATCH',
      path: 'HDR.length',
      offset: 24,
    })
  })

  it('fewer than 28 octets are TRUNCATED at the field that is cut', () => {
    expect(errorOf(() => decodeHeader(new Uint8Array()))).toMatchObject({ code: 'TRUNCATED', path: 'HDR.initiatorSpi', offset: 0 })
    expect(errorOf(() => decodeHeader(new Uint8Array(27)))).toMatchObject({ code: 'TRUNCATED', path: 'HDR.length', offset: 24 })
  })

  it('decodeHeader looks at nothing after the header', () => {
    const bytes = withLength(concat(encodeMessage({ header, payloads: [] }), octets('ffffffff')))
    bytes[16] = 33
    expect(decodeHeader(bytes)).toMatchObject({ nextPayload: 33, length: 32 })
  })

  it('keeps a higher major version for the caller to answer with INVALID_MAJOR_VERSION (C-9)', () => {
    const bytes = encodeMessage({ header: { ...header, majorVersion: 3, minorVersion: 5 }, payloads: [] })
    expect(bytes[17]).toBe(0x35)
    expect(decodeHeader(bytes)).toMatchObject({ majorVersion: 3, minorVersion: 5 })
  })

  it('keeps all flags, those that are to be ignored too (C-30)', () => {
    for (const flags of [0x08, 0x20, 0x28, 0x10, 0xff]) {
      const bytes = encodeMessage({ header: { ...header, flags }, payloads: [] })
      expect(bytes[19]).toBe(flags)
      expect(decodeHeader(bytes).flags).toBe(flags)
    }
  })

  it('SPIs and Message ID use their whole width', () => {
    const wide = { ...header, initiatorSpi: 0xffff_ffff_ffff_ffffn, responderSpi: 1n << 63n, messageId: 0xffff_ffff }
    expect(decodeHeader(encodeMessage({ header: wide, payloads: [] }))).toMatchObject(wide)
  })

  it('fields that do not fit cannot be encoded', () => {
    const bad: readonly [Partial<HeaderFields>, string][] = [
      [{ initiatorSpi: 1n << 64n }, 'HDR.initiatorSpi'],
      [{ responderSpi: -1n }, 'HDR.responderSpi'],
      [{ messageId: 2 ** 32 }, 'HDR.messageId'],
      [{ majorVersion: 16 }, 'HDR.majorVersion'],
      [{ minorVersion: 16 }, 'HDR.minorVersion'],
      [{ exchangeType: 256 }, 'HDR.exchangeType'],
    ]
    for (const [fields, path] of bad) {
      expect(errorOf(() => encodeMessage({ header: { ...header, ...fields }, payloads: [] }))).toMatchObject({ code: 'OUT_OF_RANGE', path })
    }
  })
})

describe('RFC 7296 §3.14 Encrypted Payload', () => {
  const sk: Payload = { type: 'SK', firstPayload: 0, body: octets('0102') }

  it('SK must be the last payload (C-31)', () => {
    expect(errorOf(() => encodeMessage({ header, payloads: [sk, { type: 'V', data: octets('') }] }))).toMatchObject({
      code: 'ENCRYPTED_NOT_LAST',
      path: 'SK',
    })
  })

  it('an SK inside an SK is ILLEGAL_VALUE, SKF too', () => {
    const { firstPayload, bytes } = encodePayloads([{ type: 'V', data: octets('') }, sk])
    expect(errorOf(() => decodePayloads(firstPayload, bytes))).toMatchObject({ code: 'ILLEGAL_VALUE', path: 'SK.SK', offset: 4 })
    expect(errorOf(() => decodePayloads(53, bytes))).toMatchObject({ code: 'ILLEGAL_VALUE', path: 'SK.SKF', offset: 0 })
  })

  it('an empty SK body and any SK length decode; the cipher judges them', () => {
    const bytes = encodeMessage({ header, payloads: [{ type: 'SK', firstPayload: 0, body: octets('') }] })
    expect(encryptedBodyOffset(bytes, decodeMessage(bytes))).toBe(bytes.length)
  })

  it('encryptedBodyOffset needs an SK or SKF', () => {
    const bytes = encodeMessage({ header, payloads: [notify(16390)] })
    expect(errorOf(() => encryptedBodyOffset(bytes, decodeMessage(bytes))).code).toBe('ENCRYPTED_NOT_LAST')
  })

  it('the envelope has clear payloads before SK', () => {
    const clear: Payload[] = [notify(16390, octets('c00c1e'))]
    const { bytes, bodyOffset } = encodeEncryptedEnvelope(header, clear, { firstPayload: 35, bodyLength: 40 })
    expect(bodyOffset).toBe(28 + 11 + 4)
    expect(bytes.length).toBe(bodyOffset + 40)
    expect(decodeMessage(bytes).payloads).toEqual([...clear, { type: 'SK', firstPayload: 35, body: new Uint8Array(40) }])
    expect(encryptedBodyOffset(bytes, decodeMessage(bytes))).toBe(bodyOffset)
  })

  it('a body that 16 bits cannot count is TOO_LONG', () => {
    expect(encodeEncryptedEnvelope(header, [], { firstPayload: 0, bodyLength: 65531 }).bytes.length).toBe(28 + 65535)
    for (const bodyLength of [65532, 65536, 2 ** 40]) {
      expect(errorOf(() => encodeEncryptedEnvelope(header, [], { firstPayload: 0, bodyLength })).code).toBe('TOO_LONG')
    }
    expect(errorOf(() => encodeEncryptedEnvelope(header, [], { firstPayload: 0, bodyLength: -1 })).code).toBe('OUT_OF_RANGE')
  })
})

describe('RFC 7383 §2.5 Fragmenting Message', () => {
  it('Fragment Number and Total Fragments are before the body, so in the AAD', () => {
    const { bytes, bodyOffset } = encodeEncryptedEnvelope(header, [], {
      firstPayload: 35,
      bodyLength: 3,
      fragment: { number: 1, total: 2 },
    })
    expect(hex(bytes.subarray(28))).toBe('2300000b00010002000000')
    expect(bodyOffset).toBe(36)
    expect(encryptedBodyOffset(bytes, decodeMessage(bytes))).toBe(36)
  })

  it('Next Payload is set in fragment 1 and zero in the others', () => {
    const firsts = [1, 2, 3].map((number) => {
      const envelope = encodeEncryptedEnvelope(header, [], { firstPayload: 35, bodyLength: 1, fragment: { number, total: 3 } })
      return decodeMessage(envelope.bytes).payloads[0]
    })
    expect(firsts).toMatchObject([
      { type: 'SKF', firstPayload: 35, fragmentNumber: 1, totalFragments: 3 },
      { type: 'SKF', firstPayload: 0, fragmentNumber: 2 },
      { type: 'SKF', firstPayload: 0, fragmentNumber: 3 },
    ])
  })

  it('numbers that RFC 7383 §2.6 discards silently are no syntax error', () => {
    const payloads: Payload[] = [{ type: 'SKF', firstPayload: 9, fragmentNumber: 5, totalFragments: 0, body: octets('') }]
    expect(decodeMessage(encodeMessage({ header, payloads })).payloads).toEqual(payloads)
  })
})

describe('RFC 7296 §2.5 Critical Flag', () => {
  it('finds the first unknown critical payload (C-10)', () => {
    const payloads: Payload[] = [
      { critical: true, type: 'V', data: octets('') },
      { type: 'unknown', payloadType: 60, body: octets('') },
      { critical: true, type: 'unknown', payloadType: 200, body: octets('') },
    ]
    const { firstPayload, bytes } = encodePayloads(payloads)
    expect(unsupportedCriticalPayload(decodePayloads(firstPayload, bytes))).toBe(200)
    expect(unsupportedCriticalPayload(payloads.slice(0, 2))).toBeUndefined()
  })
})

function withLength(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer).setUint32(24, bytes.length)
  return bytes
}

it('RFC 7296 §2.5: 16,375 payloads that are not known here search no registry, one by one', () => {
  // In one IKE_SA_INIT, which anybody can send.
  const count = 16_375
  const bytes = new Uint8Array(28 + 4 * count)
  bytes.set([1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 200, 0x20, 34, 8, 0, 0, 0, 0, 0, 0, bytes.length >> 8, bytes.length & 0xff])
  for (let index = 0; index < count; index++) bytes.set([index === count - 1 ? 0 : 200, 0, 0, 4], 28 + 4 * index)
  const searches = vi.spyOn(Object, 'entries')
  try {
    expect(decodeMessage(bytes).payloads).toHaveLength(count)
    expect(searches.mock.calls.length).toBeLessThan(10)
  } finally {
    searches.mockRestore()
  }
})
