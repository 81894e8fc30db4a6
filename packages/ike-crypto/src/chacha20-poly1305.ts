import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { aeadCipher } from './aead.ts'
import { concat } from './octets.ts'
import type { SkCipher } from './sk-cipher.ts'

/** ChaCha20-Poly1305: 32-octet key, 4-octet salt, 16-octet ICV (RFC 7634 §2, §3). */
export function chaCha20Poly1305(): SkCipher {
  return aeadCipher({
    name: 'ENCR_CHACHA20_POLY1305',
    keyLength: 32,
    saltLength: 4,
    icvLength: 16,
    encrypt: (key, nonce, aad, plaintext) => chacha20poly1305(key, nonce, aad).encrypt(plaintext),
    decrypt(key, nonce, aad, ciphertext, icv) {
      try {
        return chacha20poly1305(key, nonce, aad).decrypt(concat(ciphertext, icv))
      } catch {
        // All lengths are right by now, so the tag is what noble refuses.
        return undefined
      }
    },
  })
}
