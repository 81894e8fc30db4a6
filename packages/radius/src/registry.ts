/** RFC 2865 §3. */
export const RadiusCode = {
  ACCESS_REQUEST: 1,
  ACCESS_ACCEPT: 2,
  ACCESS_REJECT: 3,
  ACCESS_CHALLENGE: 11,
} as const

/** Attribute types (RFC 2865 §5; RFC 3579 §3; RFC 3162 §2). */
export const AttributeType = {
  USER_NAME: 1,
  SERVICE_TYPE: 6,
  FRAMED_IP_ADDRESS: 8,
  FRAMED_MTU: 12,
  REPLY_MESSAGE: 18,
  STATE: 24,
  VENDOR_SPECIFIC: 26,
  SESSION_TIMEOUT: 27,
  NAS_IDENTIFIER: 32,
  NAS_PORT_TYPE: 61,
  EAP_MESSAGE: 79,
  MESSAGE_AUTHENTICATOR: 80,
  FRAMED_IPV6_ADDRESS: 168,
} as const

/** RFC 2548 §2.4: of the vendor Microsoft. */
export const MICROSOFT = 311
export const MicrosoftType = {
  MS_MPPE_SEND_KEY: 16,
  MS_MPPE_RECV_KEY: 17,
} as const
