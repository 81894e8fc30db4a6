import { concat, spiOctets } from './octets.ts'
import { type Prf, prfPlus } from './prf.ts'

/** The seven keys of an IKE SA (RFC 7296 §2.14), each in its own buffer so that it can be erased alone. */
export interface IkeKeys {
  readonly skd: Uint8Array
  /** Empty with an AEAD (RFC 5282 §7.1), as is `skar`. */
  readonly skai: Uint8Array
  readonly skar: Uint8Array
  /** Includes the salt of an AEAD, after the key (RFC 5282 §7.1), as does `sker`. */
  readonly skei: Uint8Array
  readonly sker: Uint8Array
  readonly skpi: Uint8Array
  readonly skpr: Uint8Array
}

/** SKEYSEED = prf (Ni | Nr, g^ir) (RFC 7296 §2.14). */
export function skeyseed(prf: Prf, ni: Uint8Array, nr: Uint8Array, sharedSecret: Uint8Array): Uint8Array {
  return prf.compute(concat(ni, nr), sharedSecret)
}

/**
 * SKEYSEED = prf (SK_d (old), g^ir (new) | Ni | Nr), with the PRF of the SA being replaced (RFC 7296 §2.18); `additional` secrets behind them
 * (RFC 9370 §2.2.4). The same formula makes SKEYSEED(n) after IKE_INTERMEDIATE of SK_d(n-1) and the secret of that exchange (§2.2.2).
 */
export function rekeySkeyseed(
  oldPrf: Prf,
  oldSkd: Uint8Array,
  sharedSecret: Uint8Array,
  ni: Uint8Array,
  nr: Uint8Array,
  additional: readonly Uint8Array[] = [],
): Uint8Array {
  return oldPrf.compute(oldSkd, sharedSecret, ni, nr, ...additional)
}

/**
 * Mixes a post-quantum preshared key into SK_d, SK_pi or SK_pr, or makes SKEYSEED' of it and SK_d: prf+ (PPK, key), of the key's length
 * (RFC 8784 §3, RFC 9867 §3.1, §3.2).
 */
export function mixPpk(prf: Prf, ppk: Uint8Array, key: Uint8Array): Uint8Array {
  return prfPlus(prf, ppk, key, prf.keyLength)
}

/** {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+ (SKEYSEED, Ni | Nr | SPIi | SPIr) (RFC 7296 §2.14). */
export function ikeKeys(
  prf: Prf,
  cipher: { readonly encryptionKeyLength: number; readonly integrityKeyLength: number },
  skeyseed: Uint8Array,
  ni: Uint8Array,
  nr: Uint8Array,
  spii: bigint,
  spir: bigint,
): IkeKeys {
  const { encryptionKeyLength: encryption, integrityKeyLength: integrity } = cipher
  const length = 3 * prf.keyLength + 2 * integrity + 2 * encryption
  const keymat = prfPlus(prf, skeyseed, concat(ni, nr, spiOctets(spii), spiOctets(spir)), length)
  let offset = 0
  const take = (octets: number): Uint8Array => {
    offset += octets
    return keymat.slice(offset - octets, offset)
  }
  const keys = {
    skd: take(prf.keyLength),
    skai: take(integrity),
    skar: take(integrity),
    skei: take(encryption),
    sker: take(encryption),
    skpi: take(prf.keyLength),
    skpr: take(prf.keyLength),
  }
  keymat.fill(0)
  return keys
}

/**
 * KEYMAT = prf+ (SK_d, [g^ir (new) |] Ni | Nr), `length` octets (RFC 7296 §2.17). `sharedSecret` is given when the
 * CREATE_CHILD_SA exchange carried KE, `additional` secrets where IKE_FOLLOWUP_KE came behind it (RFC 9370 §2.2.4). Keys are taken
 * initiator to responder first, encryption before integrity.
 */
export function childKeymat(
  prf: Prf,
  skd: Uint8Array,
  ni: Uint8Array,
  nr: Uint8Array,
  length: number,
  sharedSecret?: Uint8Array,
  additional: readonly Uint8Array[] = [],
): Uint8Array {
  return prfPlus(prf, skd, concat(...(sharedSecret ? [sharedSecret] : []), ni, nr, ...additional), length)
}
