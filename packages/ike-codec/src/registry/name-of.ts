/**
 * The registry's name for a number, or its hex form (an even number of digits, `0x9c40`) when the registry has none.
 * @example nameOf(EncryptionId, 20) // 'ENCR_AES_GCM_16'
 */
export function nameOf(registry: Readonly<Record<string, number>>, value: number): string {
  const entry = Object.entries(registry).find(([, number]) => number === value)
  return entry === undefined ? hex(value) : entry[0]
}

function hex(value: number): string {
  const digits = value.toString(16)
  return `0x${digits.length % 2 === 0 ? digits : `0${digits}`}`
}
