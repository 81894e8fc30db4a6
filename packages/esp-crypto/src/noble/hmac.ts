import { hmac } from '@noble/hashes/hmac.js'
import { sha1 } from '@noble/hashes/legacy.js'
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import type { Aead } from '../aead.ts'
import { equalOctets, type Keymat } from '../keymat.ts'
import type { EspHash, EspTransform } from '../transform.ts'
import { type AesKey, cbcDecrypt, cbcEncrypt, expandDecryptionKey, expandEncryptionKey } from './aes.ts'

/** AES-CBC or NULL with HMAC, encrypt-then-MAC (RFC 3602, RFC 2410, RFC 4868, RFC 2404; RFC 4303 §3.3.2.1). */
export class NobleCipherHmac implements Aead {
  readonly ivLength: number
  readonly icvLength: number
  readonly #encryptionKey: AesKey | undefined
  readonly #decryptionKey: AesKey | undefined
  /** Both pads of the key already hashed; each packet starts from a copy. */
  readonly #keyed: KeyedHmac
  readonly #running: KeyedHmac
  readonly #digest: Uint8Array

  constructor(transform: EspTransform & { readonly hash: EspHash }, keymat: Keymat) {
    this.ivLength = transform.ivLength
    this.icvLength = transform.icvLength
    if (transform.cipher === 'AES-CBC') {
      this.#encryptionKey = expandEncryptionKey(keymat.encryption)
      this.#decryptionKey = expandDecryptionKey(keymat.encryption)
    }
    this.#keyed = hmac.create(HASHES[transform.hash], keymat.integrity) as unknown as KeyedHmac
    this.#running = this.#keyed.clone()
    this.#digest = new Uint8Array(this.#keyed.outputLen)
  }

  seal(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): void {
    if (this.#encryptionKey) cbcEncrypt(this.#encryptionKey, iv, buffer, offset, length)
    this.#computeIcv(iv, aad, aadLength, buffer, offset, length)
    for (let i = 0; i < this.icvLength; i++) buffer[offset + length + i] = this.#digest[i]!
  }

  open(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): boolean {
    this.#computeIcv(iv, aad, aadLength, buffer, offset, length)
    if (!equalOctets(this.#digest, 0, buffer, offset + length, this.icvLength)) return false
    if (this.#decryptionKey) cbcDecrypt(this.#decryptionKey, iv, buffer, offset, length)
    return true
  }

  #computeIcv(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): void {
    const mac = this.#keyed._cloneInto(this.#running)
    const hasEsn = aadLength === 12
    if (!hasEsn) mac.update(aad.subarray(0, aadLength))
    else mac.update(aad.subarray(0, 4)).update(aad.subarray(8, 12))
    if (iv.length > 0) mac.update(iv)
    mac.update(buffer.subarray(offset, offset + length))
    // The high half is not sent, and is authenticated as if it followed Next Header (RFC 4303 §3.3.2.1 step 4).
    if (hasEsn) mac.update(aad.subarray(4, 8))
    mac.digestInto(this.#digest)
  }
}

/** What is used of noble's HMAC, whose own type is generic in the hash. */
interface KeyedHmac {
  readonly outputLen: number
  update(octets: Uint8Array): KeyedHmac
  digestInto(out: Uint8Array): void
  clone(): KeyedHmac
  _cloneInto(to: KeyedHmac): KeyedHmac
}

const HASHES = { SHA1: sha1, 'SHA2-256': sha256, 'SHA2-384': sha384, 'SHA2-512': sha512 } as const
