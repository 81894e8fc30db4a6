import { describe, expect, it } from 'vitest'
import { basicAuthorization, digestAuthorization, readChallenges, strongest } from '../../src/proxy/http-authentication.ts'

/** RFC 7616 §3.9.1: one challenge in a field each, and the second field's hash is MD5. */
const EXAMPLE = ['SHA-256', 'MD5'].map(
  (algorithm) =>
    `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, ` +
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
)
const MUFASA = { username: 'Mufasa', password: 'Circle of Life' }
const GET = { method: 'GET', uri: '/dir/index.html', cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ', count: 1 }

describe('RFC 9110 §11.6.1: challenges', () => {
  it('several fields, and several in one field', () => {
    expect(readChallenges(EXAMPLE).map(({ scheme, parameters }) => [scheme, parameters.get('algorithm')])).toEqual([
      ['digest', 'SHA-256'],
      ['digest', 'MD5'],
    ])
    const [basic, digest, negotiate] = readChallenges(['Basic realm="a, \\"b\\"", Digest nonce=x, realm="c", Negotiate'])
    expect([basic?.scheme, basic?.parameters.get('realm')]).toEqual(['basic', 'a, "b"'])
    expect([digest?.scheme, digest?.parameters.get('nonce'), digest?.parameters.get('realm')]).toEqual(['digest', 'x', 'c'])
    expect(negotiate?.scheme).toBe('negotiate')
  })

  it('the strongest that is known is answered', () => {
    const chosen = (...fields: string[]): unknown => {
      const answerable = strongest(readChallenges(fields))
      return answerable && (answerable.algorithm?.name ?? answerable.challenge.scheme)
    }
    expect(chosen('Basic realm="x"', ...EXAMPLE.toReversed())).toBe('SHA-256')
    expect(chosen('Basic realm="x"', 'Digest realm="x", nonce="n"')).toBe('MD5')
    expect(chosen('Digest realm="x", nonce="n", algorithm=SHA-512-256', 'Basic realm="x"')).toBe('basic')
    expect(chosen('Digest realm="x", nonce="n", qop="auth-int"')).toBe(undefined)
    expect(chosen('Negotiate', 'NTLM')).toBe(undefined)
    expect(chosen()).toBe(undefined)
  })
})

describe('RFC 7616 §3.9.1: the example', () => {
  const answer = (field: string): string => {
    const answerable = strongest(readChallenges([field]))
    if (answerable?.algorithm === undefined) throw new Error('no Digest')
    return digestAuthorization({ challenge: answerable.challenge, algorithm: answerable.algorithm }, MUFASA, GET)
  }

  it('SHA-256', () => {
    expect(answer(EXAMPLE[0] as string)).toContain('response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"')
  })

  it('MD5', () => {
    const written = answer(EXAMPLE[1] as string)
    expect(written).toContain('response="8ca523f5e9506fed4657c9700eebdbec"')
    expect(written).toMatch(/^Digest username="Mufasa", realm="http-auth@example\.org", nonce=/)
    expect(written).toContain('qop=auth, nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"')
    expect(written).toContain('opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"')
  })

  it('RFC 2617 §3.5: a password with capitals, MD5, a count of 1', () => {
    const field =
      'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    const answerable = strongest(readChallenges([field]))
    const written = digestAuthorization(
      { challenge: answerable!.challenge, algorithm: answerable!.algorithm! },
      { username: 'Mufasa', password: 'Circle Of Life' },
      { ...GET, cnonce: '0a4f113b' },
    )
    expect(written).toContain('response="6629fae49393a05397450978507c4ef1"')
    // Who named no algorithm is told of none.
    expect(written).not.toContain('algorithm')
  })
})

describe('RFC 7617 §2', () => {
  it('the example', () => {
    expect(basicAuthorization({ username: 'Aladdin', password: 'open sesame' })).toBe('Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==')
  })

  it('§2.1: UTF-8', () => {
    expect(basicAuthorization({ username: 'test', password: '123£' })).toBe('Basic dGVzdDoxMjPCow==')
  })
})
