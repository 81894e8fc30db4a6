/** The list in N(SUPPORTED_AUTH_METHODS) (RFC 9593 §3.2). */
import { encodeSignatureAlgorithm, type SignatureAlgorithm } from './signature-algorithm.ts'

export interface Announcement {
  readonly method: number
  /** 0: with any CA; n: with the n-th of CERTREQ. */
  readonly certLink: number
  /** Method 14: AlgorithmIdentifier, DER. */
  readonly algorithm: Uint8Array | undefined
}

/** Announcements whose length does not fit are left out, and what follows one that runs over the end. */
export function readAnnouncements(data: Uint8Array): Announcement[] {
  const list: Announcement[] = []
  for (let at = 0; at + 2 <= data.length; at += data[at]!) {
    const length = data[at]!
    if (length < 2 || at + length > data.length) break
    const algorithm = length > 3 ? data.slice(at + 3, at + length) : undefined
    list.push({ method: data[at + 1]!, certLink: length > 2 ? data[at + 2]! : 0, algorithm })
  }
  return list
}

export function encodeAnnouncements(list: readonly Announcement[]): Uint8Array {
  return Uint8Array.from(
    list.flatMap(({ method, certLink, algorithm }) => {
      if (algorithm) return [algorithm.length + 3, method, certLink, ...algorithm]
      return method === SHARED_KEY || method === NULL ? [2, method] : [3, method, certLink]
    }),
  )
}

const SHARED_KEY = 2
const NULL = 13

/** All signatures that are verified here, in the order in which we like them. */
export function signatureAnnouncements(): Announcement[] {
  const hashes = ['sha256', 'sha384', 'sha512'] as const
  const algorithms: SignatureAlgorithm[] = [
    { scheme: 'Ed25519', hash: undefined, saltLength: 0 },
    { scheme: 'Ed448', hash: undefined, saltLength: 0 },
    ...hashes.map((hash) => ({ scheme: 'ecdsa' as const, hash, saltLength: 0 })),
    ...hashes.map((hash) => ({ scheme: 'rsa-pss' as const, hash, saltLength: 0 })),
    ...hashes.map((hash) => ({ scheme: 'rsa-pkcs1' as const, hash, saltLength: 0 })),
  ]
  const digital = algorithms.map((algorithm) => ({ method: 14, certLink: 0, algorithm: encodeSignatureAlgorithm(algorithm) }))
  return [...digital, ...[9, 10, 11, 1].map((method) => ({ method, certLink: 0, algorithm: undefined }))]
}
