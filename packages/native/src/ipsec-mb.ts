/** AES-GCM of Intel's Multi-Buffer Crypto for IPsec library, by its direct API: one call a packet. */
import { readFileSync } from 'node:fs'
import { arch, platform } from 'node:process'
import { addressOf, checkRange } from './address.ts'
import type { AeadAlgorithm, NativeAead } from './aead.ts'
import { AeadScratch } from './aead-scratch.ts'
import { checkGcmKnownAnswers } from './gcm-known-answers.ts'
import { type NativeLibrary, openLibrary } from './koffi.ts'
import { NativeError } from './native-error.ts'

/** Which instructions the library's functions are made of, by the suffix of their names. */
export type IpsecMbVariant = 'vaes_avx512' | 'avx512' | 'avx_gen4'

/** libIPSec_MB, loaded once for each variant. */
export interface IpsecMb {
  /** `1.3.0` */
  readonly version: string
  readonly variant: IpsecMbVariant
  /**
   * AES-GCM with a tag of 16, 12 or 8 octets and a nonce of 12. Schedules `key` once for both directions; the caller frees.
   *
   * @throws NativeError `CRYPTO` for other ciphers, and when key, nonce or tag lengths do not fit
   */
  createAead(algorithm: AeadAlgorithm, key: Uint8Array): NativeAead
}

const loaded = new Map<IpsecMbVariant, IpsecMb>()

/**
 * The library of the system, after it gave published answers: what is called is an interface of its own, not a standard's.
 *
 * @param options.variant another than the fastest that this CPU has
 * @throws NativeError `UNAVAILABLE` when koffi or the library cannot be loaded, the CPU lacks instructions, or an answer is wrong
 */
export function loadIpsecMb(options: { readonly variant?: IpsecMbVariant } = {}): IpsecMb {
  const variant = variantFor(cpuinfo(), options.variant === undefined ? VARIANTS : [options.variant])
  let ipsecMb = loaded.get(variant)
  if (ipsecMb === undefined) {
    ipsecMb = openLibrary('libIPSec_MB', SONAMES, (library) => bind(library, variant))
    loaded.set(variant, ipsecMb)
  }
  return ipsecMb
}

const SONAMES = ['libIPSec_MB.so.1', 'libIPSec_MB.so.2', 'libIPSec_MB.so']

// Fastest first. What the functions of a variant execute; bmi1 is for BLSMSK, with which two of them count.
const REQUIRED_FLAGS: Readonly<Record<IpsecMbVariant, readonly string[]>> = {
  vaes_avx512: ['aes', 'pclmulqdq', 'vaes', 'vpclmulqdq', 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl'],
  avx512: ['aes', 'pclmulqdq', 'bmi1', 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl'],
  avx_gen4: ['aes', 'pclmulqdq', 'bmi1', 'avx2'],
}
const VARIANTS = Object.keys(REQUIRED_FLAGS) as readonly IpsecMbVariant[]

/**
 * The first of `wanted` that the CPU of this /proc/cpuinfo has. Its flags are also what the kernel saves of the registers.
 *
 * @throws NativeError `UNAVAILABLE` with what the last of them lacks
 */
export function variantFor(cpuinfo: string, wanted: readonly IpsecMbVariant[] = VARIANTS): IpsecMbVariant {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1].trim().split(/\s+/))
  let lacking: readonly string[] = []
  for (const variant of wanted) {
    lacking = REQUIRED_FLAGS[variant].filter((flag) => !flags.has(flag))
    if (lacking.length === 0) return variant
  }
  throw new NativeError('UNAVAILABLE', `libIPSec_MB is of no use here: the CPU lacks ${lacking.join(', ')}`)
}

function cpuinfo(): string {
  if (platform !== 'linux' || arch !== 'x64') throw new NativeError('UNAVAILABLE', `libIPSec_MB is for linux x64, not ${platform} ${arch}`)
  try {
    return readFileSync('/proc/cpuinfo', 'latin1')
  } catch (cause) {
    throw new NativeError('UNAVAILABLE', '/proc/cpuinfo, which says what the CPU has, cannot be read', {}, { cause })
  }
}

function bind(library: NativeLibrary, variant: IpsecMbVariant): IpsecMb {
  const version = library.func('const char *imb_get_version_str()')() as string
  const functions: Record<string, GcmFunctions> = {
    'aes-128-gcm': gcmFunctions(library, 128, variant),
    'aes-192-gcm': gcmFunctions(library, 192, variant),
    'aes-256-gcm': gcmFunctions(library, 256, variant),
  }
  const ipsecMb: IpsecMb = { version, variant, createAead: (algorithm, key) => createAead(functions[algorithm.cipher], algorithm, key) }
  checkGcmKnownAnswers(`libIPSec_MB ${version}, ${variant}`, ipsecMb.createAead)
  return ipsecMb
}

interface GcmFunctions {
  readonly keyLength: number
  schedule(key: number, keyData: number): void
  encrypt: GcmFunction
  decrypt: GcmFunction
}

type GcmFunction = (
  keyData: number,
  context: number,
  out: number,
  data: number,
  length: number,
  iv: number,
  aad: number,
  aadLength: number,
  tag: number,
  tagLength: number,
) => void

function gcmFunctions(library: NativeLibrary, bits: number, variant: IpsecMbVariant): GcmFunctions {
  const operation = (verb: 'enc' | 'dec'): GcmFunction =>
    library.func(
      `void aes_gcm_${verb}_${bits}_${variant}(uintptr_t keyData, uintptr_t context, uintptr_t out, uintptr_t data, uint64_t length, uintptr_t iv, uintptr_t aad, uint64_t aadLength, uintptr_t tag, uint64_t tagLength)`,
    )
  return {
    keyLength: bits / 8,
    schedule: library.func(`void aes_gcm_pre_${bits}_${variant}(uintptr_t key, uintptr_t keyData)`),
    encrypt: operation('enc'),
    decrypt: operation('dec'),
  }
}

/*
 * The library's part of the scratch memory. Version 1.3 writes 1,008 octets of gcm_key_data and 80 of gcm_context_data, whose sizes are
 * in no symbol: there is room for later versions to write more. gcm_key_data is aligned to 64 octets in its header.
 */
const KEY_DATA = 0
const CONTEXT = 4096
const TAG = 4352
const ROOM = 4416
const ALIGNMENT = 64

const NONCE_LENGTH = 12
const TAG_LENGTHS = [16, 12, 8]

function createAead(functions: GcmFunctions | undefined, { cipher, tagLength, nonceLength }: AeadAlgorithm, key: Uint8Array): NativeAead {
  const refuse = (why: string): never => {
    throw new NativeError('CRYPTO', `${cipher}: ${why}`, { subject: cipher })
  }
  if (functions === undefined) return refuse('not available in libIPSec_MB')
  if (key.length !== functions.keyLength) refuse(`a key of ${key.length} octets`)
  if (nonceLength !== NONCE_LENGTH) refuse(`a nonce of ${nonceLength} octets`)
  if (!TAG_LENGTHS.includes(tagLength)) refuse(`a tag of ${tagLength} octets`)

  const { encrypt, decrypt } = functions
  const scratch = new AeadScratch(nonceLength, ROOM, ALIGNMENT)
  const { bytes, nonceAddress } = scratch
  const keyData = scratch.address + KEY_DATA
  const context = scratch.address + CONTEXT
  const tagAddress = scratch.address + TAG
  // Through the room of the context, which is free yet and is written over by the first packet.
  bytes.set(key, CONTEXT)
  functions.schedule(context, keyData)
  bytes.fill(0, CONTEXT)

  let isFreed = false
  const take = (nonce: Uint8Array, aad: Uint8Array, aadLength: number): number => {
    if (isFreed) refuse('the key was freed')
    return scratch.take(nonce, aad, aadLength)
  }
  return {
    seal(nonce, aad, aadLength, src, srcOffset, length, dst, dstOffset) {
      const aadAddress = take(nonce, aad, aadLength)
      checkRange(src, srcOffset, length)
      checkRange(dst, dstOffset, length + tagLength)
      const from = addressOf(src) + srcOffset
      const to = addressOf(dst) + dstOffset
      encrypt(keyData, context, to, from, length, nonceAddress, aadAddress, aadLength, to + length, tagLength)
    },
    open(nonce, aad, aadLength, src, srcOffset, length, dst, dstOffset) {
      const aadAddress = take(nonce, aad, aadLength)
      checkRange(src, srcOffset, length + tagLength)
      checkRange(dst, dstOffset, length)
      const from = addressOf(src) + srcOffset
      const to = addressOf(dst) + dstOffset
      decrypt(keyData, context, to, from, length, nonceAddress, aadAddress, aadLength, tagAddress, tagLength)
      // All of it in any case: how far two tags agree must not show in the time.
      let difference = 0
      const received = srcOffset + length
      for (let i = 0; i < tagLength; i++) difference |= bytes[TAG + i] ^ src[received + i]
      return difference === 0
    },
    free() {
      isFreed = true
      scratch.erase()
    },
  }
}
