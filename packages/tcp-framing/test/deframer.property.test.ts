import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deframer, type FramingProfileName, frameEsp, frameIke, STREAM_PREFIX } from '../src/index.ts'
import { concat, drain, espPacket, ikeMessage, type Message } from './stream.ts'

const PROFILES: readonly FramingProfileName[] = ['rfc9329', 'pauly-03', '3gpp-ftt']

const profile = fc.constantFrom(...PROFILES)
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ kind: fc.constant('ike' as const), bytes: fc.integer({ min: 28, max: 3000 }).map((length) => ikeMessage(length)) }),
  fc.record({
    kind: fc.constant('esp' as const),
    bytes: fc
      .tuple(fc.integer({ min: 4, max: 3000 }), fc.integer({ min: 1, max: 0xffffffff }))
      .map(([length, spi]) => espPacket(length, spi)),
  }),
  fc.record({ kind: fc.constant('esp' as const), bytes: fc.constant(espPacket(65000)) }),
)
/** Sizes of the chunks a stream is cut into, used over and over. */
const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 5000 }), fc.constant(1 << 20)), {
  minLength: 1,
  maxLength: 20,
})

describe('RFC 9329 §3 properties', () => {
  it('RFC 9329 §3 (T-FRM-7): any messages, any chunking, the same messages', () => {
    fc.assert(
      fc.property(profile, fc.array(message, { maxLength: 12 }), cuts, (name, messages, sizes) => {
        // 3GPP: an envelope of Length 6 cannot be ESP.
        const sent = messages.filter((each) => name !== '3gpp-ftt' || each.bytes.length > 4)
        const frames = sent.map((each, i) => (each.kind === 'ike' ? frameIke : frameEsp)(name, each.bytes, { prefix: i === 0 }))
        const deframer = new Deframer(name, { role: 'responder' })
        expect(same(drain(deframer, cut(concat(...frames), sizes)).messages, sent)).toBe(true)
        expect(deframer.buffered).toBe(0)
        expect(deframer.counters.frames).toBe(sent.length)
      }),
      { numRuns: 150 },
    )
  })

  it('RFC 9329 §3 (T-FRM-7): what arbitrary octets mean does not depend on the chunking', () => {
    fc.assert(
      fc.property(profile, octets(), cuts, fc.boolean(), (name, bytes, sizes, hasResync) => {
        const whole = run(name, [bytes], hasResync)
        const pieces = run(name, cut(bytes, sizes), hasResync)
        if (!hasResync) expect(pieces).toEqual(whole)
      }),
      { numRuns: 400 },
    )
  })

  it('RFC 9329 §10: arbitrary octets never throw, never loop and hold at most maxBuffered', () => {
    fc.assert(
      fc.property(profile, fc.array(octets(), { maxLength: 8 }), fc.boolean(), fc.boolean(), (name, chunks, isResponder, hasResync) => {
        const deframer = new Deframer(name, {
          role: isResponder ? 'responder' : 'originator',
          maxBuffered: 400,
          ...(hasResync && name !== 'pauly-03' ? { resync: RESYNC } : {}),
        })
        if (isResponder) deframer.push(STREAM_PREFIX)
        for (const chunk of chunks) {
          deframer.push(chunk)
          // Each result but the last two consumes two octets at least, or one candidate of eight.
          for (let results = 0; ; results++) {
            if (results > chunk.length + 450) expect.unreachable('does not end')
            const kind = deframer.next()
            if (kind === 'need-more' || kind === 'fatal') break
            expect(deframer.offset + deframer.length).toBeLessThanOrEqual(deframer.buffer.length)
            expect(deframer.length).toBeGreaterThanOrEqual(kind === 'ike' ? 28 : kind === 'esp' ? 4 : 0)
            if (deframer.isCandidate && deframer.length % 3 === 0) deframer.confirm()
            else if (deframer.length % 3 === 1) deframer.reject()
          }
          expect(deframer.buffered).toBeLessThanOrEqual(400)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

const RESYNC = {
  isKnownEspSpi: (spi: number): boolean => spi % 3 === 0,
  isKnownIkeSpis: (initiator: bigint): boolean => initiator % 2n === 0n,
  maxAttempts: 50,
}

/** Octets that come near to being frames: small values are likely, so that Lengths, markers and keepalives occur. */
function octets(): fc.Arbitrary<Uint8Array> {
  const small = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(0, 0, 0, 1, 2, 3, 6, 34, 40, 0xff) },
    { weight: 1, arbitrary: fc.nat(255) },
  )
  return fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc.array(small, { maxLength: 600 }).map((list) => Uint8Array.from(list)),
  )
}

function run(
  name: FramingProfileName,
  chunks: readonly Uint8Array[],
  hasResync: boolean,
): { messages: Message[]; end: string; counters: object } {
  const deframer = new Deframer(name, { role: 'originator', ...(hasResync && name !== 'pauly-03' ? { resync: RESYNC } : {}) })
  const { messages, end } = drain(deframer, chunks)
  return { messages, end, counters: { ...deframer.counters } }
}

/** Element by element: `toEqual` is slow on large arrays. */
function same(left: readonly Message[], right: readonly Message[]): boolean {
  return (
    left.length === right.length &&
    left.every(
      ({ kind, bytes }, i) =>
        kind === right[i].kind && bytes.length === right[i].bytes.length && bytes.every((octet, j) => octet === right[i].bytes[j]),
    )
  )
}

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}
