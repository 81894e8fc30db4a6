import type { AeadCipher, Libcrypto, NativeAead } from '@underpass/native'
import type { Aead, AeadProvider } from './aead.ts'
import { EspCryptoError } from './error.ts'
import { type Keymat, Nonce, splitKeymat } from './keymat.ts'
import { nobleProvider } from './noble/provider.ts'
import { nodeProvider } from './node.ts'
import type { EspCipher, EspTransform } from './transform.ts'

// An optional dependency: where it is not installed, this module still loads and opensslProvider() says so.
const native = await import('@underpass/native').catch((cause: unknown) => ({ cause }))

/**
 * libcrypto's EVP interface: one context per key and direction, per packet only the IV is set, and data goes from where it is to where it belongs.
 * AEADs only; AES-CBC and NULL with HMAC are `./node`'s (noble's where the runtime lacks them).
 *
 * @throws EspCryptoError `PROVIDER_UNAVAILABLE` where @underpass/native, koffi or libcrypto cannot be loaded
 */
export function opensslProvider(): AeadProvider {
  const libcrypto = load()
  const probed = new Map<string, boolean>()
  return {
    name: 'openssl',
    supports(transform) {
      let isSupported = probed.get(transform.name)
      if (isSupported === undefined) {
        isSupported = transform.hash !== undefined || probe(libcrypto, transform)
        probed.set(transform.name, isSupported)
      }
      return isSupported
    },
    create(transform, keymat) {
      if (transform.hash !== undefined) return withHmacProvider(transform).create(transform, keymat)
      const parts = splitKeymat(transform, keymat)
      try {
        return make(libcrypto, transform, parts)
      } catch (cause) {
        throw new EspCryptoError('TRANSFORM_UNSUPPORTED', { provider: 'openssl', transform: transform.name }, { cause })
      }
    },
  }
}

const withHmacProvider = (transform: EspTransform): AeadProvider => (nodeProvider.supports(transform) ? nodeProvider : nobleProvider)

function probe(libcrypto: Libcrypto, transform: EspTransform): boolean {
  try {
    make(libcrypto, transform, splitKeymat(transform, new Uint8Array(transform.keymatLength))).free()
    return true
  } catch {
    return false
  }
}

function make(libcrypto: Libcrypto, transform: EspTransform, keymat: Keymat): OpensslAead | OpensslGmac {
  const name = AEAD_NAMES[transform.cipher]
  if (!name) throw new EspCryptoError('TRANSFORM_UNSUPPORTED', { provider: 'openssl', transform: transform.name })
  const nonceLength = transform.saltLength + IV_LENGTH
  const algorithm = { cipher: name(transform.encryptionKeyLength * 8), tagLength: transform.icvLength, nonceLength }
  const aead = libcrypto.createAead(algorithm, keymat.encryption)
  keymat.encryption.fill(0)
  return transform.cipher === 'AES-GMAC' ? new OpensslGmac(aead, transform, keymat) : new OpensslAead(aead, transform, keymat)
}

function load(): Libcrypto {
  if (!('loadLibcrypto' in native)) throw unavailable('@underpass/native is not installed', native.cause)
  try {
    return native.loadLibcrypto()
  } catch (cause) {
    throw unavailable(cause instanceof Error ? cause.message : String(cause), cause)
  }
}

function unavailable(reason: string, cause: unknown): EspCryptoError {
  return new EspCryptoError('PROVIDER_UNAVAILABLE', { provider: 'openssl', reason }, { cause })
}

const IV_LENGTH = 8

const AEAD_NAMES: Readonly<Partial<Record<EspCipher, (bits: number) => AeadCipher>>> = {
  'AES-GCM': (bits) => `aes-${bits as 128 | 192 | 256}-gcm`,
  'AES-GMAC': (bits) => `aes-${bits as 128 | 192 | 256}-gcm`,
  'AES-CCM': (bits) => `aes-${bits as 128 | 192 | 256}-ccm`,
  'CHACHA20-POLY1305': () => 'chacha20-poly1305',
}

class OpensslAead implements Aead {
  readonly ivLength = IV_LENGTH
  readonly icvLength: number
  readonly #aead: NativeAead
  readonly #nonce: Nonce

  constructor(aead: NativeAead, transform: EspTransform, keymat: Keymat) {
    this.icvLength = transform.icvLength
    this.#aead = aead
    this.#nonce = new Nonce(keymat.salt, this.ivLength)
  }

  seal(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): void {
    this.#aead.seal(this.#nonce.write(iv), aad, aadLength, buffer, offset, length, buffer, offset)
  }
  open(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): boolean {
    return this.#aead.open(this.#nonce.write(iv), aad, aadLength, buffer, offset, length, buffer, offset)
  }
  sealFrom(
    iv: Uint8Array,
    aad: Uint8Array,
    aadLength: number,
    src: Uint8Array,
    srcOffset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
  ): void {
    this.#aead.seal(this.#nonce.write(iv), aad, aadLength, src, srcOffset, length, dst, dstOffset)
  }
  openFrom(
    iv: Uint8Array,
    aad: Uint8Array,
    aadLength: number,
    src: Uint8Array,
    srcOffset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
  ): boolean {
    return this.#aead.open(this.#nonce.write(iv), aad, aadLength, src, srcOffset, length, dst, dstOffset)
  }
  free(): void {
    this.#aead.free()
  }
}

/** GCM over nothing, with the whole packet as associated data (RFC 4543 §3.3). */
class OpensslGmac implements Aead {
  readonly ivLength = IV_LENGTH
  readonly icvLength: number
  readonly #aead: NativeAead
  readonly #nonce: Nonce
  #aad: Uint8Array = new Uint8Array(2048)

  constructor(aead: NativeAead, transform: EspTransform, keymat: Keymat) {
    this.icvLength = transform.icvLength
    this.#aead = aead
    this.#nonce = new Nonce(keymat.salt, this.ivLength)
  }

  seal(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): void {
    const covered = this.#gather(iv, aad, aadLength, buffer, offset, length)
    this.#aead.seal(this.#nonce.write(iv), this.#aad, covered, buffer, offset + length, 0, buffer, offset + length)
  }
  open(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): boolean {
    const covered = this.#gather(iv, aad, aadLength, buffer, offset, length)
    return this.#aead.open(this.#nonce.write(iv), this.#aad, covered, buffer, offset + length, 0, buffer, offset + length)
  }
  free(): void {
    this.#aead.free()
  }

  #gather(iv: Uint8Array, aad: Uint8Array, aadLength: number, buffer: Uint8Array, offset: number, length: number): number {
    const covered = aadLength + iv.length + length
    if (covered > this.#aad.length) this.#aad = new Uint8Array(covered * 2)
    for (let i = 0; i < aadLength; i++) this.#aad[i] = aad[i]!
    for (let i = 0; i < iv.length; i++) this.#aad[aadLength + i] = iv[i]!
    this.#aad.set(buffer.subarray(offset, offset + length), aadLength + iv.length)
    return covered
  }
}
