import { ctr, gcm } from '@noble/ciphers/aes.js'
import { aeadCipher } from './aead.ts'
import { concat, constantTimeEqual } from './octets.ts'
import type { AesKeyLength, SkCipher } from './sk-cipher.ts'

/** AES-GCM with a 4-octet salt and an ICV of 8, 12 or 16 octets (RFC 5282 §4, RFC 4106 §4). */
export function aesGcm(name: string, keyBits: AesKeyLength, icvLength: 8 | 12 | 16): SkCipher {
  return aeadCipher({
    name: `${name}-${keyBits}`,
    keyLength: keyBits / 8,
    saltLength: 4,
    icvLength,
    encrypt: (key, nonce, aad, plaintext) =>
      gcm(key, nonce, aad)
        .encrypt(plaintext)
        .subarray(0, plaintext.length + icvLength),
    decrypt(key, nonce, aad, ciphertext, icv) {
      // A truncated tag cannot be handed to gcm(): decrypt by counter mode from J0 + 1, then compare the tag made again.
      const plaintext = ctr(key, concat(nonce, FIRST_COUNTER)).encrypt(ciphertext)
      const tag = gcm(key, nonce, aad).encrypt(plaintext).subarray(ciphertext.length)
      if (constantTimeEqual(tag.subarray(0, icvLength), icv)) return plaintext
      plaintext.fill(0)
      return undefined
    },
  })
}

/** SP 800-38D §7.1: J0 is nonce | 1, and the text starts at the block after it. */
const FIRST_COUNTER: Uint8Array = Uint8Array.of(0, 0, 0, 2)
