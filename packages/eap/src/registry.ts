/** RFC 3748 §4. */
export const EapCode = { REQUEST: 1, RESPONSE: 2, SUCCESS: 3, FAILURE: 4 } as const

/** Types (RFC 3748 §5). */
export const EapType = {
  IDENTITY: 1,
  NOTIFICATION: 2,
  NAK: 3,
  MD5_CHALLENGE: 4,
  AKA: 23,
  MSCHAPV2: 26,
  AKA_PRIME: 50,
  EXPANDED: 254,
} as const
