// The stream of RFC 9329: bytes in, messages out, and the other way round. No IO, no clock, no crypto.
export type { DeframeResult, DeframerCounters, DeframerOptions, FatalReason, TcpRole } from './deframe-result.ts'
export { Deframer } from './deframer.ts'
export { espFrameOverhead, type FrameOptions, frameEsp, frameIke, writeEspFrameHeader } from './frame.ts'
export { FramingError, type FramingErrorCode } from './framing-error.ts'
export { FRAMING_PROFILES, type FramingProfile, type FramingProfileName, STREAM_PREFIX } from './framing-profile.ts'
export type { ResyncOptions } from './resync.ts'
