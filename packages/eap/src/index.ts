// EAP (RFC 3748), both ends, as machines that are given packets. No IO, no clock, no randomness of their own.
export type { EapGrant, EapMachine, EapRandom, EapStep, EapWork, EapWorkResult } from './contract.ts'
export { opcOf } from './crypto/milenage.ts'
export { EapError } from './eap-error.ts'
export type {
  EapPeerMethod,
  EapServerMethod,
  EapUser,
  EapUsers,
  MethodStep,
  PeerConversation,
  ServerConversation,
} from './method.ts'
export { type AkaPeerOptions, akaPeer, akaPrimePeer } from './methods/aka/peer.ts'
export { type AkaServerOptions, akaPrimeServer, akaServer } from './methods/aka/server.ts'
export {
  type AkaHome,
  type AkaSubscriber,
  type AkaVector,
  milenageHome,
  milenageUsim,
  type Usim,
  type UsimAnswer,
} from './methods/aka/usim.ts'
export { md5ChallengePeer, md5ChallengeServer } from './methods/md5-challenge.ts'
export { mschapv2Peer, mschapv2Server } from './methods/mschapv2.ts'
export { ntPasswordHash } from './methods/mschapv2-crypto.ts'
export { decodePacket, type EapPacket, encodePacket, tryDecodePacket } from './packet.ts'
export { createEapPeer, type EapPeerOptions } from './peer.ts'
export { EapCode, EapType } from './registry.ts'
export { createEapServer, type EapServerOptions } from './server.ts'
