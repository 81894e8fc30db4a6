/** Certificates and signatures for IKEv2: who somebody is, shown by a key. Time and fetching are arguments. */
export { type Announcement, encodeAnnouncements, readAnnouncements, signatureAnnouncements } from './auth-announcement.ts'
export { type AuthData, AuthMethod, type Preferences, publicKeyOf, signAuth, verifyAuth } from './auth-method.ts'
export { type Certificate, readCertificate } from './certificate.ts'
export { CertificateError, type CertificateErrorCode, type CertificateErrorContext } from './certificate-error.ts'
export { bindIdentity, type Identity } from './identity.ts'
export { DEFAULT_PATH_LIMITS, findPath, IKE_KEY_USAGES, type PathLimits, type PathQuestion } from './path.ts'
export { type PemBlock, readCertificateFile, readPem } from './pem.ts'
export { type Pkcs12, readPkcs12 } from './pkcs12.ts'
export { readPrivateKey } from './private-key.ts'
export { authorityHash, type KeyKind, type PublicKey, readPublicKey } from './public-key.ts'
export {
  checkRevocation,
  type Fetcher,
  type FetchRequest,
  RevocationCache,
  type RevocationPolicy,
  type RevocationSources,
} from './revocation.ts'
export {
  CertEncoding,
  type CertificatePayload,
  type Claim,
  type Surroundings,
  type Trust,
  type VerifiedClaim,
  verifyPeer,
} from './verify-peer.ts'
