/** Messages of EAP-AKA (RFC 4187 §8): a subtype and attributes. Their MAC and what is encrypted in them are in `protection.ts`. */
import { EapError } from '../../eap-error.ts'
import { concat, textOf, utf8 } from '../../octets.ts'
import { u16 } from './keys.ts'

/** RFC 4187 §11. */
export const Subtype = {
  CHALLENGE: 1,
  AUTHENTICATION_REJECT: 2,
  SYNCHRONIZATION_FAILURE: 4,
  IDENTITY: 5,
  NOTIFICATION: 12,
  REAUTHENTICATION: 13,
  CLIENT_ERROR: 14,
} as const

/** RFC 4187 §11, RFC 9048 §8.2. Those from 128 on are skipped by who does not know them. */
export const At = {
  RAND: 1,
  AUTN: 2,
  RES: 3,
  AUTS: 4,
  PADDING: 6,
  PERMANENT_ID_REQ: 10,
  MAC: 11,
  NOTIFICATION: 12,
  ANY_ID_REQ: 13,
  IDENTITY: 14,
  FULLAUTH_ID_REQ: 17,
  COUNTER: 19,
  COUNTER_TOO_SMALL: 20,
  NONCE_S: 21,
  CLIENT_ERROR_CODE: 22,
  KDF_INPUT: 23,
  KDF: 24,
  IV: 129,
  ENCR_DATA: 130,
  NEXT_PSEUDONYM: 132,
  NEXT_REAUTH_ID: 133,
  CHECKCODE: 134,
  RESULT_IND: 135,
  BIDDING: 136,
} as const

const KNOWN = new Map<number, string>(Object.entries(At).map(([name, type]) => [type, `AT_${name}`]))
const SKIPPABLE = 128

export interface AkaAttribute {
  readonly type: number
  /** What follows Length, reserved octets and padding with it; a view. */
  readonly value: Uint8Array
}

export interface AkaMessage {
  readonly subtype: number
  /** Those that are not known, too. */
  readonly attributes: readonly AkaAttribute[]
}

const HEADER = 3

/*   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  | (Type)        |    Subtype    |           Reserved            |
 *  |Attribute Type |    Length     | Value...                      |  */
export function encodeMessage({ subtype, attributes }: AkaMessage): Uint8Array {
  return concat(Uint8Array.of(subtype, 0, 0), encodeAttributes(attributes))
}

export function encodeAttributes(attributes: readonly AkaAttribute[]): Uint8Array {
  return concat(...attributes.flatMap(({ type, value }) => [Uint8Array.of(type, (value.length + 2) / 4), value]))
}

/** @throws EapError where it is malformed, an attribute stands twice, or one is unknown that may not be skipped (RFC 4187 §6.3.1) */
export function decodeMessage(data: Uint8Array): AkaMessage {
  if (data.length < HEADER) throw new EapError(`a message of ${data.length} octets: Subtype and Reserved have ${HEADER}`, data.length)
  return { subtype: data[0]!, attributes: decodeAttributes(data.subarray(HEADER)) }
}

export function decodeAttributes(octets: Uint8Array): AkaAttribute[] {
  const attributes: AkaAttribute[] = []
  for (let offset = 0; offset < octets.length; ) {
    const type = octets[offset]!
    const length = 4 * (octets[offset + 1] ?? 0)
    if (length === 0 || offset + length > octets.length)
      throw new EapError(`${nameOf(type)}: Length ${length}, and ${octets.length - offset} octets are there`, offset)
    if (!KNOWN.has(type) && type < SKIPPABLE) throw new EapError(`attribute ${type} is not known, and may not be skipped`, offset)
    if (type !== At.KDF && KNOWN.has(type) && attributes.some((other) => other.type === type))
      throw new EapError(`${nameOf(type)} stands twice`, offset)
    attributes.push({ type, value: octets.subarray(offset + 2, offset + length) })
    offset += length
  }
  return attributes
}

function nameOf(type: number): string {
  return KNOWN.get(type) ?? `attribute ${type}`
}

/** Two reserved octets, then `value`, whose length is a multiple of four. */
export function plain(type: number, value: Uint8Array): AkaAttribute {
  return { type, value: concat(new Uint8Array(2), value) }
}

export function flag(type: number): AkaAttribute {
  return plain(type, new Uint8Array(0))
}

export function numeric(type: number, value: number): AkaAttribute {
  return { type, value: u16(value) }
}

/** The length in octets, `text`, zeros. */
export function textual(type: number, text: string): AkaAttribute {
  const octets = utf8(text)
  return { type, value: concat(u16(octets.length), octets, new Uint8Array(-octets.length & 3)) }
}

/** AT_RES: its length is in bits (RFC 4187 §10.8). */
export function resAttribute(res: Uint8Array): AkaAttribute {
  return { type: At.RES, value: concat(u16(8 * res.length), res, new Uint8Array(-res.length & 3)) }
}

export function has({ attributes }: Pick<AkaMessage, 'attributes'>, type: number): boolean {
  return attributes.some((attribute) => attribute.type === type)
}

/** What follows its reserved octets. @throws EapError where it is missing, or not of `length` octets */
export function plainOf(message: Pick<AkaMessage, 'attributes'>, type: number, length?: number): Uint8Array {
  const value = octetsOf(message, type).subarray(2)
  if (length !== undefined && value.length !== length)
    throw new EapError(`${nameOf(type)}: ${value.length} octets, and ${length} are due`, 0)
  return value
}

/** @throws EapError */
export function numberOf(message: Pick<AkaMessage, 'attributes'>, type: number): number {
  return u16Of(type, octetsOf(message, type))
}

/** In their order. @throws EapError */
export function numbersOf({ attributes }: AkaMessage, type: number): number[] {
  return attributes.filter((attribute) => attribute.type === type).map(({ value }) => u16Of(type, value))
}

function u16Of(type: number, value: Uint8Array): number {
  if (value.length !== 2) throw new EapError(`${nameOf(type)}: ${value.length} octets, and 2 are due`, 0)
  return (value[0]! << 8) | value[1]!
}

/** @throws EapError */
export function sizedTextOf(message: Pick<AkaMessage, 'attributes'>, type: number): string {
  return textOf(sized(message, type, 1))
}

/** AT_RES. @throws EapError */
export function resOf(message: AkaMessage): Uint8Array {
  return sized(message, At.RES, 8)
}

/** AT_AUTS, which has no reserved octets (RFC 4187 §10.9). @throws EapError */
export function autsOf(message: AkaMessage): Uint8Array {
  const auts = octetsOf(message, At.AUTS)
  if (auts.length !== 14) throw new EapError(`AT_AUTS: ${auts.length} octets, and 14 are due`, 0)
  return auts
}

function sized(message: Pick<AkaMessage, 'attributes'>, type: number, unit: number): Uint8Array {
  const value = octetsOf(message, type)
  const length = ((value[0]! << 8) | value[1]!) / unit
  if (!Number.isInteger(length) || length > value.length - 2)
    throw new EapError(`${nameOf(type)}: it says ${length} octets, and ${value.length - 2} are there`, 0)
  return value.subarray(2, 2 + length)
}

function octetsOf({ attributes }: Pick<AkaMessage, 'attributes'>, type: number): Uint8Array {
  const found = attributes.find((attribute) => attribute.type === type)
  if (!found) throw new EapError(`${nameOf(type)} is missing`, 0)
  return found.value
}
