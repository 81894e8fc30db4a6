/** CFG types (RFC 7296 §3.15). */
export const CfgType = {
  CFG_REQUEST: 1,
  CFG_REPLY: 2,
  CFG_SET: 3,
  CFG_ACK: 4,
} as const
export type CfgType = (typeof CfgType)[keyof typeof CfgType]

/** Configuration attribute types (RFC 7296 §3.15.1, RFC 5026, 5739, 7651, 8598, 9464; 22–24 are 3GPP's). */
export const ConfigurationAttributeType = {
  INTERNAL_IP4_ADDRESS: 1,
  INTERNAL_IP4_NETMASK: 2,
  INTERNAL_IP4_DNS: 3,
  INTERNAL_IP4_NBNS: 4,
  INTERNAL_IP4_DHCP: 6,
  APPLICATION_VERSION: 7,
  INTERNAL_IP6_ADDRESS: 8,
  INTERNAL_IP6_DNS: 10,
  INTERNAL_IP6_DHCP: 12,
  INTERNAL_IP4_SUBNET: 13,
  SUPPORTED_ATTRIBUTES: 14,
  INTERNAL_IP6_SUBNET: 15,
  MIP6_HOME_PREFIX: 16,
  INTERNAL_IP6_LINK: 17,
  INTERNAL_IP6_PREFIX: 18,
  HOME_AGENT_ADDRESS: 19,
  P_CSCF_IP4_ADDRESS: 20,
  P_CSCF_IP6_ADDRESS: 21,
  FTT_KAT: 22,
  EXTERNAL_SOURCE_IP4_NAT_INFO: 23,
  TIMEOUT_PERIOD_FOR_LIVENESS_CHECK: 24,
  INTERNAL_DNS_DOMAIN: 25,
  INTERNAL_DNSSEC_TA: 26,
  ENCDNS_IP4: 27,
  ENCDNS_IP6: 28,
  ENCDNS_DIGEST_INFO: 29,
} as const
export type ConfigurationAttributeType = (typeof ConfigurationAttributeType)[keyof typeof ConfigurationAttributeType]

/** Gateway identity types of REDIRECT and REDIRECTED_FROM (RFC 5685 §9). */
export const RedirectGatewayType = {
  IPV4: 1,
  IPV6: 2,
  FQDN: 3,
} as const
export type RedirectGatewayType = (typeof RedirectGatewayType)[keyof typeof RedirectGatewayType]
