/** Signing and believing signatures, with the keys and anchors that the core knows by name. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import {
  type Fetcher,
  RevocationCache,
  readAnnouncements,
  readCertificate,
  signAuth,
  type Trust,
  verifyPeer,
} from '@underpass/certificates'
import type { CryptoResult, CryptoWork } from '@underpass/session-manager'
import type { Credentials } from '../config/authentication.ts'
import { reasonOf } from '../host-error.ts'

type SignatureWork = Extract<CryptoWork, { kind: 'sign' | 'verify-peer' }>

/** What was read from files is read once. */
export class Signatures {
  readonly #keys: ReadonlyMap<string, KeyObject>
  readonly #trusts: ReadonlyMap<string, Trust>
  readonly #fetcher: Fetcher
  readonly #cache = new RevocationCache()

  constructor({ keys, trusts }: Credentials, fetcher: Fetcher = fetchFromAuthority) {
    this.#keys = new Map(
      Object.entries(keys).map(([name, der]) => [name, createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' })]),
    )
    this.#trusts = new Map(
      Object.entries(trusts).map(([name, { anchors, ...rest }]) => [name, { ...rest, anchors: anchors.map(readCertificate) }]),
    )
    this.#fetcher = fetcher
  }

  /** Never rejects. */
  async perform(work: SignatureWork): Promise<CryptoResult> {
    try {
      return work.kind === 'sign' ? this.#sign(work) : await this.#verify(work)
    } catch (error) {
      return { kind: 'failed', detail: reasonOf(error) }
    }
  }

  #sign({ key, octets, hashAlgorithms, authMethods }: Extract<SignatureWork, { kind: 'sign' }>): CryptoResult {
    const known = this.#keys.get(key)
    if (!known) return { kind: 'failed', detail: `there is no private key for "${key}"` }
    return { kind: 'signed', ...signAuth(known, octets, { hashAlgorithms, announcements: authMethods && readAnnouncements(authMethods) }) }
  }

  /** The reason of the last is told: in most configurations there is one. */
  async #verify({ trusts, method, signature, ...claim }: Extract<SignatureWork, { kind: 'verify-peer' }>): Promise<CryptoResult> {
    let detail = 'nothing is trusted'
    for (const name of trusts.slice(0, MOST_TRUSTS)) {
      const trust = this.#trusts.get(name)
      if (!trust) continue
      try {
        const surroundings = { now: Date.now(), fetcher: this.#fetcher, cache: this.#cache }
        await verifyPeer({ ...claim, auth: { method, data: signature } }, trust, surroundings)
        return { kind: 'peer-verified', trust: name }
      } catch (error) {
        detail = reasonOf(error)
      }
    }
    return { kind: 'failed', detail }
  }
}

/** Connections of different trust that one identity may be of. */
const MOST_TRUSTS = 8

const FETCH_MILLISECONDS = 2_000

/** CRLs and OCSP over HTTP, as certificates of trusted CAs say; no redirects. */
export const fetchFromAuthority: Fetcher = async ({ url, body, maxLength }) => {
  const response = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(FETCH_MILLISECONDS),
    ...(body && { method: 'POST', body: Buffer.from(body), headers: { 'content-type': 'application/ocsp-request' } }),
  })
  if (!response.ok || !response.body) throw new Error(`${url}: ${response.status}`)
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body) {
    length += part.length
    if (length > maxLength) throw new Error(`${url}: more than ${maxLength} octets`)
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts))
}
