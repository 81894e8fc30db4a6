export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

/** Takes as long wherever they differ. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}

/** Identities are UTF-8 (RFC 3748 §5.1); what is not is read as one character an octet. */
export function textOf(octets: Uint8Array): string {
  try {
    return decodeURIComponent([...octets].map((octet) => `%${octet.toString(16).padStart(2, '0')}`).join(''))
  } catch {
    return ascii(octets)
  }
}

export function ascii(octets: Uint8Array): string {
  return String.fromCharCode(...octets)
}

export function utf8(text: string): Uint8Array {
  const encoded = encodeURIComponent(text).replaceAll(/%([0-9A-F]{2})/g, (_, pair: string) =>
    String.fromCharCode(Number.parseInt(pair, 16)),
  )
  return Uint8Array.from(encoded, (character) => character.charCodeAt(0))
}

export function upperHex(octets: Uint8Array): string {
  return [...octets].map((octet) => octet.toString(16).padStart(2, '0').toUpperCase()).join('')
}

/** Of two that are as long. */
export function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((octet, i) => octet ^ b[i]!)
}
