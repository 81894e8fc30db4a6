import { createCipheriv, createDecipheriv, createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import type { Aead, AeadProvider } from './aead.ts'
import { EspCryptoError } from './error.ts'
import { equalOctets, type Keymat, Nonce, splitKeymat } from './keymat.ts'
import type { EspCipher, EspHash, EspTransform } from './transform.ts'

/**
 * node:crypto, on Node, Deno and Bun. It makes a cipher object and a result buffer per packet, which is what limits it.
 * `supports` asks the runtime by sealing one packet: Bun, for one, has no ChaCha20-Poly1305 in `createCipheriv`.
 */
export const nodeProvider: AeadProvider = {
  name: 'node',
  supports(transform) {
    let isSupported = PROBED.get(transform.name)
    if (isSupported === undefined) {
      isSupported = probe(transform)
      PROBED.set(transform.name, isSupported)
    }
    return isSupported
  },
  create(transform, keymat) {
    const parts = splitKeymat(transform, keymat)
    if (!nodeProvider.supports(transform)) {
      throw new EspCryptoError('TRANSFORM_UNSUPPORTED', { provider: 'node', transform: transform.name })
    }
    return make(transform, parts)
  },
}

const PROBED = new Map<string, boolean>()

function probe(transform: EspTransform): boolean {
  const keymat = new Uint8Array(transform.keymatLength)
  const buffer = new Uint8Array(16 + transform.icvLength)
  const aad = new Uint8Array(8)
  try {
    const aead = make(transform, splitKeymat(transform, keymat))
    const iv = new Uint8Array(aead.ivLength)
    aead.seal(iv, aad, 8, buffer, 0, 16)
    if (!aead.open(iv, aad, 8, buffer, 0, 16) || buffer.some((octet, i) => i < 16 && octet !== 0)) return false
    // A runtime that does not check truncated tags is of no use.
    aead.seal(iv, aad, 8, buffer, 0, 16)
    buffer[15 + transform.icvLength]! ^= 1
    return !aead.open(iv, aad, 8, buffer, 0, 16)
  } catch {
    return false
  }
}

function make(transform: EspTransform, keymat: Keymat): Aead {
  if (transform.hash !== undefined) return new NodeCipherHmac(transform, transform.hash, keymat)
  const name = AEAD_NAMES[transform.cipher]
  if (name === undefined) throw new EspCryptoError('TRANSFORM_UNSUPPORTED', { provider: 'node', transform: transform.name })
  return new NodeAead(name(transform.encryptionKeyLength * 8), transform, keymat)
}

const AEAD_NAMES: Readonly<Partial<Record<EspCipher, (bits: number) => string>>> = {
  'AES-GCM': (bits) => `aes-${bits}-gcm`,
  'AES-GMAC': (bits) => `aes-${bits}-gcm`,
  'AES-CCM': (bits) => `aes-${bits}-ccm`,
  'CHACHA20-POLY1305': () => 'chacha20-poly1305',
}

class NodeAead implements Aead {
  readonly ivLength = 8
  readonly icvLength: number
  readonly #name: 'aes-256-gcm'
  readonly #isCcm: boolean
  readonly #isGmac: boolean
  readonly #key: KeyObject
  readonly #nonce: Nonce
  readonly #options: { readonly authTagLength: number }

  constructor(name: string, transform: EspTransform, keymat: Keymat) {
    // The overloads are by name; the operations used are those of all of them.
    this.#name = name as 'aes-256-gcm'
    this.icvLength = transform.icvLength
    this.#isCcm = transform.cipher === 'AES-CCM'
    this.#isGmac = transform.cipher === 'AES-GMAC'
    this.#key = createSecretKey(keymat.encryption)
    this.#nonce = new Nonce(keymat.salt, this.ivLength)
    this.#options = { authTagLength: transform.icvLength }
  }

  seal(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): void {
    const cipher = createCipheriv(this.#name, this.#key, this.#nonce.write(iv), this.#options)
    this.#authenticate(cipher, iv, aad, aadLength, buffer, offset, length)
    if (!this.#isGmac) buffer.set(cipher.update(buffer.subarray(offset, offset + length)), offset)
    cipher.final()
    buffer.set(cipher.getAuthTag(), offset + length)
  }

  open(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): boolean {
    const decipher = createDecipheriv(this.#name, this.#key, this.#nonce.write(iv), this.#options)
    decipher.setAuthTag(buffer.subarray(offset + length, offset + length + this.icvLength))
    this.#authenticate(decipher, iv, aad, aadLength, buffer, offset, length)
    try {
      const plaintext = this.#isGmac ? undefined : decipher.update(buffer.subarray(offset, offset + length))
      decipher.final()
      if (plaintext) buffer.set(plaintext, offset)
      return true
    } catch {
      return false
    }
  }

  #authenticate(
    operation: { setAAD(octets: Uint8Array, options: { plaintextLength: number }): unknown },
    iv: Uint8Array,
    aad: Uint8Array,
    aadLength: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const options = { plaintextLength: this.#isCcm ? length : 0 }
    const header = aad.length === aadLength ? aad : aad.subarray(0, aadLength)
    operation.setAAD(this.#isGmac ? gmacAad(header, iv, buffer, offset, length) : header, options)
  }
}

/** RFC 4543 §3.3 and Figure 4: the IV and the whole payload are associated data. */
function gmacAad(aad: Uint8Array, iv: Uint8Array, buffer: Uint8Array, offset: number, length: number): Uint8Array {
  const whole = new Uint8Array(aad.length + iv.length + length)
  whole.set(aad)
  whole.set(iv, aad.length)
  whole.set(buffer.subarray(offset, offset + length), aad.length + iv.length)
  return whole
}

/** AES-CBC or NULL with HMAC, encrypt-then-MAC (RFC 4303 §3.3.2.1). */
class NodeCipherHmac implements Aead {
  readonly ivLength: number
  readonly icvLength: number
  readonly #cbc: string | undefined
  readonly #key: KeyObject | undefined
  readonly #hash: string
  readonly #integrityKey: KeyObject

  constructor(transform: EspTransform, hash: EspHash, keymat: Keymat) {
    this.ivLength = transform.ivLength
    this.icvLength = transform.icvLength
    if (transform.cipher === 'AES-CBC') {
      this.#cbc = `aes-${transform.encryptionKeyLength * 8}-cbc`
      this.#key = createSecretKey(keymat.encryption)
    }
    this.#hash = HASH_NAMES[hash]
    this.#integrityKey = createSecretKey(keymat.integrity)
  }

  seal(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): void {
    if (this.#cbc && this.#key) {
      const cipher = createCipheriv(this.#cbc, this.#key, iv).setAutoPadding(false)
      buffer.set(cipher.update(buffer.subarray(offset, offset + length)), offset)
      cipher.final()
    }
    const icv = this.#computeIcv(iv, aad, aadLength, buffer, offset, length)
    buffer.set(icv.subarray(0, this.icvLength), offset + length)
  }

  open(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): boolean {
    const icv = this.#computeIcv(iv, aad, aadLength, buffer, offset, length)
    if (!equalOctets(icv, 0, buffer, offset + length, this.icvLength)) return false
    if (this.#cbc && this.#key) {
      const decipher = createDecipheriv(this.#cbc, this.#key, iv).setAutoPadding(false)
      buffer.set(decipher.update(buffer.subarray(offset, offset + length)), offset)
      decipher.final()
    }
    return true
  }

  #computeIcv(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): Uint8Array {
    const hmac = createHmac(this.#hash, this.#integrityKey)
    const hasEsn = aadLength === 12
    if (!hasEsn) hmac.update(aad.subarray(0, aadLength))
    else hmac.update(aad.subarray(0, 4)).update(aad.subarray(8, 12))
    if (iv.length > 0) hmac.update(iv)
    hmac.update(buffer.subarray(offset, offset + length))
    // The high half is authenticated as if it followed Next Header (RFC 4303 §3.3.2.1 step 4).
    if (hasEsn) hmac.update(aad.subarray(4, 8))
    return hmac.digest()
  }
}

const HASH_NAMES = { SHA1: 'sha1', 'SHA2-256': 'sha256', 'SHA2-384': 'sha384', 'SHA2-512': 'sha512' } as const
