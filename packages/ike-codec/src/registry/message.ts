/** Exchange types (RFC 7296 §3.1, RFC 5723, RFC 9242, RFC 9370; 39–41 are G-IKEv2's). */
export const ExchangeType = {
  IKE_SA_INIT: 34,
  IKE_AUTH: 35,
  CREATE_CHILD_SA: 36,
  INFORMATIONAL: 37,
  IKE_SESSION_RESUME: 38,
  GSA_AUTH: 39,
  GSA_REGISTRATION: 40,
  GSA_REKEY: 41,
  IKE_INTERMEDIATE: 43,
  IKE_FOLLOWUP_KE: 44,
} as const
export type ExchangeType = (typeof ExchangeType)[keyof typeof ExchangeType]

/** Bits of the Flags octet (RFC 7296 §3.1). INITIATOR is the original initiator of the IKE SA, not of the exchange. */
export const HeaderFlag = {
  INITIATOR: 0x08,
  VERSION: 0x10,
  RESPONSE: 0x20,
} as const
export type HeaderFlag = (typeof HeaderFlag)[keyof typeof HeaderFlag]

/** Payload types, named by their notation (RFC 7296 §3.2, RFC 7383 §5, RFC 8019 §8.2; 49–52 are kept as unknown payloads). */
export const PayloadType = {
  NONE: 0,
  SA: 33,
  KE: 34,
  IDi: 35,
  IDr: 36,
  CERT: 37,
  CERTREQ: 38,
  AUTH: 39,
  Nonce: 40,
  N: 41,
  D: 42,
  V: 43,
  TSi: 44,
  TSr: 45,
  SK: 46,
  CP: 47,
  EAP: 48,
  GSPM: 49,
  IDg: 50,
  GSA: 51,
  KD: 52,
  SKF: 53,
  PS: 54,
} as const
export type PayloadType = (typeof PayloadType)[keyof typeof PayloadType]

/** Security Protocol Identifiers (RFC 7296 §3.3.1). */
export const ProtocolId = {
  IKE: 1,
  AH: 2,
  ESP: 3,
} as const
export type ProtocolId = (typeof ProtocolId)[keyof typeof ProtocolId]
