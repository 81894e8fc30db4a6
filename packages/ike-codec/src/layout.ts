// Combinators for payloads that are a plain sequence of fields. SA, TS, N, D and EAP have counts or lengths that govern
// other fields and are written out over the same reader and writer.
import type { ByteReader } from './reader.ts'
import type { ByteWriter } from './writer.ts'

/** Both directions of one structure. `field` is the name that an error's path ends with. */
export interface Codec<T> {
  decode(reader: ByteReader, field: string): T
  encode(writer: ByteWriter, value: T, field: string): void
}

export const u8: Codec<number> = {
  decode: (reader, field) => reader.u8(field),
  encode: (writer, value, field) => writer.u8(value, field),
}

export const u16: Codec<number> = {
  decode: (reader, field) => reader.u16(field),
  encode: (writer, value, field) => writer.u16(value, field),
}

/** A RESERVED bit, then 15 bits. */
export const u15: Codec<number> = {
  decode: (reader, field) => reader.u16(field) & 0x7fff,
  encode: (writer, value, field) => {
    if (value > 0x7fff) writer.fail('OUT_OF_RANGE', field)
    writer.u16(value, field)
  },
}

/** Everything to the end of the structure. A view into the input. */
export const rest: Codec<Uint8Array> = {
  decode: (reader) => reader.rest(),
  encode: (writer, value, field) => writer.octets(value, field),
}

/** A 16-bit length, then that many octets. */
export const prefixed16: Codec<Uint8Array> = {
  decode: (reader, field) => reader.octets(reader.u16(`${field}.length`), field),
  encode: (writer, value, field) => {
    writer.u16(value.length, `${field}.length`)
    writer.octets(value, field)
  },
}

/** RESERVED octets are a property of the field before them: written zero, ignored on receipt (RFC 7296 §2.5). */
export function thenReserved<T>(codec: Codec<T>, octets: number): Codec<T> {
  return {
    decode: (reader, field) => {
      const value = codec.decode(reader, field)
      reader.skip(octets, `${field}.reserved`)
      return value
    },
    encode: (writer, value, field) => {
      codec.encode(writer, value, field)
      writer.reserve(octets)
    },
  }
}

/** Elements to the end of the structure. An element takes at least one octet, so this ends. */
export function repeated<T>(name: string, codec: Codec<T>): Codec<readonly T[]> {
  return {
    decode: (reader) => {
      const values: T[] = []
      while (reader.remaining > 0) values.push(reader.scope(`${name}[${values.length}]`, () => codec.decode(reader, '')))
      return values
    },
    encode: (writer, values) => {
      for (const [index, value] of values.entries()) writer.scope(`${name}[${index}]`, () => codec.encode(writer, value, ''))
    },
  }
}

/** Fields in the order of the table; a missing or wrongly typed row does not compile. */
export function layout<T extends object>(fields: { readonly [K in keyof T]-?: Codec<T[K]> }): Codec<T> {
  const names = Object.keys(fields) as (keyof T & string)[]
  return {
    decode: (reader) => {
      const value: Partial<T> = {}
      for (const name of names) value[name] = fields[name].decode(reader, name)
      return value as T
    },
    encode: (writer, value) => {
      for (const name of names) fields[name].encode(writer, value[name], name)
    },
  }
}
