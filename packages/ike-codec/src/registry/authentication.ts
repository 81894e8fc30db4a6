/** Identification Payload ID Types (RFC 7296 §3.5, RFC 4595, RFC 7619 §3.1). */
export const IdType = {
  ID_IPV4_ADDR: 1,
  ID_FQDN: 2,
  ID_RFC822_ADDR: 3,
  ID_IPV6_ADDR: 5,
  ID_DER_ASN1_DN: 9,
  ID_DER_ASN1_GN: 10,
  ID_KEY_ID: 11,
  ID_FC_NAME: 12,
  ID_NULL: 13,
} as const
export type IdType = (typeof IdType)[keyof typeof IdType]

/** Authentication methods (RFC 7296 §3.8, RFC 4754, RFC 6467, RFC 7619, RFC 7427). */
export const AuthMethod = {
  RSA_DIGITAL_SIGNATURE: 1,
  SHARED_KEY_MIC: 2,
  DSS_DIGITAL_SIGNATURE: 3,
  ECDSA_SHA256_P256: 9,
  ECDSA_SHA384_P384: 10,
  ECDSA_SHA512_P521: 11,
  GENERIC_SECURE_PASSWORD: 12,
  NULL: 13,
  DIGITAL_SIGNATURE: 14,
} as const
export type AuthMethod = (typeof AuthMethod)[keyof typeof AuthMethod]

/** Certificate encodings (RFC 7296 §3.6, RFC 4806 §3.1, RFC 7670 §3). */
export const CertEncoding = {
  PKCS7_WRAPPED_X509: 1,
  PGP: 2,
  DNS_SIGNED_KEY: 3,
  X509_SIGNATURE: 4,
  KERBEROS_TOKEN: 6,
  CRL: 7,
  ARL: 8,
  SPKI: 9,
  X509_ATTRIBUTE: 10,
  RAW_RSA_KEY: 11,
  HASH_AND_URL_X509: 12,
  HASH_AND_URL_BUNDLE: 13,
  OCSP_CONTENT: 14,
  RAW_PUBLIC_KEY: 15,
} as const
export type CertEncoding = (typeof CertEncoding)[keyof typeof CertEncoding]

/** Hash algorithms of SIGNATURE_HASH_ALGORITHMS (RFC 7427 §4, RFC 8420 §2). */
export const HashAlgorithm = {
  SHA1: 1,
  SHA2_256: 2,
  SHA2_384: 3,
  SHA2_512: 4,
  IDENTITY: 5,
} as const
export type HashAlgorithm = (typeof HashAlgorithm)[keyof typeof HashAlgorithm]

/** EAP codes (RFC 3748 §4; 5 and 6 are RFC 6696's). */
export const EapCode = {
  REQUEST: 1,
  RESPONSE: 2,
  SUCCESS: 3,
  FAILURE: 4,
  INITIATE: 5,
  FINISH: 6,
} as const
export type EapCode = (typeof EapCode)[keyof typeof EapCode]

/** PPK_ID types of PPK_IDENTITY (RFC 8784 §5.1). */
export const PpkIdType = {
  PPK_ID_OPAQUE: 1,
  PPK_ID_FIXED: 2,
} as const
export type PpkIdType = (typeof PpkIdType)[keyof typeof PpkIdType]
