import { aesCbcHmac } from './aes-cbc-hmac.ts'
import { aesCcm } from './aes-ccm.ts'
import { aesGcm } from './aes-gcm.ts'
import { chaCha20Poly1305 } from './chacha20-poly1305.ts'
import type { AesKeyLength, SkCipher } from './sk-cipher.ts'

/**
 * The cipher for a negotiated ENCR (with its Key Length attribute, in bits) and INTEG, or `undefined` where the combination
 * is not one: ENCR_NULL, CBC without integrity (RFC 7296 §5), an AEAD with integrity (RFC 5282 §8), an unknown ID or key length.
 */
export function skCipher(encryption: number, keyLength: number | undefined, integrity: number | undefined): SkCipher | undefined {
  return CIPHERS.find((row) => row.encryption === encryption)?.create(keyLength, integrity)
}

interface CipherRow {
  readonly encryption: number
  create(keyLength: number | undefined, integrity: number | undefined): SkCipher | undefined
}

const CIPHERS: readonly CipherRow[] = [
  { encryption: 12, create: (bits, integrity) => (isAesKeyLength(bits) ? aesCbcHmac(bits, integrity) : undefined) },
  aes(14, (bits) => aesCcm('ENCR_AES_CCM_8', bits, 8)),
  aes(15, (bits) => aesCcm('ENCR_AES_CCM_12', bits, 12)),
  aes(16, (bits) => aesCcm('ENCR_AES_CCM_16', bits, 16)),
  aes(18, (bits) => aesGcm('ENCR_AES_GCM_8', bits, 8)),
  aes(19, (bits) => aesGcm('ENCR_AES_GCM_12', bits, 12)),
  aes(20, (bits) => aesGcm('ENCR_AES_GCM_16', bits, 16)),
  // RFC 7634 §4: no Key Length attribute.
  { encryption: 28, create: (bits, integrity) => (bits === undefined && isNone(integrity) ? chaCha20Poly1305() : undefined) },
]

function aes(encryption: number, create: (bits: AesKeyLength) => SkCipher): CipherRow {
  return { encryption, create: (bits, integrity) => (isAesKeyLength(bits) && isNone(integrity) ? create(bits) : undefined) }
}

function isAesKeyLength(bits: number | undefined): bits is AesKeyLength {
  return bits === 128 || bits === 192 || bits === 256
}

/** Absent, or the explicit NONE that RFC 7296 §3.3.3 allows beside an AEAD. */
function isNone(integrity: number | undefined): boolean {
  return integrity === undefined || integrity === 0
}
