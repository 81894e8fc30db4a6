import fc from 'fast-check'
import type { HeaderFields, Payload, Proposal, TrafficSelector, Transform, TransformAttribute } from '../src/index.ts'

const u8 = fc.integer({ min: 0, max: 0xff })
const u15 = fc.integer({ min: 0, max: 0x7fff })
const u16 = fc.integer({ min: 0, max: 0xffff })
const data = fc.uint8Array({ maxLength: 40 })

export const arbitraryHeader: fc.Arbitrary<HeaderFields> = fc.record({
  initiatorSpi: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  responderSpi: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  majorVersion: fc.integer({ min: 0, max: 15 }),
  minorVersion: fc.integer({ min: 0, max: 15 }),
  exchangeType: u8,
  flags: u8,
  messageId: fc.integer({ min: 0, max: 0xffff_ffff }),
})

const attribute: fc.Arbitrary<TransformAttribute> = fc.record({
  // A leading Key Length in the TV format is `keyLength`, so it is not generated here.
  type: u15.filter((type) => type !== 14),
  value: fc.oneof<[fc.Arbitrary<number>, fc.Arbitrary<Uint8Array>]>(u16, fc.uint8Array({ maxLength: 8 })),
})

const transform: fc.Arbitrary<Transform> = fc.record(
  { type: u8, id: u16, keyLength: u16, attributes: fc.array(attribute, { minLength: 1, maxLength: 3 }) },
  { requiredKeys: ['type', 'id'] },
)

const proposal: fc.Arbitrary<Proposal> = fc.record({
  number: u8,
  protocol: u8,
  spi: fc.uint8Array({ maxLength: 9 }),
  transforms: fc.array(transform, { maxLength: 6 }),
})

const range = (tsType: 7 | 8): fc.Arbitrary<TrafficSelector> => {
  const size = tsType === 7 ? 4 : 16
  const address = fc.uint8Array({ minLength: size, maxLength: size })
  return fc.record({
    tsType: fc.constant(tsType),
    ipProtocol: u8,
    startPort: u16,
    endPort: u16,
    startAddress: address,
    endAddress: address,
  })
}

const unknownSelector: fc.Arbitrary<TrafficSelector> = fc.record(
  { tsType: u8.filter((type) => type !== 7 && type !== 8), body: data, secondOctet: fc.integer({ min: 1, max: 0xff }) },
  { requiredKeys: ['tsType', 'body'] },
)

const selectors = fc.array(fc.oneof(range(7), range(8), unknownSelector), { maxLength: 5 })

const spis = fc
  .integer({ min: 1, max: 16 })
  .chain((size) => fc.array(fc.uint8Array({ minLength: size, maxLength: size }), { maxLength: 5 }))

const typed = fc.constantFrom(1, 2)
const eap: fc.Arbitrary<Payload> = fc.oneof(
  fc.record({ type: fc.constant('EAP' as const), code: typed, identifier: u8, eapType: u8, data }),
  fc.record({ type: fc.constant('EAP' as const), code: fc.constantFrom(3, 4), identifier: u8, data: fc.constant(new Uint8Array()) }),
  fc.record({ type: fc.constant('EAP' as const), code: fc.integer({ min: 5, max: 255 }), identifier: u8, data }),
)

const unknownType = u8.filter((type) => (type > 0 && type < 33) || (type > 48 && type < 53) || type > 54)

const body: fc.Arbitrary<Payload> = fc.oneof(
  fc.record({ type: fc.constant('SA' as const), proposals: fc.array(proposal, { maxLength: 4 }) }),
  fc.record({ type: fc.constant('KE' as const), method: u16, data }),
  fc.record({ type: fc.constantFrom('IDi' as const), idType: u8, data }),
  fc.record({ type: fc.constantFrom('IDr' as const), idType: u8, data }),
  fc.record({ type: fc.constant('CERT' as const), encoding: u8, data }),
  fc.record({ type: fc.constant('CERTREQ' as const), encoding: u8, authorities: data }),
  fc.record({ type: fc.constant('AUTH' as const), method: u8, data }),
  fc.record({ type: fc.constant('Nonce' as const), data }),
  fc.record({ type: fc.constant('N' as const), protocol: u8, spi: fc.uint8Array({ maxLength: 9 }), notifyType: u16, data }),
  fc.record({ type: fc.constant('D' as const), protocol: u8, spis }),
  fc.record({ type: fc.constant('V' as const), data }),
  fc.record({ type: fc.constant('TSi' as const), selectors }),
  fc.record({ type: fc.constant('TSr' as const), selectors }),
  fc.record({
    type: fc.constant('CP' as const),
    cfgType: u8,
    attributes: fc.array(fc.record({ type: u15, value: data }), { maxLength: 5 }),
  }),
  eap,
  fc.record({ type: fc.constant('PS' as const), solutions: data }),
  fc.record({ type: fc.constant('unknown' as const), payloadType: unknownType, body: data }),
)

const withCritical = (payload: fc.Arbitrary<Payload>): fc.Arbitrary<Payload> =>
  fc.tuple(payload, fc.boolean()).map(([value, critical]) => (critical ? { ...value, critical: true } : value))

/** Payloads that may stand in the clear or inside an SK. */
export const arbitraryPayloads: fc.Arbitrary<Payload[]> = fc.array(withCritical(body), { maxLength: 8 })

/** Nothing, an SK or an SKF, for the end of a message. */
export const arbitraryEncrypted: fc.Arbitrary<Payload[]> = fc.oneof(
  fc.constant<Payload[]>([]),
  withCritical(fc.record({ type: fc.constant('SK' as const), firstPayload: u8, body: data })).map((payload) => [payload]),
  withCritical(
    fc.record({ type: fc.constant('SKF' as const), firstPayload: u8, fragmentNumber: u16, totalFragments: u16, body: data }),
  ).map((payload) => [payload]),
)
