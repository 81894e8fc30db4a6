import type { Authentication } from './payload/authentication.ts'
import type { Certificate } from './payload/certificate.ts'
import type { CertificateRequest } from './payload/certificate-request.ts'
import type { Configuration } from './payload/configuration.ts'
import type { Delete } from './payload/delete.ts'
import type { Eap } from './payload/eap.ts'
import type { Encrypted } from './payload/encrypted.ts'
import type { EncryptedFragment } from './payload/encrypted-fragment.ts'
import type { Identification } from './payload/identification.ts'
import type { KeyExchange } from './payload/key-exchange.ts'
import type { Nonce } from './payload/nonce.ts'
import type { Notify } from './payload/notify.ts'
import type { PuzzleSolution } from './payload/puzzle-solution.ts'
import type { SecurityAssociation } from './payload/security-association.ts'
import type { TrafficSelectors } from './payload/traffic-selector.ts'
import type { VendorId } from './payload/vendor-id.ts'

/** A payload type without a codec here, kept whole (RFC 7296 §2.5). */
export interface UnknownPayload {
  /** `PayloadType`. */
  readonly payloadType: number
  /** What follows the generic payload header. */
  readonly body: Uint8Array
}

/** One interface per notation of RFC 7296 §3.2, RFC 7383 and RFC 8019. */
export interface PayloadBodies {
  readonly SA: SecurityAssociation
  readonly KE: KeyExchange
  readonly IDi: Identification
  readonly IDr: Identification
  readonly CERT: Certificate
  readonly CERTREQ: CertificateRequest
  readonly AUTH: Authentication
  readonly Nonce: Nonce
  readonly N: Notify
  readonly D: Delete
  readonly V: VendorId
  readonly TSi: TrafficSelectors
  readonly TSr: TrafficSelectors
  readonly SK: Encrypted
  readonly SKF: EncryptedFragment
  readonly CP: Configuration
  readonly EAP: Eap
  readonly PS: PuzzleSolution
  readonly unknown: UnknownPayload
}

/** The payload of one notation: `PayloadOf<'KE'>`. */
export type PayloadOf<Type extends keyof PayloadBodies> = {
  /** The critical bit; ignored in types that the recipient understands (§3.2). */
  readonly critical?: true
} & { readonly type: Type } & PayloadBodies[Type]

/** A payload, discriminated by `type`. */
export type Payload = { [Type in keyof PayloadBodies]: PayloadOf<Type> }[keyof PayloadBodies]
