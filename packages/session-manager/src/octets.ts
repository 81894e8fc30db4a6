/** Octet strings: the few operations on them that exchanges need. */

import { concat } from '@underpass/ike-crypto'

export { concat }

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export function hex(octets: Uint8Array): string {
  let text = ''
  for (const octet of octets) text += octet.toString(16).padStart(2, '0')
  return text
}

/** Text in, octets out. The core has no TextEncoder: it compiles without any runtime's library. */
export function utf8(text: string): Uint8Array {
  const octets: number[] = []
  for (const character of text) {
    const point = character.codePointAt(0)!
    if (point < 0x80) octets.push(point)
    else if (point < 0x800) octets.push(0xc0 | (point >> 6), 0x80 | (point & 0x3f))
    else if (point < 0x10000) octets.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f))
    else octets.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f))
  }
  return Uint8Array.from(octets)
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff)
}

export function u64(value: bigint): Uint8Array {
  return concat(u32(Number(value >> 32n)), u32(Number(value & 0xffff_ffffn)))
}

export function readU32(octets: Uint8Array, offset = 0): number {
  return ((octets[offset]! << 24) | (octets[offset + 1]! << 16) | (octets[offset + 2]! << 8) | octets[offset + 3]!) >>> 0
}

export function readU64(octets: Uint8Array): bigint {
  return (BigInt(readU32(octets)) << 32n) | BigInt(readU32(octets, 4))
}
