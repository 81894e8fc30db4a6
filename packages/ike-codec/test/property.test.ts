import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CodecError, decodeHeader, decodeMessage, decodePayloads, describeMessage, encodeMessage, encodePayloads } from '../src/index.ts'
import { arbitraryEncrypted, arbitraryHeader, arbitraryPayloads } from './arbitrary.ts'
import { decodeOr } from './error-of.ts'
import { golden, payloadTypeOf } from './golden.ts'
import { hex, octets } from './octets.ts'
import wire from './vectors/messages.json' with { type: 'json' }

describe('RFC 7296 §3 decoding undoes encoding', () => {
  it('for arbitrary messages', () => {
    fc.assert(
      fc.property(arbitraryHeader, arbitraryPayloads, arbitraryEncrypted, (header, clear, encrypted) => {
        const payloads = [...clear, ...encrypted]
        const bytes = encodeMessage({ header, payloads })
        const decoded = decodeMessage(bytes)
        expect(decoded.payloads).toEqual(payloads)
        expect(decoded.header).toMatchObject(header)
        expect(decoded.header.length).toBe(bytes.length)
        expect(encodeMessage(decoded)).toEqual(bytes)
      }),
      { numRuns: 400 },
    )
  })

  it('for arbitrary payloads inside an SK', () => {
    fc.assert(
      fc.property(arbitraryPayloads, (payloads) => {
        const { firstPayload, bytes } = encodePayloads(payloads)
        expect(decodePayloads(firstPayload, bytes)).toEqual(payloads)
      }),
      { numRuns: 400 },
    )
  })
})

describe('RFC 7296 §2.5 decoding is total (C-10)', () => {
  it('arbitrary octets decode or are a CodecError with a place', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 200 }), (firstPayload, bytes) => {
        decodesOrSaysWhere(bytes, () => decodeHeader(bytes))
        decodesOrSaysWhere(bytes, () => decodeMessage(bytes))
        decodesOrSaysWhere(bytes, () => decodePayloads(firstPayload, bytes))
      }),
      { numRuns: 2000 },
    )
  })

  it('arbitrary octets behind a sound header and a sound generic payload header', () => {
    fc.assert(
      fc.property(fc.integer({ min: 33, max: 54 }), fc.uint8Array({ maxLength: 80 }), (payloadType, body) => {
        const bytes = octets(`00 00 ${(body.length + 4).toString(16).padStart(4, '0')} ${hex(body)}`)
        survivesRoundTrip(payloadType, bytes)
      }),
      { numRuns: 3000 },
    )
  })

  it('what decodes can be encoded, and that decodes to the same: golden payloads with changed octets', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(fc.constantFrom(...golden), changes, ({ payload, octets: original }, edits) => {
        const bytes = original.slice()
        for (const [position, value] of edits) bytes[position % bytes.length] = value
        survivesRoundTrip(payloadTypeOf(payload), bytes)
      }),
      { numRuns: 3000 },
    )
  })

  it('what decodes can be encoded and described: messages with changed octets', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.constantFrom(...wire.messages), changes, (message, edits) => {
        const bytes = octets(message.octets)
        // Length stays: a wrong one would hide everything behind it.
        for (const [position, value] of edits) bytes[position % 24] = value
        for (const [position, value] of edits) bytes[28 + (position % (bytes.length - 28))] = value
        const decoded = decodeOr(() => decodeMessage(bytes))
        if (decoded instanceof CodecError) return
        expect(describeMessage(decoded)).toMatch(/^HDR/)
        expect(decodeMessage(encodeMessage(decoded))).toEqual(decoded)
      }),
      { numRuns: 3000 },
    )
  })
})

describe('Decoding takes linear time', () => {
  it('the most substructures that 64 kB can claim, per payload type', () => {
    const bodies: readonly [number, string][] = [
      [33, '02000008 01010000'],
      [33, '0300ffff'],
      [44, 'c8000004'],
      [47, '00010000'],
      [42, '0301ffff'],
      [42, '0304fff0'],
      [41, '00ff0000'],
    ]
    for (const [payloadType, unit] of bodies) {
      const bytes = octets(`00 00 fffc ${unit.repeat((0xfffc - 4) / octets(unit).length)}`)
      expect(millisecondsOf(() => decodeOr(() => decodePayloads(payloadType, bytes)))).toBeLessThan(2000)
    }
  })

  it('twice the payloads take about twice the time', () => {
    const chain = (count: number): Uint8Array =>
      Uint8Array.from({ length: count * 4 }, (_, at) => [at < count * 4 - 4 ? 43 : 0, 0, 0, 4][at % 4] ?? 0)
    expect(decodePayloads(43, chain(200_000)).length).toBe(200_000)
    const [once, eight] = [chain(25_000), chain(200_000)].map((bytes) => millisecondsOf(() => decodePayloads(43, bytes)))
    // Quadratic would be 64 times; the slack is for a busy machine.
    expect(eight).toBeLessThan(Math.max(once ?? 0, 20) * 40)
  })
})

function decodesOrSaysWhere(bytes: Uint8Array, decode: () => unknown): void {
  const result = decodeOr(decode)
  if (!(result instanceof CodecError)) return
  expect(result.offset).toBeGreaterThanOrEqual(0)
  expect(result.offset).toBeLessThanOrEqual(bytes.length)
  expect(result.message).toBe(`${result.code} at ${result.path} (octet ${result.offset})`)
}

function survivesRoundTrip(payloadType: number, bytes: Uint8Array): void {
  const payloads = decodeOr(() => decodePayloads(payloadType, bytes))
  if (payloads instanceof CodecError) return
  const again = encodePayloads(payloads)
  expect(again.bytes.length).toBe(bytes.length)
  expect(decodePayloads(again.firstPayload, again.bytes)).toEqual(payloads)
}

function millisecondsOf(run: () => unknown): number {
  const start = performance.now()
  run()
  return performance.now() - start
}
