// A RADIUS client (RFC 2865) for EAP (RFC 3579): packets, and a machine that is given datagrams and the time. No IO, no clock.
export {
  DEFAULT_RADIUS_TIMERS,
  RadiusClient,
  type RadiusClientOptions,
  type RadiusOutput,
  type RadiusServer,
  type RadiusTimers,
} from './client.ts'
export type { EapAnswer, EapRequest, Grant } from './eap-message.ts'
export { createEapRelay } from './eap-relay.ts'
export { type Attribute, decodePacket, encodePacket, type RadiusPacket } from './packet.ts'
export { protectRequest, revealMppeKey, whyUnauthentic } from './protection.ts'
export { RadiusError, type RadiusErrorCode } from './radius-error.ts'
export { AttributeType, RadiusCode } from './registry.ts'
