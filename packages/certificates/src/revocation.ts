/**
 * Whether the certificates of a path are revoked (RFC 5280 §6.3, RFC 6960): by what came with them (RFC 4806), by lists from the configuration, by what
 * was learned before, and by what the fetcher gets from where the certificates say.
 */
import type { Certificate } from './certificate.ts'
import { CertificateError } from './certificate-error.ts'
import { type Crl, isCurrentCrl, MAX_CRL_LENGTH, readCrl } from './crl.ts'
import { MAX_OCSP_LENGTH, type OcspStatus, ocspRequest, readOcspResponse } from './ocsp.ts'

/** 'off': not asked. 'soft': what is not known to be revoked passes. 'hard': what is not known to be good does not. */
export type RevocationPolicy = 'off' | 'soft' | 'hard'

export interface FetchRequest {
  readonly url: string
  /** POST with it, `application/ocsp-request`; else GET. */
  readonly body?: Uint8Array
  /** Octets; more need not be read. */
  readonly maxLength: number
}

/** Rejects where there is nothing to be had. It sets its own time limit. */
export type Fetcher = (request: FetchRequest) => Promise<Uint8Array>

export interface RevocationSources {
  readonly policy: RevocationPolicy
  /** OCSP responses (CERT payloads of encoding 14), DER. */
  readonly stapled?: readonly Uint8Array[]
  /** CRLs of the configuration and of CERT payloads, DER. */
  readonly crls?: readonly Uint8Array[]
  readonly fetcher?: Fetcher
  readonly cache?: RevocationCache
}

const MAX_CACHED = 1024
const MAX_URLS = 2

/** What was learned, until it is old; the oldest entries give way. */
export class RevocationCache {
  readonly #statuses = new Map<string, OcspStatus>()
  readonly #lists = new Map<string, Crl>()

  status(certificate: Certificate, issuer: Certificate, now: number): OcspStatus | undefined {
    const known = this.#statuses.get(keyOf(certificate, issuer))
    return known && now <= known.until ? known : undefined
  }

  list(url: string, now: number): Crl | undefined {
    const known = this.#lists.get(url)
    return known && now <= known.nextUpdate ? known : undefined
  }

  rememberStatus(certificate: Certificate, issuer: Certificate, status: OcspStatus): void {
    remember(this.#statuses, keyOf(certificate, issuer), status, MAX_CACHED)
  }

  rememberList(url: string, list: Crl): void {
    remember(this.#lists, url, list, 16)
  }
}

/** `path`: from the end entity to the anchor, which nobody can revoke. Throws `CertificateError` 'REVOKED' or 'REVOCATION_UNKNOWN'. */
export async function checkRevocation(path: readonly Certificate[], sources: RevocationSources, now: number): Promise<void> {
  if (sources.policy === 'off') return
  for (let index = 0; index + 1 < path.length; index++) {
    const certificate = path[index]!
    const { subjectText } = certificate
    const status = await statusOf(certificate, path[index + 1]!, sources, now)
    if (status === 'revoked') throw new CertificateError('REVOKED', `the certificate "${subjectText}" is revoked`, { subject: subjectText })
    if (status === undefined && sources.policy === 'hard')
      throw new CertificateError('REVOCATION_UNKNOWN', `whether the certificate "${subjectText}" is revoked cannot be told`, {
        subject: subjectText,
      })
  }
}

async function statusOf(
  certificate: Certificate,
  issuer: Certificate,
  sources: RevocationSources,
  now: number,
): Promise<OcspStatus['status'] | undefined> {
  const { stapled = [], crls = [], fetcher, cache } = sources
  // Whatever says that it is revoked is believed before what says that it is good.
  const given = [
    ...stapled.map((der) => attempt(() => readOcspResponse(der, certificate, issuer, now)?.status)),
    ...crls.map((der) => attempt(() => statusByCrl(readCrl(der), certificate, issuer, now))),
    cache?.status(certificate, issuer, now)?.status,
  ]
  if (given.includes('revoked')) return 'revoked'
  if (given.includes('good')) return 'good'
  if (!fetcher) return undefined
  return (await askResponders(certificate, issuer, fetcher, cache, now)) ?? (await askLists(certificate, issuer, fetcher, cache, now))
}

async function askResponders(
  certificate: Certificate,
  issuer: Certificate,
  fetcher: Fetcher,
  cache: RevocationCache | undefined,
  now: number,
): Promise<OcspStatus['status'] | undefined> {
  for (const url of certificate.extensions.ocspUrls.slice(0, MAX_URLS)) {
    const der = await fetched(fetcher, { url, body: ocspRequest(certificate, issuer), maxLength: MAX_OCSP_LENGTH })
    const status = der && attempt(() => readOcspResponse(der, certificate, issuer, now))
    if (!status) continue
    cache?.rememberStatus(certificate, issuer, status)
    return status.status
  }
  return undefined
}

async function askLists(
  certificate: Certificate,
  issuer: Certificate,
  fetcher: Fetcher,
  cache: RevocationCache | undefined,
  now: number,
): Promise<OcspStatus['status'] | undefined> {
  for (const url of certificate.extensions.crlUrls.slice(0, MAX_URLS)) {
    const known = cache?.list(url, now)
    const der = known ? undefined : await fetched(fetcher, { url, maxLength: MAX_CRL_LENGTH })
    const list = known ?? (der && attempt(() => readCrl(der)))
    const status = list && attempt(() => statusByCrl(list, certificate, issuer, now))
    if (!list || !status) continue
    cache?.rememberList(url, list)
    return status
  }
  return undefined
}

function statusByCrl(crl: Crl, certificate: Certificate, issuer: Certificate, now: number): OcspStatus['status'] | undefined {
  if (!isCurrentCrl(crl, issuer, now)) return undefined
  return crl.revoked.has(certificate.serialNumber) ? 'revoked' : 'good'
}

async function fetched(fetcher: Fetcher, request: FetchRequest): Promise<Uint8Array | undefined> {
  try {
    const octets = await fetcher(request)
    return octets.length <= request.maxLength ? octets : undefined
  } catch {
    return undefined
  }
}

/** What cannot be read, or is not believed, says nothing. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof CertificateError) return undefined
    throw error
  }
}

function keyOf(certificate: Certificate, issuer: Certificate): string {
  return `${issuer.canonicalSubject} ${issuer.extensions.subjectKeyIdentifier ?? ''} ${certificate.serialNumber}`
}

function remember<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > most) for (const oldest of map.keys()) return void map.delete(oldest)
}
