import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CertificateError, DEFAULT_PATH_LIMITS, findPath, type PathQuestion, readCertificate } from '../src/index.ts'
import { type Chain, octets, vectors } from './vectors.ts'

const { cases } = vectors<{ cases: Chain[] }>('chains')
const read = (base64: string): ReturnType<typeof readCertificate> => readCertificate(octets(base64))

/** Bun knows no Ed448. */
const isReadable = ({ endEntity }: Chain): boolean => {
  try {
    read(endEntity)
    return true
  } catch (error) {
    expect(error).toMatchObject({ code: 'UNSUPPORTED' })
    return false
  }
}

function questionOf({ endEntity, intermediates, anchors, now }: Chain): PathQuestion {
  return { endEntity: read(endEntity), intermediates: intermediates.map(read), anchors: anchors.map(read), now }
}

function verdictOf(question: PathQuestion): string {
  try {
    findPath(question)
    return 'ok'
  } catch (error) {
    if (error instanceof CertificateError) return error.code
    throw error
  }
}

describe('RFC 5280 §6.1 certification paths, beside openssl verify', () => {
  for (const chain of cases) {
    it(`§6.1: ${chain.title}: ${chain.expected}`, ({ skip }) => {
      if (chain.title.includes('ed448') && !isReadable(chain)) skip()
      expect(verdictOf(questionOf(chain))).toBe(chain.expected)
      // The same verdict as openssl's, but for what an RFC about IKE has us refuse.
      if (chain.stricter) expect(chain.openssl).toBe('ok')
      else expect(chain.openssl === 'ok').toBe(chain.expected === 'ok')
    })
  }

  // Deno's X509Certificate does not verify all that its `verify` does.
  it.skipIf('Deno' in globalThis)('§6.1.3: each link of a path that is found is one for X509Certificate of the runtime, too', () => {
    for (const chain of cases.filter(({ expected, title }) => expected === 'ok' && !title.includes('ed448') && !title.includes('pss'))) {
      const path = findPath(questionOf(chain)).map(({ der }) => new X509Certificate(der))
      for (const [index, certificate] of path.slice(0, -1).entries()) {
        expect(certificate.verify(path[index + 1]!.publicKey), chain.title).toBe(true)
        expect(certificate.checkIssued(path[index + 1]!), chain.title).toBe(true)
      }
    }
  })
})

describe('RFC 5280 §6.1 bounds: what anybody may send costs little', () => {
  const long = cases.find(({ title }) => title === 'two intermediates')!

  it('§6.1: more certificates than are looked at', () => {
    const question = questionOf(long)
    const intermediates = Array.from({ length: DEFAULT_PATH_LIMITS.maxIntermediates + 1 }, () => question.intermediates[0]!)
    expect(verdictOf({ ...question, intermediates })).toBe('LIMIT_EXCEEDED')
  })

  it('§6.1: a path of more certificates than allowed', () => {
    expect(verdictOf({ ...questionOf(long), limits: { ...DEFAULT_PATH_LIMITS, maxLength: 3 } })).toBe('LIMIT_EXCEEDED')
    expect(verdictOf({ ...questionOf(long), limits: { ...DEFAULT_PATH_LIMITS, maxLength: 4 } })).toBe('ok')
  })

  it('§6.1: more signatures than allowed', () => {
    expect(verdictOf({ ...questionOf(long), limits: { ...DEFAULT_PATH_LIMITS, maxSignatureChecks: 2 } })).toBe('LIMIT_EXCEEDED')
    expect(verdictOf({ ...questionOf(long), limits: { ...DEFAULT_PATH_LIMITS, maxSignatureChecks: 3 } })).toBe('ok')
  })

  it('§6.1: an error names the certificate that is meant', () => {
    expect(() => findPath(questionOf(cases.find(({ title }) => title === 'an intermediate that has expired')!))).toThrow(
      /"CN=shortInt, O=Example" was valid until/,
    )
  })
})
