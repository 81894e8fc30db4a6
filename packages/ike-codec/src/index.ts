export { CodecError, type CodecErrorCode } from './codec-error.ts'
export { describeMessage } from './describe.ts'
export { decodePayloads, encodePayloads } from './generic-payload-header.ts'
export { decodeHeader, type HeaderFields, IKE_HEADER_LENGTH, type IkeHeader } from './header.ts'
export {
  decodeMessage,
  type EncryptedEnvelope,
  encodeEncryptedEnvelope,
  encodeMessage,
  encryptedBodyOffset,
  type IkeMessage,
  unsupportedCriticalPayload,
} from './message.ts'
export type { Authentication } from './payload/authentication.ts'
export type { Certificate } from './payload/certificate.ts'
export type { CertificateRequest } from './payload/certificate-request.ts'
export type { Configuration, ConfigurationAttribute } from './payload/configuration.ts'
export type { Delete } from './payload/delete.ts'
export type { Eap } from './payload/eap.ts'
export type { Encrypted } from './payload/encrypted.ts'
export type { EncryptedFragment } from './payload/encrypted-fragment.ts'
export type { Identification } from './payload/identification.ts'
export type { KeyExchange } from './payload/key-exchange.ts'
export type { Nonce } from './payload/nonce.ts'
export { type Notify, notify } from './payload/notify.ts'
export type { PuzzleSolution } from './payload/puzzle-solution.ts'
export type { Proposal, SecurityAssociation } from './payload/security-association.ts'
export {
  type AddressRangeSelector,
  isAddressRange,
  type TrafficSelector,
  type TrafficSelectors,
  type UnknownSelector,
} from './payload/traffic-selector.ts'
export type { Transform, TransformAttribute } from './payload/transform.ts'
export type { VendorId } from './payload/vendor-id.ts'
export type { Payload, PayloadBodies, PayloadOf, UnknownPayload } from './payload.ts'
export { AuthMethod, CertEncoding, EapCode, HashAlgorithm, IdType, PpkIdType } from './registry/authentication.ts'
export { CfgType, ConfigurationAttributeType, RedirectGatewayType } from './registry/configuration.ts'
export { ExchangeType, HeaderFlag, PayloadType, ProtocolId } from './registry/message.ts'
export { nameOf } from './registry/name-of.ts'
export { NotifyType } from './registry/notify-type.ts'
export { TrafficSelectorType } from './registry/traffic-selector-type.ts'
export {
  EncryptionId,
  IntegrityId,
  KeyExchangeMethod,
  PrfId,
  SequenceNumbers,
  TransformAttributeType,
  TransformType,
} from './registry/transform.ts'
