// The core: pure, sync. What drives it with sockets, a TUN and a clock is './driver'.

export type * from './config.ts'
export { DEFAULT_LIMITS, DEFAULT_TIMERS } from './config.ts'
export { type CheckedConfig, checkConfig } from './config-check.ts'
export type * from './contract.ts'
export type * from './events.ts'
export { describeIdentity, parseIdentity } from './ike/identification.ts'
export { formatAddress, formatRange, parseAddress, parseRange } from './ip-address.ts'
export { type Blame, SessionError, type SessionErrorCode, type SessionErrorContext } from './session-error.ts'
export { SessionManager } from './session-manager.ts'
export type * from './status.ts'
export { DEFAULT_ESP_SUITES, DEFAULT_IKE_SUITES, describeEspSuite, describeIkeSuite, parseEspSuite, parseIkeSuite } from './suites.ts'
