import { hmac } from '@noble/hashes/hmac.js'
import { sha1 } from '@noble/hashes/legacy.js'
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { IkeCryptoError } from './error.ts'

/** A pseudorandom function, Transform Type 2 (RFC 7296 §3.3.2, RFC 4868 §2.1.2). */
export interface Prf {
  /** Transform ID. */
  readonly id: number
  /** IANA's name, e.g. `PRF_HMAC_SHA2_256`. */
  readonly name: string
  /** Octets that `compute` returns. */
  readonly outputLength: number
  /** Preferred key size in octets: the size of SK_d, SK_pi and SK_pr (RFC 7296 §2.13, §2.14). */
  readonly keyLength: number
  /** prf(key, data[0] | data[1] | …). The key may be of any length. */
  compute(key: Uint8Array, ...data: Uint8Array[]): Uint8Array
}

/** The PRF of a Transform ID, or `undefined` where this package has none (HMAC-MD5 and TIGER are refused, RFC 8247 §2.2). */
export function prf(id: number): Prf | undefined {
  return PRFS.get(id)
}

/**
 * prf+ (K, S) = T1 | T2 | …, where T1 = prf (K, S | 0x01) and Tn = prf (K, Tn-1 | S | n) (RFC 7296 §2.13).
 * Throws OUTPUT_TOO_LONG past 255 blocks.
 */
export function prfPlus(prf: Prf, key: Uint8Array, seed: Uint8Array, length: number): Uint8Array {
  const maximum = 255 * prf.outputLength
  if (length > maximum) throw new IkeCryptoError('OUTPUT_TOO_LONG', { requested: length, maximum })
  const out = new Uint8Array(length)
  let block: Uint8Array = new Uint8Array(0)
  for (let n = 1, offset = 0; offset < length; n++) {
    block = prf.compute(key, block, seed, Uint8Array.of(n))
    out.set(block.subarray(0, length - offset), offset)
    offset += block.length
  }
  return out
}

const PRFS: ReadonlyMap<number, Prf> = new Map(
  [
    hmacPrf(2, 'PRF_HMAC_SHA1', sha1),
    hmacPrf(5, 'PRF_HMAC_SHA2_256', sha256),
    hmacPrf(6, 'PRF_HMAC_SHA2_384', sha384),
    hmacPrf(7, 'PRF_HMAC_SHA2_512', sha512),
  ].map((row) => [row.id, row]),
)

function hmacPrf(id: number, name: string, hash: typeof sha256 | typeof sha1): Prf {
  return {
    id,
    name,
    outputLength: hash.outputLen,
    keyLength: hash.outputLen,
    compute(key, ...data) {
      const mac = hmac.create(hash, key)
      for (const part of data) mac.update(part)
      return mac.digest()
    },
  }
}
