import { addressOf, checkRange, nativeBuffer } from './address.ts'
import type { AeadAlgorithm, NativeAead } from './aead.ts'
import { AeadScratch } from './aead-scratch.ts'
import { type NativeLibrary, openLibrary } from './koffi.ts'
import { NativeError } from './native-error.ts'

/** OpenSSL's libcrypto, loaded once. */
export interface Libcrypto {
  /** `OpenSSL 3.0.19 27 Jan 2026` */
  readonly version: string
  /**
   * Schedules `key` once for each direction; the caller frees.
   *
   * @throws NativeError `CRYPTO` when the cipher is missing here or key, nonce or tag lengths do not fit it
   */
  createAead(algorithm: AeadAlgorithm, key: Uint8Array): NativeAead
}

let libcrypto: Libcrypto | undefined

/**
 * libcrypto of the running program where it exports one (Node does), else the shared library of the system.
 *
 * @throws NativeError `UNAVAILABLE` when koffi or libcrypto cannot be loaded
 */
export function loadLibcrypto(): Libcrypto {
  if (libcrypto === undefined) {
    const evp = openLibrary('libcrypto', [null, ...SONAMES], bindEvp)
    libcrypto = { version: evp.version, createAead: (algorithm, key) => createAead(evp, algorithm, key) }
  }
  return libcrypto
}

const SONAMES = ['libcrypto.so.3', 'libcrypto.so.1.1', 'libcrypto.so', 'libcrypto.3.dylib', 'libcrypto-3-x64.dll']

// openssl/evp.h
const EVP_CTRL_AEAD_SET_IVLEN = 0x9
const EVP_CTRL_AEAD_GET_TAG = 0x10
const EVP_CTRL_AEAD_SET_TAG = 0x11

interface Evp {
  readonly version: string
  cipherByName(name: string): number
  contextNew(): number
  contextFree(context: number): void
  keyLength(cipher: number): number
  init(context: number, cipher: number, engine: 0, key: number, iv: number, encrypt: 0 | 1): number
  control(context: number, type: number, argument: number, pointer: number): number
  update(context: number, out: number, outLength: number, data: number, length: number): number
  final(context: number, out: number, outLength: number): number
}

function bindEvp(library: NativeLibrary): Evp {
  const version = library.func('const char *OpenSSL_version(int what)')(0) as string
  // BoringSSL and LibreSSL export the same names with other meanings or without CCM and ChaCha20-Poly1305.
  if (!version.startsWith('OpenSSL ')) throw new NativeError('UNAVAILABLE', `not OpenSSL but ${version}`)
  return {
    version,
    cipherByName: library.func('uintptr_t EVP_get_cipherbyname(const char *name)'),
    contextNew: library.func('uintptr_t EVP_CIPHER_CTX_new()'),
    contextFree: library.func('void EVP_CIPHER_CTX_free(uintptr_t context)'),
    keyLength: keyLengthFunction(library),
    init: library.func(
      'int EVP_CipherInit_ex(uintptr_t context, uintptr_t cipher, uintptr_t engine, uintptr_t key, uintptr_t iv, int enc)',
    ),
    control: library.func('int EVP_CIPHER_CTX_ctrl(uintptr_t context, int type, int argument, uintptr_t pointer)'),
    update: library.func('int EVP_CipherUpdate(uintptr_t context, uintptr_t out, uintptr_t outLength, uintptr_t data, int length)'),
    final: library.func('int EVP_CipherFinal_ex(uintptr_t context, uintptr_t out, uintptr_t outLength)'),
  }
}

function keyLengthFunction(library: NativeLibrary): Evp['keyLength'] {
  try {
    return library.func('int EVP_CIPHER_get_key_length(uintptr_t cipher)')
  } catch {
    return library.func('int EVP_CIPHER_key_length(uintptr_t cipher)') // the name before OpenSSL 3
  }
}

// What OpenSSL writes beside the data, in the scratch memory of one key.
const OUT_LENGTH = 0
const FINAL = 8
const OUTPUTS = 32

function createAead(evp: Evp, algorithm: AeadAlgorithm, key: Uint8Array): NativeAead {
  const { cipher, tagLength, nonceLength } = algorithm
  const isCcm = cipher.endsWith('-ccm')
  const type = evp.cipherByName(isCcm ? `id-${cipher.slice(0, 7).replace('-', '')}-CCM` : cipher)
  const refuse = (why: string): never => {
    throw new NativeError('CRYPTO', `${cipher}: ${why}`, { subject: cipher })
  }
  if (!type) refuse(`not available in ${evp.version}`)
  if (key.length !== evp.keyLength(type)) refuse(`a key of ${key.length} octets`)
  if (nonceLength < 7 || nonceLength > 16) refuse(`a nonce of ${nonceLength} octets`)
  if (tagLength < 4 || tagLength > 16) refuse(`a tag of ${tagLength} octets`)

  const scratch = new AeadScratch(nonceLength, OUTPUTS)
  const outLength = scratch.address + OUT_LENGTH
  const finalAddress = scratch.address + FINAL
  const { nonceAddress } = scratch
  const keyCopy = nativeBuffer(key.length)
  keyCopy.bytes.set(key)
  const contexts: number[] = []
  const newContext = (encrypt: 0 | 1): number => {
    const context = evp.contextNew()
    contexts.push(context)
    const isReady =
      evp.init(context, type, 0, 0, 0, encrypt) === 1 &&
      evp.control(context, EVP_CTRL_AEAD_SET_IVLEN, nonceLength, 0) === 1 &&
      // CCM mixes the tag's length into the first block, so it has to be known before anything is encrypted (RFC 3610 §2.2).
      (!isCcm || evp.control(context, EVP_CTRL_AEAD_SET_TAG, tagLength, 0) === 1) &&
      evp.init(context, 0, 0, keyCopy.address, 0, encrypt) === 1
    if (!isReady) {
      keyCopy.bytes.fill(0)
      for (const each of contexts) evp.contextFree(each)
      refuse('libcrypto refuses the key, the nonce length or the tag length')
    }
    return context
  }
  let sealing = newContext(1)
  let opening = newContext(0)
  keyCopy.bytes.fill(0)

  const fail = (what: string): never => {
    if (sealing === 0) throw new NativeError('CRYPTO', `${cipher}: the key was freed`, { subject: cipher })
    throw new NativeError('CRYPTO', `${cipher}: ${what} failed`, { call: what, subject: cipher })
  }
  const take = (nonce: Uint8Array, aad: Uint8Array, aadLength: number): number => {
    if (sealing === 0) fail('use')
    return scratch.take(nonce, aad, aadLength)
  }
  const authenticate = (context: number, aadAddress: number, aadLength: number): boolean =>
    aadLength === 0 || evp.update(context, 0, outLength, aadAddress, aadLength) === 1

  const aead: NativeAead = {
    seal(nonce, aad, aadLength, src, srcOffset, length, dst, dstOffset) {
      const aadAddress = take(nonce, aad, aadLength)
      checkRange(src, srcOffset, length)
      checkRange(dst, dstOffset, length + tagLength)
      const from = addressOf(src) + srcOffset
      const to = addressOf(dst) + dstOffset
      if (evp.init(sealing, 0, 0, 0, nonceAddress, 1) !== 1) fail('EVP_CipherInit_ex')
      if (isCcm && evp.update(sealing, 0, outLength, 0, length) !== 1) fail('EVP_CipherUpdate')
      if (!authenticate(sealing, aadAddress, aadLength)) fail('EVP_CipherUpdate')
      // CCM computes its tag in this call, even over no data; the others have nothing to do then.
      if ((length > 0 || isCcm) && evp.update(sealing, to, outLength, from, length) !== 1) fail('EVP_CipherUpdate')
      if (evp.final(sealing, finalAddress, outLength) !== 1) fail('EVP_CipherFinal_ex')
      if (evp.control(sealing, EVP_CTRL_AEAD_GET_TAG, tagLength, to + length) !== 1) fail('EVP_CIPHER_CTX_ctrl')
    },
    open(nonce, aad, aadLength, src, srcOffset, length, dst, dstOffset) {
      const aadAddress = take(nonce, aad, aadLength)
      checkRange(src, srcOffset, length + tagLength)
      checkRange(dst, dstOffset, length)
      const from = addressOf(src) + srcOffset
      const to = addressOf(dst) + dstOffset
      if (evp.init(opening, 0, 0, 0, nonceAddress, 0) !== 1) fail('EVP_CipherInit_ex')
      if (evp.control(opening, EVP_CTRL_AEAD_SET_TAG, tagLength, from + length) !== 1) fail('EVP_CIPHER_CTX_ctrl')
      if (isCcm) {
        if (evp.update(opening, 0, outLength, 0, length) !== 1) fail('EVP_CipherUpdate')
        if (!authenticate(opening, aadAddress, aadLength)) fail('EVP_CipherUpdate')
        // CCM verifies while it decrypts, and there is no final call.
        return evp.update(opening, to, outLength, from, length) === 1
      }
      if (!authenticate(opening, aadAddress, aadLength)) fail('EVP_CipherUpdate')
      if (length > 0 && evp.update(opening, to, outLength, from, length) !== 1) fail('EVP_CipherUpdate')
      return evp.final(opening, finalAddress, outLength) === 1
    },
    free() {
      if (sealing === 0) return
      unreachable.unregister(aead)
      evp.contextFree(sealing)
      evp.contextFree(opening)
      sealing = 0
      opening = 0
      scratch.erase()
    },
  }
  unreachable.register(aead, { evp, contexts: [sealing, opening] }, aead)
  return aead
}

/** For owners that forget {@link NativeAead.free}: the key schedules are outside the reach of the garbage collector. */
const unreachable = new FinalizationRegistry<{ evp: Evp; contexts: readonly number[] }>(({ evp, contexts }) => {
  for (const context of contexts) evp.contextFree(context)
})
