import { readFileSync } from 'node:fs'

export interface Chain {
  readonly title: string
  readonly endEntity: string
  readonly intermediates: readonly string[]
  readonly anchors: readonly string[]
  readonly now: number
  readonly expected: string
  /** What `openssl verify` said: 'ok', or why not. */
  readonly openssl: string
  /** We refuse what openssl takes, for this reason. */
  readonly stricter?: string
}

interface OcspExchange {
  readonly request: string
  readonly response: string
}

export interface Revocation {
  readonly now: number
  readonly root: string
  readonly good: string
  readonly revoked: string
  readonly crl: string
  readonly oldCrl: string
  readonly forgedCrl: string
  readonly ocsp: Readonly<Record<'good' | 'revoked' | 'goodByResponder' | 'goodByAnybody' | 'goodOld', OcspExchange>>
}

export interface Keys {
  readonly forms: Readonly<Record<string, { spki: string; pkcs8: string; encrypted: string; traditional?: string }>>
  readonly pkcs12: { readonly certificates: readonly string[] } & Readonly<Record<'spki' | 'today' | 'aes128' | 'plain' | 'old', string>>
}

export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), 'utf8')) as T
}

export function octets(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'))
}
