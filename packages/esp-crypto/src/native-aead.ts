/** ESP's AEADs over those of `@underpass/native`, whichever library makes them. */
import type { AeadAlgorithm, AeadCipher, NativeAead } from '@underpass/native'
import type { Aead } from './aead.ts'
import { EspCryptoError } from './error.ts'
import { type Keymat, Nonce } from './keymat.ts'
import type { EspCipher, EspTransform } from './transform.ts'

type Native = typeof import('@underpass/native')

// An optional dependency: where it is not installed, the modules of the providers still load and their functions say so.
const native = await import('@underpass/native').catch((cause: unknown) => ({ cause }))

/** Of libcrypto and of libIPSec_MB. */
export interface AeadLibrary {
  createAead(algorithm: AeadAlgorithm, key: Uint8Array): NativeAead
}

/**
 * What `load` answers, for the provider of that name.
 *
 * @throws EspCryptoError `PROVIDER_UNAVAILABLE` where `@underpass/native` is not installed or `load` throws
 */
export function loadNative<T>(provider: string, load: (native: Native) => T): T {
  if (!('NativeError' in native)) throw unavailable(provider, '@underpass/native is not installed', native.cause)
  try {
    return load(native)
  } catch (cause) {
    const missing = cause instanceof native.NativeError ? cause.context.subject : undefined
    throw unavailable(provider, cause instanceof Error ? cause.message : String(cause), cause, missing)
  }
}

function unavailable(provider: string, reason: string, cause: unknown, missing?: string): EspCryptoError {
  return new EspCryptoError('PROVIDER_UNAVAILABLE', { provider, reason, ...(missing === undefined ? {} : { missing }) }, { cause })
}

/**
 * For one of the AEAD transforms; erases `keymat.encryption`.
 *
 * @throws EspCryptoError `TRANSFORM_UNSUPPORTED` when it is none, or the library refuses it
 */
export function createNativeAead(provider: string, library: AeadLibrary, transform: EspTransform, keymat: Keymat): FreeableAead {
  const name = AEAD_NAMES[transform.cipher]
  if (!name) throw new EspCryptoError('TRANSFORM_UNSUPPORTED', { provider, transform: transform.name })
  const nonceLength = transform.saltLength + IV_LENGTH
  const algorithm = { cipher: name(transform.encryptionKeyLength * 8), tagLength: transform.icvLength, nonceLength }
  try {
    const aead = library.createAead(algorithm, keymat.encryption)
    return transform.cipher === 'AES-GMAC' ? new NativeEspGmac(aead, transform, keymat) : new NativeEspAead(aead, transform, keymat)
  } catch (cause) {
    throw new EspCryptoError('TRANSFORM_UNSUPPORTED', { provider, transform: transform.name }, { cause })
  } finally {
    keymat.encryption.fill(0)
  }
}

type FreeableAead = Aead & Required<Pick<Aead, 'free'>>

const IV_LENGTH = 8

const AEAD_NAMES: Readonly<Partial<Record<EspCipher, (bits: number) => AeadCipher>>> = {
  'AES-GCM': (bits) => `aes-${bits as 128 | 192 | 256}-gcm`,
  'AES-GMAC': (bits) => `aes-${bits as 128 | 192 | 256}-gcm`,
  'AES-CCM': (bits) => `aes-${bits as 128 | 192 | 256}-ccm`,
  'CHACHA20-POLY1305': () => 'chacha20-poly1305',
}

class NativeEspAead implements Aead {
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
class NativeEspGmac implements Aead {
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
