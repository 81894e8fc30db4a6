/** Octets and ASN.1 structures (X.690). The schemas are @peculiar/asn1-*'s; here their errors become ours and lengths are looked at. */
import { AsnConvert } from '@peculiar/asn1-schema'
import { CertificateError } from './certificate-error.ts'

/** Throws `CertificateError` 'MALFORMED'. `what` names the structure for people. */
export function decode<T>(octets: Uint8Array, schema: new () => T, what: string): T {
  if (lengthOf(octets) !== octets.length) throw new CertificateError('MALFORMED', `${what}: the octets are not one DER value`)
  try {
    return AsnConvert.parse(octets, schema)
  } catch (error) {
    throw new CertificateError('MALFORMED', `${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Throws `CertificateError` 'MALFORMED': what was decoded can be such that the schema does not write it again. */
export function encode(value: unknown): Uint8Array {
  try {
    return new Uint8Array(AsnConvert.serialize(value))
  } catch (error) {
    throw new CertificateError('MALFORMED', `not DER: ${error instanceof Error ? error.message : String(error)}`)
  }
}

export function octetsOf(buffer: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(buffer) ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength) : new Uint8Array(buffer)
}

/** Octets of the first value, header included; `undefined` where they are not told in the definite form, or not there. */
export function lengthOf(octets: Uint8Array): number | undefined {
  const first = octets[1]
  if (first === undefined) return undefined
  if (first < 0x80) return 2 + first
  const count = first & 0x7f
  if (count === 0 || count > 4 || octets.length < 2 + count) return undefined
  return octets.subarray(2, 2 + count).reduce((sum, octet) => sum * 256 + octet, 0) + 2 + count
}

export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index])
}

export function hex(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('')
}

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
