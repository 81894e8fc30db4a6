import { expectLength } from './error.ts'
import { concat } from './octets.ts'
import type { SkCipher } from './sk-cipher.ts'

/** What differs between the AEADs of IKEv2. The nonce is salt | IV (RFC 5282 §4). */
export interface AeadParameters {
  readonly name: string
  /** Octets, without the salt. */
  readonly keyLength: number
  readonly saltLength: number
  readonly icvLength: number
  /** Returns ciphertext | ICV. */
  encrypt(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array
  decrypt(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array, icv: Uint8Array): Uint8Array | undefined
}

/** SkCipher of an AEAD: no SK_a, 8-octet IV, no block alignment (RFC 5282 §3, RFC 7634 §3). */
export function aeadCipher(parameters: AeadParameters): SkCipher {
  const { name, keyLength, saltLength, icvLength } = parameters
  const encryptionKeyLength = keyLength + saltLength
  const ivLength = 8
  const expectKeys = (encryption: Uint8Array, integrity: Uint8Array): void => {
    expectLength('SK_e', encryption, encryptionKeyLength)
    expectLength('SK_a', integrity, 0)
  }
  return {
    name,
    encryptionKeyLength,
    integrityKeyLength: 0,
    ivLength,
    icvLength,
    blockLength: 1,
    seal({ encryption, integrity }, iv, aad, plaintext) {
      expectKeys(encryption, integrity)
      expectLength('IV', iv, ivLength)
      return parameters.encrypt(encryption.subarray(0, keyLength), concat(encryption.subarray(keyLength), iv), aad, plaintext)
    },
    open({ encryption, integrity }, iv, aad, sealed) {
      expectKeys(encryption, integrity)
      const length = sealed.length - icvLength
      if (iv.length !== ivLength || length < 0) return undefined
      const nonce = concat(encryption.subarray(keyLength), iv)
      return parameters.decrypt(encryption.subarray(0, keyLength), nonce, aad, sealed.subarray(0, length), sealed.subarray(length))
    },
  }
}
