import { cbc } from '@noble/ciphers/aes.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha1 } from '@noble/hashes/legacy.js'
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { expectLength, IkeCryptoError } from './error.ts'
import { concat, constantTimeEqual } from './octets.ts'
import type { AesKeyLength, SkCipher, SkKeys } from './sk-cipher.ts'

/**
 * AES-CBC, then a truncated HMAC over everything in front of the ICV: aad | iv | ciphertext (RFC 7296 §3.14).
 * `undefined` for an integrity transform that is not in the table, NONE among them.
 */
export function aesCbcHmac(keyBits: AesKeyLength, integrity: number | undefined): SkCipher | undefined {
  const row = INTEGRITY.find((row) => row.id === integrity)
  if (row === undefined) return undefined
  const { hash, icvLength } = row
  const encryptionKeyLength = keyBits / 8
  // RFC 4868 §2.1.1, RFC 2404 §3: the key is as long as the hash's output.
  const integrityKeyLength = hash.outputLen
  const expectKeys = (keys: SkKeys): void => {
    expectLength('SK_e', keys.encryption, encryptionKeyLength)
    expectLength('SK_a', keys.integrity, integrityKeyLength)
  }
  const icv = (key: Uint8Array, aad: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Uint8Array =>
    hmac.create(hash, key).update(aad).update(iv).update(ciphertext).digest().subarray(0, icvLength)
  return {
    name: `ENCR_AES_CBC-${keyBits}/${row.name}`,
    encryptionKeyLength,
    integrityKeyLength,
    ivLength: BLOCK,
    icvLength,
    blockLength: BLOCK,
    seal(keys, iv, aad, plaintext) {
      expectKeys(keys)
      expectLength('IV', iv, BLOCK)
      if (!isWholeBlocks(plaintext.length)) {
        const expected = Math.max(1, Math.ceil(plaintext.length / BLOCK)) * BLOCK
        throw new IkeCryptoError('INVALID_LENGTH', { what: 'plaintext', expected, actual: plaintext.length })
      }
      const ciphertext = cbc(keys.encryption, iv, { disablePadding: true }).encrypt(plaintext)
      return concat(ciphertext, icv(keys.integrity, aad, iv, ciphertext))
    },
    open(keys, iv, aad, sealed) {
      expectKeys(keys)
      const length = sealed.length - icvLength
      if (iv.length !== BLOCK || !isWholeBlocks(length)) return undefined
      const ciphertext = sealed.subarray(0, length)
      if (!constantTimeEqual(icv(keys.integrity, aad, iv, ciphertext), sealed.subarray(length))) return undefined
      return cbc(keys.encryption, iv, { disablePadding: true }).decrypt(ciphertext)
    },
  }
}

const BLOCK = 16

const INTEGRITY: readonly IntegrityRow[] = [
  { id: 2, name: 'AUTH_HMAC_SHA1_96', hash: sha1, icvLength: 12 },
  { id: 12, name: 'AUTH_HMAC_SHA2_256_128', hash: sha256, icvLength: 16 },
  { id: 13, name: 'AUTH_HMAC_SHA2_384_192', hash: sha384, icvLength: 24 },
  { id: 14, name: 'AUTH_HMAC_SHA2_512_256', hash: sha512, icvLength: 32 },
]

interface IntegrityRow {
  readonly id: number
  readonly name: string
  readonly hash: typeof sha1 | typeof sha256
  readonly icvLength: number
}

/** The Pad Length octet makes an empty plaintext impossible (RFC 7296 §3.14). */
function isWholeBlocks(length: number): boolean {
  return length > 0 && length % BLOCK === 0
}
