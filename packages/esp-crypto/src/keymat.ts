import { EspCryptoError } from './error.ts'
import type { EspTransform } from './transform.ts'

/** The parts of KEYMAT in their order (RFC 7296 §2.17, RFC 4106 §8.1), copied. */
export interface Keymat {
  readonly encryption: Uint8Array
  readonly salt: Uint8Array
  readonly integrity: Uint8Array
}

/** @throws EspCryptoError `KEYMAT_LENGTH` */
export function splitKeymat(transform: EspTransform, keymat: Uint8Array): Keymat {
  if (keymat.length !== transform.keymatLength) {
    throw new EspCryptoError('KEYMAT_LENGTH', { transform: transform.name, expected: transform.keymatLength, actual: keymat.length })
  }
  const salt = transform.encryptionKeyLength
  const integrity = salt + transform.saltLength
  return { encryption: keymat.slice(0, salt), salt: keymat.slice(salt, integrity), integrity: keymat.slice(integrity) }
}

/** Salt | IV in one reused buffer (RFC 4106 §4, RFC 4309 §4, RFC 7634 §2). `write` returns it. */
export class Nonce {
  readonly octets: Uint8Array
  readonly #saltLength: number

  constructor(salt: Uint8Array, ivLength: number) {
    this.octets = new Uint8Array(salt.length + ivLength)
    this.octets.set(salt)
    this.#saltLength = salt.length
  }

  write(iv: Uint8Array): Uint8Array {
    const { octets } = this
    const saltLength = this.#saltLength
    for (let i = saltLength; i < octets.length; i++) octets[i] = iv[i - saltLength]!
    return octets
  }
}

/** Of the first `length` octets at each offset, in time that does not depend on them as far as a JIT allows. */
export function equalOctets(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number, length: number): boolean {
  let difference = 0
  for (let i = 0; i < length; i++) difference |= a[aOffset + i]! ^ b[bOffset + i]!
  return difference === 0
}
