import { sha1 as nobleSha1 } from '@noble/hashes/legacy.js'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'

/** SHA-1, 20 octets: NAT detection (RFC 7296 §2.23) and CERTREQ authorities (§3.7), where the RFC fixes it. */
export function sha1(data: Uint8Array): Uint8Array {
  return nobleSha1(data)
}

/** SHA-256, 32 octets. */
export function sha256(data: Uint8Array): Uint8Array {
  return nobleSha256(data)
}
