/** Octets of a hex string, spaces allowed. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\s/g, '')
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16))
}

/** Hex of octets. */
export function toHex(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('')
}

/** A random source that returns the same private value each time, whatever length is asked. */
export function fixed(secret: string): (length: number) => Uint8Array {
  return () => hex(secret)
}

/** A deterministic random source: a linear congruential generator, good enough for tests only. */
export function seeded(seed: number): (length: number) => Uint8Array {
  let state = seed >>> 0
  return (length) =>
    Uint8Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state >>> 24
    })
}
