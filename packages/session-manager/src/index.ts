// The core: pure, sync. What drives it with sockets, a TUN and a clock is './driver'.

export { type AlgorithmRow, describeRow, rowsBrokenByEsp, rowsBrokenByIke } from './algorithm-levels.ts'
export type * from './config.ts'
export { DEFAULT_LIFETIMES, DEFAULT_LIMITS, DEFAULT_TIMERS } from './config.ts'
export { type CheckedConfig, checkConfig } from './config-check.ts'
export type * from './contract.ts'
export type * from './events.ts'
export { describeIdentity, parseIdentity } from './ike/identification.ts'
export { isDomain } from './ike/internal-names.ts'
export { describeEndpoint, formatAddress, formatRange, parseAddress, parseRange } from './ip-address.ts'
export { describeTransport } from './peers/transport-list.ts'
export { type Blame, SessionError, type SessionErrorCode, type SessionErrorContext } from './session-error.ts'
export { SessionManager } from './session-manager.ts'
export type { ShardCommand } from './shard.ts'
export { MAX_SHARDS, shardOfSpi } from './shard-spi.ts'
export { type StreamShard, shardOfStream } from './shard-stream.ts'
export type * from './status.ts'
export {
  DEFAULT_ESP_SUITES,
  DEFAULT_IKE_SUITES,
  describeEspSuite,
  describeIkeSuite,
  LEGACY_ESP_SUITES,
  LEGACY_IKE_SUITES,
  parseEspSuite,
  parseIkeSuite,
} from './suites.ts'
