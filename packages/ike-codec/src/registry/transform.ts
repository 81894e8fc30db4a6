/** Transform Types (RFC 7296 §3.3.2; KE was D-H; SN was ESN, RFC 9827; ADDKE1–7 are RFC 9370's). */
export const TransformType = {
  ENCR: 1,
  PRF: 2,
  INTEG: 3,
  KE: 4,
  SN: 5,
  ADDKE1: 6,
  ADDKE2: 7,
  ADDKE3: 8,
  ADDKE4: 9,
  ADDKE5: 10,
  ADDKE6: 11,
  ADDKE7: 12,
  KWA: 13,
  GCAUTH: 14,
} as const
export type TransformType = (typeof TransformType)[keyof typeof TransformType]

/** Transform Attribute Types (RFC 7296 §3.3.5). Key Length is in bits. */
export const TransformAttributeType = {
  KEY_LENGTH: 14,
} as const
export type TransformAttributeType = (typeof TransformAttributeType)[keyof typeof TransformAttributeType]

/** Transform Type 1 (RFC 7296 §3.3.2, RFC 5282, RFC 7634, RFC 8750, RFC 9227). */
export const EncryptionId = {
  ENCR_DES_IV64: 1,
  ENCR_DES: 2,
  ENCR_3DES: 3,
  ENCR_RC5: 4,
  ENCR_IDEA: 5,
  ENCR_CAST: 6,
  ENCR_BLOWFISH: 7,
  ENCR_3IDEA: 8,
  ENCR_DES_IV32: 9,
  ENCR_NULL: 11,
  ENCR_AES_CBC: 12,
  ENCR_AES_CTR: 13,
  ENCR_AES_CCM_8: 14,
  ENCR_AES_CCM_12: 15,
  ENCR_AES_CCM_16: 16,
  ENCR_AES_GCM_8: 18,
  ENCR_AES_GCM_12: 19,
  ENCR_AES_GCM_16: 20,
  ENCR_NULL_AUTH_AES_GMAC: 21,
  ENCR_CAMELLIA_CBC: 23,
  ENCR_CAMELLIA_CTR: 24,
  ENCR_CAMELLIA_CCM_8: 25,
  ENCR_CAMELLIA_CCM_12: 26,
  ENCR_CAMELLIA_CCM_16: 27,
  ENCR_CHACHA20_POLY1305: 28,
  ENCR_AES_CCM_8_IIV: 29,
  ENCR_AES_GCM_16_IIV: 30,
  ENCR_CHACHA20_POLY1305_IIV: 31,
  ENCR_KUZNYECHIK_MGM_KTREE: 32,
  ENCR_MAGMA_MGM_KTREE: 33,
  ENCR_KUZNYECHIK_MGM_MAC_KTREE: 34,
  ENCR_MAGMA_MGM_MAC_KTREE: 35,
} as const
export type EncryptionId = (typeof EncryptionId)[keyof typeof EncryptionId]

/** Transform Type 2 (RFC 7296 §3.3.2, RFC 4868, RFC 4615, RFC 4434, RFC 9385). */
export const PrfId = {
  PRF_HMAC_MD5: 1,
  PRF_HMAC_SHA1: 2,
  PRF_HMAC_TIGER: 3,
  PRF_AES128_XCBC: 4,
  PRF_HMAC_SHA2_256: 5,
  PRF_HMAC_SHA2_384: 6,
  PRF_HMAC_SHA2_512: 7,
  PRF_AES128_CMAC: 8,
  PRF_HMAC_STREEBOG_512: 9,
} as const
export type PrfId = (typeof PrfId)[keyof typeof PrfId]

/** Transform Type 3 (RFC 7296 §3.3.2, RFC 4595, RFC 4494, RFC 4543, RFC 4868). */
export const IntegrityId = {
  NONE: 0,
  AUTH_HMAC_MD5_96: 1,
  AUTH_HMAC_SHA1_96: 2,
  AUTH_DES_MAC: 3,
  AUTH_KPDK_MD5: 4,
  AUTH_AES_XCBC_96: 5,
  AUTH_HMAC_MD5_128: 6,
  AUTH_HMAC_SHA1_160: 7,
  AUTH_AES_CMAC_96: 8,
  AUTH_AES_128_GMAC: 9,
  AUTH_AES_192_GMAC: 10,
  AUTH_AES_256_GMAC: 11,
  AUTH_HMAC_SHA2_256_128: 12,
  AUTH_HMAC_SHA2_384_192: 13,
  AUTH_HMAC_SHA2_512_256: 14,
} as const
export type IntegrityId = (typeof IntegrityId)[keyof typeof IntegrityId]

/** Transform Type 4 and ADDKE1–7: key exchange methods (RFC 7296 §3.3.2, RFC 3526, 5114, 5903, 6954, 8031, 9385; 35–37 ML-KEM). */
export const KeyExchangeMethod = {
  NONE: 0,
  MODP_768: 1,
  MODP_1024: 2,
  MODP_1536: 5,
  MODP_2048: 14,
  MODP_3072: 15,
  MODP_4096: 16,
  MODP_6144: 17,
  MODP_8192: 18,
  ECP_256: 19,
  ECP_384: 20,
  ECP_521: 21,
  MODP_1024_160: 22,
  MODP_2048_224: 23,
  MODP_2048_256: 24,
  ECP_192: 25,
  ECP_224: 26,
  BRAINPOOL_P224R1: 27,
  BRAINPOOL_P256R1: 28,
  BRAINPOOL_P384R1: 29,
  BRAINPOOL_P512R1: 30,
  CURVE25519: 31,
  CURVE448: 32,
  GOST3410_2012_256: 33,
  GOST3410_2012_512: 34,
  ML_KEM_512: 35,
  ML_KEM_768: 36,
  ML_KEM_1024: 37,
} as const
export type KeyExchangeMethod = (typeof KeyExchangeMethod)[keyof typeof KeyExchangeMethod]

/** Transform Type 5 (RFC 9827). ESN_64 is "partially transmitted 64-bit sequential numbers", the ESN of RFC 4303. */
export const SequenceNumbers = {
  SN_32: 0,
  ESN_64: 1,
  SN_32_UNSPECIFIED: 2,
} as const
export type SequenceNumbers = (typeof SequenceNumbers)[keyof typeof SequenceNumbers]
