import { cbc, ctr } from '@noble/ciphers/aes.js'
import { aeadCipher } from './aead.ts'
import { concat, constantTimeEqual } from './octets.ts'
import type { AesKeyLength, SkCipher } from './sk-cipher.ts'

/** AES-CCM with a 3-octet salt and an ICV of 8, 12 or 16 octets (RFC 5282 §4, RFC 4309 §2). */
export function aesCcm(name: string, keyBits: AesKeyLength, icvLength: 8 | 12 | 16): SkCipher {
  return aeadCipher({
    name: `${name}-${keyBits}`,
    keyLength: keyBits / 8,
    saltLength: 3,
    icvLength,
    encrypt(key, nonce, aad, plaintext) {
      const mac = cbcMac(key, nonce, aad, plaintext, icvLength)
      const masked = counterMode(key, nonce, concat(mac, plaintext))
      return concat(masked.subarray(BLOCK), masked.subarray(0, icvLength))
    },
    decrypt(key, nonce, aad, ciphertext, icv) {
      const unmasked = counterMode(key, nonce, concat(padRight(icv, BLOCK), ciphertext))
      const plaintext = unmasked.slice(BLOCK)
      const mac = cbcMac(key, nonce, aad, plaintext, icvLength)
      if (constantTimeEqual(mac.subarray(0, icvLength), unmasked.subarray(0, icvLength))) return plaintext
      plaintext.fill(0)
      return undefined
    },
  })
}

const BLOCK = 16
/** RFC 4309 §4: the length field has four octets, which leaves 11 for the nonce. */
const LENGTH_OCTETS = 4

/** RFC 3610 §2.2, over B_0, the AAD behind its own length, and the text, each filled up with zeros to whole blocks. */
function cbcMac(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, text: Uint8Array, icvLength: number): Uint8Array {
  const flags = (aad.length > 0 ? 0x40 : 0) | (((icvLength - 2) / 2) << 3) | (LENGTH_OCTETS - 1)
  const head = concat(Uint8Array.of(flags), nonce, uint32(text.length))
  const blocks = concat(head, wholeBlocks(concat(aadLength(aad.length), aad)), wholeBlocks(text))
  return cbc(key, new Uint8Array(BLOCK), { disablePadding: true }).encrypt(blocks).slice(-BLOCK)
}

/** RFC 3610 §2.3: counter 0 masks the MAC, the text follows from counter 1. */
function counterMode(key: Uint8Array, nonce: Uint8Array, data: Uint8Array): Uint8Array {
  return ctr(key, concat(Uint8Array.of(LENGTH_OCTETS - 1), nonce, uint32(0))).encrypt(data)
}

function aadLength(length: number): Uint8Array {
  if (length === 0) return new Uint8Array(0)
  return length < 0xff00 ? Uint8Array.of(length >>> 8, length & 0xff) : concat(Uint8Array.of(0xff, 0xfe), uint32(length))
}

function wholeBlocks(octets: Uint8Array): Uint8Array {
  return padRight(octets, Math.ceil(octets.length / BLOCK) * BLOCK)
}

function padRight(octets: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length)
  out.set(octets)
  return out
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)
}
