/** Traffic Selector types (RFC 7296 §3.13.1, RFC 4595, RFC 9478). */
export const TrafficSelectorType = {
  TS_IPV4_ADDR_RANGE: 7,
  TS_IPV6_ADDR_RANGE: 8,
  TS_FC_ADDR_RANGE: 9,
  TS_SECLABEL: 10,
} as const
export type TrafficSelectorType = (typeof TrafficSelectorType)[keyof typeof TrafficSelectorType]
