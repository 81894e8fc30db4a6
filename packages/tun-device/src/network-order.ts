/** Numbers of protocol headers, and comparing parts of them. */

export function readBigEndian16(buffer: Uint8Array, at: number): number {
  return (buffer[at] << 8) | buffer[at + 1]
}

export function readBigEndian32(buffer: Uint8Array, at: number): number {
  return ((buffer[at] << 24) | (buffer[at + 1] << 16) | (buffer[at + 2] << 8) | buffer[at + 3]) >>> 0
}

export function writeBigEndian16(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = (value >>> 8) & 0xff
  buffer[at + 1] = value & 0xff
}

/** `length` octets at `a` are those at `b`. */
export function isEqual(buffer: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (buffer[a + i] !== buffer[b + i]) return false
  return true
}
