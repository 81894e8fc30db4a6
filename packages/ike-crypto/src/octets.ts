/** Concatenation, the `|` of RFC 7296. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}

/**
 * Compares without stopping at the first difference. The lengths are not secret.
 * JavaScript engines promise no constant time; this only removes the obvious early exit.
 */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}

/** An 8-octet IKE SPI in network order (RFC 7296 §3.1). */
export function spiOctets(spi: bigint): Uint8Array {
  return bigintToOctets(spi, 8)
}

/** Big-endian, `length` octets, zeros on the left. */
export function bigintToOctets(value: bigint, length: number): Uint8Array {
  const hex = value.toString(16).padStart(2 * length, '0')
  const out = new Uint8Array(length)
  for (let i = 0; i < length; i++) out[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  return out
}

/** The unsigned big-endian integer that the octets spell. */
export function octetsToBigint(octets: Uint8Array): bigint {
  let hex = ''
  for (const octet of octets) hex += octet.toString(16).padStart(2, '0')
  return hex === '' ? 0n : BigInt(`0x${hex}`)
}

/** Zeros on the left up to `length`, or the same octets when they already fill it. */
export function padLeft(octets: Uint8Array, length: number): Uint8Array {
  if (octets.length >= length) return octets
  const out = new Uint8Array(length)
  out.set(octets, length - octets.length)
  return out
}
