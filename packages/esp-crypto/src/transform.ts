/** How an ESP transform works; providers look at this and never at transform IDs. */
export type EspCipher = 'AES-GCM' | 'AES-CCM' | 'CHACHA20-POLY1305' | 'AES-GMAC' | 'AES-CBC' | 'NULL'
export type EspHash = 'SHA1' | 'SHA2-256' | 'SHA2-384' | 'SHA2-512'

/** One way to protect ESP packets: an AEAD, or a cipher with an integrity algorithm. All lengths are octets but `keyLength`. */
export interface EspTransform {
  /** The names of the registry: `'ENCR_AES_GCM_16-256'`, `'ENCR_AES_CBC-128 AUTH_HMAC_SHA2_256_128'`. */
  readonly name: string
  /** IKEv2 Transform Type 1. */
  readonly encryption: number
  /** The Key Length attribute, in bits; absent where the transform has none. */
  readonly keyLength?: number
  /** IKEv2 Transform Type 3; absent for AEADs. */
  readonly integrity?: number
  /** Encryption key, salt and integrity key together (RFC 7296 §2.17). */
  readonly keymatLength: number
  /** In the packet: 0 with an implicit IV. */
  readonly ivLength: number
  readonly icvLength: number
  /** What the ciphertext is a multiple of; padding also aligns to 4 (RFC 4303 §2.4). */
  readonly blockLength: number
  readonly cipher: EspCipher
  /** Without the salt. */
  readonly encryptionKeyLength: number
  readonly saltLength: number
  readonly integrityKeyLength: number
  readonly hash?: EspHash
  /** RFC 8750: the sequence number is the IV. */
  readonly hasImplicitIv: boolean
}

/**
 * The transform that was negotiated, or `undefined` where we have none.
 *
 * @param keyLength the Key Length attribute in bits, `undefined` when absent. AES has no default (RFC 3602 §2.1).
 * @param integrity `undefined` or 0 (NONE) for AEADs. NULL encryption without integrity does not exist (RFC 4303 §3.2).
 */
export function espTransform(encryption: number, keyLength: number | undefined, integrity: number | undefined): EspTransform | undefined {
  const wanted = integrity === AUTH_NONE ? undefined : integrity
  return ESP_TRANSFORMS.find((row) => row.encryption === encryption && row.keyLength === keyLength && row.integrity === wanted)
}

const AUTH_NONE = 0
const AES_KEY_LENGTHS = [128, 192, 256] as const

interface AeadRow {
  readonly name: string
  readonly encryption: number
  readonly cipher: EspCipher
  readonly saltLength: number
  readonly ivLength: number
  readonly icvLength: number
}

// RFC 4106 §8.1, RFC 4309 §7.1, RFC 4543 §5.4, RFC 8750 §4: KEYMAT is the key and 4 octets of salt (CCM: 3).
const AES_AEADS: readonly AeadRow[] = [
  { name: 'ENCR_AES_CCM_8', encryption: 14, cipher: 'AES-CCM', saltLength: 3, ivLength: 8, icvLength: 8 },
  { name: 'ENCR_AES_CCM_12', encryption: 15, cipher: 'AES-CCM', saltLength: 3, ivLength: 8, icvLength: 12 },
  { name: 'ENCR_AES_CCM_16', encryption: 16, cipher: 'AES-CCM', saltLength: 3, ivLength: 8, icvLength: 16 },
  { name: 'ENCR_AES_GCM_8', encryption: 18, cipher: 'AES-GCM', saltLength: 4, ivLength: 8, icvLength: 8 },
  { name: 'ENCR_AES_GCM_12', encryption: 19, cipher: 'AES-GCM', saltLength: 4, ivLength: 8, icvLength: 12 },
  { name: 'ENCR_AES_GCM_16', encryption: 20, cipher: 'AES-GCM', saltLength: 4, ivLength: 8, icvLength: 16 },
  { name: 'ENCR_NULL_AUTH_AES_GMAC', encryption: 21, cipher: 'AES-GMAC', saltLength: 4, ivLength: 8, icvLength: 16 },
  { name: 'ENCR_AES_CCM_8_IIV', encryption: 29, cipher: 'AES-CCM', saltLength: 3, ivLength: 0, icvLength: 8 },
  { name: 'ENCR_AES_GCM_16_IIV', encryption: 30, cipher: 'AES-GCM', saltLength: 4, ivLength: 0, icvLength: 16 },
]

// RFC 7634 §2, RFC 8750 §4. The key length is fixed, so there is no Key Length attribute.
const CHACHA20_AEADS: readonly AeadRow[] = [
  { name: 'ENCR_CHACHA20_POLY1305', encryption: 28, cipher: 'CHACHA20-POLY1305', saltLength: 4, ivLength: 8, icvLength: 16 },
  { name: 'ENCR_CHACHA20_POLY1305_IIV', encryption: 31, cipher: 'CHACHA20-POLY1305', saltLength: 4, ivLength: 0, icvLength: 16 },
]

// RFC 4868 §2.6, RFC 2404 §3: the key is as long as the hash, the ICV half of it (SHA-1: 96 bits).
const INTEGRITY = [
  { name: 'AUTH_HMAC_SHA1_96', integrity: 2, hash: 'SHA1', keyOctets: 20, icvLength: 12 },
  { name: 'AUTH_HMAC_SHA2_256_128', integrity: 12, hash: 'SHA2-256', keyOctets: 32, icvLength: 16 },
  { name: 'AUTH_HMAC_SHA2_384_192', integrity: 13, hash: 'SHA2-384', keyOctets: 48, icvLength: 24 },
  { name: 'AUTH_HMAC_SHA2_512_256', integrity: 14, hash: 'SHA2-512', keyOctets: 64, icvLength: 32 },
] as const

/** Every transform there is a row for. Support by the runtime is the provider's to say. */
export const ESP_TRANSFORMS: readonly EspTransform[] = [
  ...AES_AEADS.flatMap((row) => AES_KEY_LENGTHS.map((keyLength) => aead(row, keyLength / 8, keyLength))),
  ...CHACHA20_AEADS.map((row) => aead(row, 32)),
  ...AES_KEY_LENGTHS.flatMap((keyLength) => INTEGRITY.map((auth) => withIntegrity(auth, keyLength))),
  ...INTEGRITY.map((auth) => withIntegrity(auth)),
]

function aead(row: AeadRow, keyOctets: number, keyLength?: number): EspTransform {
  return {
    ...row,
    name: keyLength === undefined ? row.name : `${row.name}-${keyLength}`,
    ...(keyLength === undefined ? {} : { keyLength }),
    keymatLength: keyOctets + row.saltLength,
    blockLength: 1,
    encryptionKeyLength: keyOctets,
    integrityKeyLength: 0,
    hasImplicitIv: row.ivLength === 0,
  }
}

/** AES-CBC (RFC 3602) with a key length, NULL (RFC 2410) without. */
function withIntegrity(auth: (typeof INTEGRITY)[number], keyLength?: number): EspTransform {
  const isCbc = keyLength !== undefined
  const keyOctets = isCbc ? keyLength / 8 : 0
  return {
    name: `${isCbc ? `ENCR_AES_CBC-${keyLength}` : 'ENCR_NULL'} ${auth.name}`,
    encryption: isCbc ? 12 : 11,
    ...(isCbc ? { keyLength } : {}),
    integrity: auth.integrity,
    keymatLength: keyOctets + auth.keyOctets,
    ivLength: isCbc ? 16 : 0,
    icvLength: auth.icvLength,
    blockLength: isCbc ? 16 : 1,
    cipher: isCbc ? 'AES-CBC' : 'NULL',
    encryptionKeyLength: keyOctets,
    saltLength: 0,
    integrityKeyLength: auth.keyOctets,
    hash: auth.hash,
    hasImplicitIv: false,
  }
}
