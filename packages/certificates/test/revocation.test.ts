import { describe, expect, it } from 'vitest'
import {
  type Certificate,
  checkRevocation,
  type FetchRequest,
  RevocationCache,
  type RevocationSources,
  readCertificate,
} from '../src/index.ts'
import { ocspRequest } from '../src/ocsp.ts'
import { octets, type Revocation, vectors } from './vectors.ts'

const given = vectors<Revocation>('revocation')
const root = readCertificate(octets(given.root))
const good = [readCertificate(octets(given.good)), root]
const revoked = [readCertificate(octets(given.revoked)), root]
const LATER = given.now + 10 * 86_400_000

async function verdict(path: readonly Certificate[], sources: Partial<RevocationSources>, now = given.now): Promise<string> {
  try {
    await checkRevocation(path, { policy: 'hard', ...sources }, now)
    return 'ok'
  } catch (error) {
    return (error as { code: string }).code
  }
}

/** Answers by URL; keeps what was asked. */
function fetcher(answers: Record<string, string>): { asked: FetchRequest[]; fetcher: NonNullable<RevocationSources['fetcher']> } {
  const asked: FetchRequest[] = []
  return {
    asked,
    fetcher: (request) => {
      asked.push(request)
      const answer = answers[request.url]
      return answer === undefined ? Promise.reject(new Error('404')) : Promise.resolve(octets(answer))
    },
  }
}

const OCSP_URL = 'http://ocsp.example/'
const CRL_URL = 'http://crl.example/ca.crl'

describe('RFC 5280 §6.3 revocation by lists', () => {
  it('§6.3.3: one that is on the list of its CA, and one that is not', async () => {
    expect(await verdict(good, { crls: [octets(given.crl)] })).toBe('ok')
    expect(await verdict(revoked, { crls: [octets(given.crl)] })).toBe('REVOKED')
    expect(await verdict(revoked, { crls: [octets(given.crl)], policy: 'soft' })).toBe('REVOKED')
    expect(await verdict(revoked, { crls: [octets(given.crl)], policy: 'off' })).toBe('ok')
  })

  it('§6.3.3: a list that is old, or that another has signed in the name of the CA, says nothing', async () => {
    expect(await verdict(good, { crls: [octets(given.oldCrl)] })).toBe('ok')
    expect(await verdict(good, { crls: [octets(given.oldCrl)] }, LATER)).toBe('REVOCATION_UNKNOWN')
    expect(await verdict(good, { crls: [octets(given.forgedCrl)] })).toBe('REVOCATION_UNKNOWN')
    expect(await verdict(revoked, { crls: [octets(given.forgedCrl)], policy: 'soft' })).toBe('ok')
  })

  it('§4.2.1.13: the list is fetched from where the certificate says, once while it is new', async () => {
    const { fetcher: from, asked } = fetcher({ [CRL_URL]: given.crl })
    const cache = new RevocationCache()
    expect(await verdict(good, { fetcher: from, cache })).toBe('ok')
    expect(await verdict(revoked, { fetcher: from, cache })).toBe('REVOKED')
    expect(asked.map(({ url }) => url)).toEqual([OCSP_URL, CRL_URL, OCSP_URL])
  })
})

describe('RFC 6960 revocation by OCSP', () => {
  it('§4.1: the request is octet for octet that of openssl', () => {
    expect(Buffer.from(ocspRequest(good[0]!, root)).toString('base64')).toBe(given.ocsp.good.request)
  })

  it('§4.2.1, RFC 4806 §3: an answer that came with the certificate is believed', async () => {
    expect(await verdict(good, { stapled: [octets(given.ocsp.good.response)] })).toBe('ok')
    expect(await verdict(revoked, { stapled: [octets(given.ocsp.revoked.response)] })).toBe('REVOKED')
    expect(await verdict(revoked, { stapled: [octets(given.ocsp.good.response)] })).toBe('REVOCATION_UNKNOWN')
  })

  it('§4.2.2.2: a responder that the CA has named for it is believed, and no other', async () => {
    expect(await verdict(good, { stapled: [octets(given.ocsp.goodByResponder.response)] })).toBe('ok')
    expect(await verdict(good, { stapled: [octets(given.ocsp.goodByAnybody.response)] })).toBe('REVOCATION_UNKNOWN')
  })

  it('§4.2.2.1: an answer is good until its nextUpdate', async () => {
    expect(await verdict(good, { stapled: [octets(given.ocsp.goodOld.response)] })).toBe('ok')
    expect(await verdict(good, { stapled: [octets(given.ocsp.goodOld.response)] }, LATER)).toBe('REVOCATION_UNKNOWN')
  })

  it('§4.1: the responder is asked where nothing is known, and not again while its answer is new', async () => {
    const { fetcher: from, asked } = fetcher({ [OCSP_URL]: given.ocsp.good.response })
    const cache = new RevocationCache()
    expect(await verdict(good, { fetcher: from, cache })).toBe('ok')
    expect(await verdict(good, { fetcher: from, cache })).toBe('ok')
    expect(asked).toHaveLength(1)
    expect(asked[0]).toMatchObject({ url: OCSP_URL, body: octets(given.ocsp.good.request) })
  })

  it('§6.3: what cannot be asked is unknown: hard fails, soft passes', async () => {
    const { fetcher: from } = fetcher({})
    expect(await verdict(good, { fetcher: from })).toBe('REVOCATION_UNKNOWN')
    expect(await verdict(good, { fetcher: from, policy: 'soft' })).toBe('ok')
  })

  it('§6.3: an answer of more octets than were wanted is none', async () => {
    const endless = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array(2_000_000))
    expect(await verdict(good, { fetcher: endless })).toBe('REVOCATION_UNKNOWN')
  })
})
