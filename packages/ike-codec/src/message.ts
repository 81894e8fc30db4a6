import { CodecError } from './codec-error.ts'
import { decodePayloadChain, encodePayloadChain, firstPayloadType } from './generic-payload-header.ts'
import { type HeaderFields, IKE_HEADER_LENGTH, type IkeHeader, readHeader, writeHeader } from './header.ts'
import type { Payload } from './payload.ts'
import { ByteReader } from './reader.ts'
import { PayloadType } from './registry/message.ts'
import { ByteWriter } from './writer.ts'

/** An IKE message as it is on the wire: what stands in the clear, and at most one opaque SK or SKF, last (RFC 7296 §3). */
export interface IkeMessage {
  readonly header: IkeHeader
  readonly payloads: readonly Payload[]
}

/**
 * Decodes one whole message, without the Non-ESP Marker. Octets in the result are views into `bytes`. Every octet is
 * accounted for, and `encodeMessage` of the result gives the same octets where RESERVED ones are zero.
 * @throws CodecError
 */
export function decodeMessage(bytes: Uint8Array): IkeMessage {
  const reader = new ByteReader(bytes)
  const header = readHeader(reader)
  const payloads = decodePayloadChain(reader, header.nextPayload, true)
  reader.end('HDR.length')
  return { header, payloads }
}

/**
 * Encodes a message; Next Payload and Length fields are filled in.
 * @throws CodecError OUT_OF_RANGE, TOO_LONG, ENCRYPTED_NOT_LAST
 */
export function encodeMessage(message: { readonly header: HeaderFields; readonly payloads: readonly Payload[] }): Uint8Array {
  const writer = new ByteWriter()
  const { header, payloads } = message
  writeHeader(writer, header, firstPayloadType(payloads), () => encodePayloadChain(writer, payloads))
  return writer.finish()
}

/** What `encodeEncryptedEnvelope` is told about the SK or, with `fragment`, the SKF. */
export interface EncryptedEnvelope {
  /** Type of the first payload inside; written as 0 in fragments after the first (RFC 7383 §2.5). */
  readonly firstPayload: number
  /** Octets from Initialization Vector to Integrity Checksum Data. */
  readonly bodyLength: number
  /** Numbers from 1 to `total`. */
  readonly fragment?: { readonly number: number; readonly total: number }
}

/**
 * Header, clear payloads and the start of SK or SKF, all lengths final, then `bodyLength` zero octets for the caller to fill.
 * Everything before `bodyOffset` is the associated data (RFC 7296 §3.14, RFC 5282 §5.1, RFC 7383 §2.5).
 * @throws CodecError OUT_OF_RANGE, TOO_LONG, ENCRYPTED_NOT_LAST
 */
export function encodeEncryptedEnvelope(
  header: HeaderFields,
  clear: readonly Payload[],
  encrypted: EncryptedEnvelope,
): { bytes: Uint8Array; bodyOffset: number } {
  const { bodyLength, fragment } = encrypted
  const firstPayload = (fragment?.number ?? 1) === 1 ? encrypted.firstPayload : PayloadType.NONE
  if (!Number.isInteger(bodyLength) || bodyLength < 0) throw new CodecError('OUT_OF_RANGE', 'bodyLength', 0)
  if (bodyLength > 0xffff) throw new CodecError('TOO_LONG', 'bodyLength', 0)
  const body = new Uint8Array(bodyLength)
  const last: Payload =
    fragment === undefined
      ? { type: 'SK', firstPayload, body }
      : { type: 'SKF', firstPayload, fragmentNumber: fragment.number, totalFragments: fragment.total, body }
  const bytes = encodeMessage({ header, payloads: [...clear, last] })
  return { bytes, bodyOffset: bytes.length - bodyLength }
}

/**
 * Where the body of the SK or SKF of a received message begins: `bytes.subarray(0, offset)` is the associated data.
 * @param bytes - what `message` was decoded from
 * @throws CodecError ENCRYPTED_NOT_LAST when there is no SK or SKF at the end
 */
export function encryptedBodyOffset(bytes: Uint8Array, message: IkeMessage): number {
  const last = message.payloads.at(-1)
  if (last?.type !== 'SK' && last?.type !== 'SKF') throw new CodecError('ENCRYPTED_NOT_LAST', 'HDR', IKE_HEADER_LENGTH)
  return bytes.length - last.body.length
}

/**
 * The payload type to put in UNSUPPORTED_CRITICAL_PAYLOAD: that of the first payload which has the critical bit and no codec
 * here (RFC 7296 §2.5), or undefined.
 */
export function unsupportedCriticalPayload(payloads: readonly Payload[]): number | undefined {
  for (const payload of payloads) if (payload.type === 'unknown' && payload.critical === true) return payload.payloadType
  return undefined
}
