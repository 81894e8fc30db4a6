import type { Codec } from './layout.ts'
import { authentication } from './payload/authentication.ts'
import { certificate } from './payload/certificate.ts'
import { certificateRequest } from './payload/certificate-request.ts'
import { configuration } from './payload/configuration.ts'
import { deleteCodec } from './payload/delete.ts'
import { eap } from './payload/eap.ts'
import { encrypted } from './payload/encrypted.ts'
import { encryptedFragment } from './payload/encrypted-fragment.ts'
import { identification } from './payload/identification.ts'
import { keyExchange } from './payload/key-exchange.ts'
import { nonce } from './payload/nonce.ts'
import { notifyCodec } from './payload/notify.ts'
import { puzzleSolution } from './payload/puzzle-solution.ts'
import { securityAssociation } from './payload/security-association.ts'
import { trafficSelectors } from './payload/traffic-selector.ts'
import { vendorId } from './payload/vendor-id.ts'
import type { Payload, PayloadBodies } from './payload.ts'
import { ByteReader } from './reader.ts'
import { PayloadType } from './registry/message.ts'
import { nameOf } from './registry/name-of.ts'
import { ByteWriter } from './writer.ts'

/*
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | Next Payload  |C|  RESERVED   |         Payload Length        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/**
 * Decodes the payloads that an SK held (RFC 7296 §3.14). An SK or SKF among them is an error.
 * @param firstPayload - Next Payload of the SK
 * @param bytes - the plaintext without Padding and Pad Length; the payloads are views into it
 * @param path - what the paths of errors begin with
 * @throws CodecError
 */
export function decodePayloads(firstPayload: number, bytes: Uint8Array, path = 'SK'): Payload[] {
  const reader = new ByteReader(bytes, path)
  const payloads = decodePayloadChain(reader, firstPayload, false)
  reader.end()
  return payloads
}

/**
 * Encodes payloads for the inside of an SK, without Padding.
 * @throws CodecError
 */
export function encodePayloads(payloads: readonly Payload[]): { firstPayload: number; bytes: Uint8Array } {
  const writer = new ByteWriter()
  encodePayloadChain(writer, payloads)
  return { firstPayload: firstPayloadType(payloads), bytes: writer.finish() }
}

/** Reads payloads until Next Payload is zero, or up to and with an SK or SKF, whose Next Payload belongs to its inside. */
export function decodePayloadChain(reader: ByteReader, firstPayload: number, encryptedAllowed: boolean): Payload[] {
  const payloads: Payload[] = []
  let payloadType = firstPayload
  while (payloadType !== PayloadType.NONE) {
    const isEncrypted = payloadType === PayloadType.SK || payloadType === PayloadType.SKF
    const current = payloadType
    const nextPayload = reader.scope(NAMES[current] ?? '', () => {
      if (isEncrypted && !encryptedAllowed) reader.fail('ILLEGAL_VALUE')
      const next = reader.u8('nextPayload')
      const critical: { critical?: true } = (reader.u8('critical') & CRITICAL) === 0 ? {} : { critical: true }
      const body = reader.lengthCountingHeader(() => decodeBody(reader, current, next))
      payloads.push({ ...body, ...critical })
      return next
    })
    if (isEncrypted) break
    payloadType = nextPayload
  }
  return payloads
}

export function encodePayloadChain(writer: ByteWriter, payloads: readonly Payload[]): void {
  for (const [index, payload] of payloads.entries()) {
    const isEncrypted = payload.type === 'SK' || payload.type === 'SKF'
    const isLast = index === payloads.length - 1
    writer.scope(payload.type, () => {
      if (isEncrypted && !isLast) writer.fail('ENCRYPTED_NOT_LAST')
      const next = isEncrypted ? payload.firstPayload : isLast ? PayloadType.NONE : payloadTypeOf(payloads[index + 1])
      writer.u8(next, 'nextPayload')
      writer.u8(payload.critical === true ? CRITICAL : 0, 'critical')
      writer.lengthCountingHeader(() => encodeBody(writer, payload))
    })
  }
}

/** Next Payload of what stands before these payloads. */
export function firstPayloadType(payloads: readonly Payload[]): number {
  return payloads.length === 0 ? PayloadType.NONE : payloadTypeOf(payloads[0])
}

const CRITICAL = 0x80

type KnownType = Exclude<keyof PayloadBodies, 'unknown'>
type BodyCodecs = { readonly [Type in KnownType]: Codec<Omit<PayloadBodies[Type], Type extends 'SK' | 'SKF' ? 'firstPayload' : never>> }

const BODIES: BodyCodecs = {
  SA: securityAssociation,
  KE: keyExchange,
  IDi: identification,
  IDr: identification,
  CERT: certificate,
  CERTREQ: certificateRequest,
  AUTH: authentication,
  Nonce: nonce,
  N: notifyCodec,
  D: deleteCodec,
  V: vendorId,
  TSi: trafficSelectors,
  TSr: trafficSelectors,
  SK: encrypted,
  SKF: encryptedFragment,
  CP: configuration,
  EAP: eap,
  PS: puzzleSolution,
}

const TYPE_OF_NUMBER: ReadonlyMap<number, KnownType> = new Map(
  (Object.keys(BODIES) as KnownType[]).map((type) => [PayloadType[type], type] as const),
)

// nameOf searches; a message of 64 kB has room for 16,000 payloads, known here or not.
const NAMES: readonly string[] = Array.from({ length: 256 }, (_, number) => nameOf(PayloadType, number))

// The table ties each type to its codec; TypeScript cannot follow that through a lookup by number, hence the assertions here.
function decodeBody(reader: ByteReader, payloadType: number, nextPayload: number): Payload {
  const type = TYPE_OF_NUMBER.get(payloadType)
  if (type === undefined) return { type: 'unknown', payloadType, body: reader.rest() }
  const body: object = BODIES[type].decode(reader, '')
  return (type === 'SK' || type === 'SKF' ? { type, firstPayload: nextPayload, ...body } : { type, ...body }) as Payload
}

function encodeBody(writer: ByteWriter, payload: Payload): void {
  if (payload.type === 'unknown') writer.octets(payload.body, 'body')
  else (BODIES[payload.type] as Codec<unknown>).encode(writer, payload, '')
}

function payloadTypeOf(payload: Payload): number {
  return payload.type === 'unknown' ? payload.payloadType : PayloadType[payload.type]
}
