import { describe, expect, it } from 'vitest'
import { HttpConnect } from '../../src/proxy/http-connect.ts'
import { parseProxy } from '../../src/proxy/proxy.ts'
import { text, told } from './dialogues.ts'

const TARGET = { host: 'gateway.example', port: 443 }
const PLAIN = 'CONNECT gateway.example:443 HTTP/1.1\r\nHost: gateway.example:443\r\n\r\n'
const USER = 'http://Mufasa:Circle%20of%20Life@proxy:3128'

const dialogue = (url = 'http://proxy:3128', target = TARGET): HttpConnect =>
  new HttpConnect(parseProxy(url), target, () => 'nonce of ours')

describe('RFC 9110 §9.3.6: CONNECT', () => {
  it('RFC 9329 App. A (T-TLS-2): CONNECT host:port, a 2xx, and the rest is the target’s', () => {
    expect(told(dialogue(), ['HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nIKE'])).toEqual([PLAIN, 'open: IKE'])
  })

  it('an IPv6 literal stands in brackets', () => {
    expect(text(dialogue('http://proxy', { host: '2001:db8::1', port: 4500 }).begin())).toMatch(
      /^CONNECT \[2001:db8::1\]:4500 HTTP\/1\.1\r\n/,
    )
  })

  it('however the answer is cut up', () => {
    const answer = 'HTTP/1.0 100 Wait\r\n\r\nHTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\nrest'
    expect(told(dialogue(), [...answer])).toEqual([PLAIN, 'open: '])
    expect(told(dialogue(), [answer])).toEqual([PLAIN, 'open: rest'])
  })

  it.each([
    [
      'HTTP/1.1 403 Forbidden\r\n\r\n',
      'PROXY_REFUSED: the proxy http://proxy:3128 refuses a connection to gateway.example:443: 403 Forbidden',
    ],
    ['HTTP/1.1 502 \u0007Bad\r\n\r\n', 'PROXY_REFUSED: the proxy http://proxy:3128 refuses a connection to gateway.example:443: 502 ?Bad'],
    ['HTTP/1.1 301\r\n\r\n', 'PROXY_REFUSED: the proxy http://proxy:3128 refuses a connection to gateway.example:443: 301'],
    ['SSH-2.0-x', 'PROXY_PROTOCOL: the proxy http://proxy:3128 answers CONNECT with something that is not HTTP'],
    ['HTTP/1.1 200 OK\r\nno field\r\n\r\n', 'PROXY_PROTOCOL: the proxy http://proxy:3128 answers CONNECT with something that is not HTTP'],
    [
      `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}`,
      'PROXY_PROTOCOL: the proxy http://proxy:3128 answers CONNECT with something that is not HTTP',
    ],
  ])('%j', (answer, error) => {
    expect(told(dialogue(), [answer])).toEqual([PLAIN, error])
  })
})

describe('RFC 9110 §17: a proxy that means ill', () => {
  it('RFC 9110 §15.2: interim responses have an end', () => {
    expect(told(dialogue(), ['HTTP/1.1 100 Wait\r\n\r\n'.repeat(10_000)]).at(-1)).toBe(
      'PROXY_PROTOCOL: the proxy http://proxy:3128 says again and again that an answer is to come',
    )
  })
})

describe('RFC 9110 §11.7: a proxy that asks who we are', () => {
  const ask = (challenge: string, more = 'Content-Length: 4\r\n\r\nPage'): string =>
    `HTTP/1.1 407 ProxyServer Authentication Required\r\nProxy-Authenticate: ${challenge}\r\n${more}`

  it('Basic, after it was asked for, over the same connection', () => {
    expect(told(dialogue(USER), [ask('Basic realm="x"'), 'HTTP/1.1 200 OK\r\n\r\n'])).toEqual([
      PLAIN,
      'send: CONNECT gateway.example:443 HTTP/1.1\r\nHost: gateway.example:443\r\nProxy-Authorization: Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl\r\n\r\n',
      'open: ',
    ])
  })

  it.each([
    'Connection: close\r\nContent-Length: 4\r\n\r\nPage',
    'Transfer-Encoding: chunked\r\n\r\n4\r\n',
    '\r\n',
    'Content-Length: 999999\r\n\r\n',
  ])('over a new one where this one does not go on: %j', (more) => {
    const asked = dialogue(USER)
    expect(told(asked, [ask('Basic realm="x"', more)])).toEqual([PLAIN, 'reconnect'])
    expect(text(asked.begin())).toContain('\r\nProxy-Authorization: Basic ')
  })

  it('an error page in pieces is passed over', () => {
    const pieces = [ask('Basic realm="x"', 'Content-Length: 10\r\n\r\nPa'), 'ge is ', 'long', 'HTTP/1.1 200 OK\r\n\r\n']
    expect(told(dialogue(USER), pieces).map((step) => step.slice(0, 13))).toEqual([PLAIN.slice(0, 13), 'send: CONNECT', 'open: '])
  })

  it('RFC 7616: Digest goes before Basic, and a stale nonce is no refusal', () => {
    const both = ask('Digest realm="r", nonce="n1", qop="auth", Basic realm="r"')
    const stale = ask('Digest realm="r", nonce="n2", qop="auth", stale=true')
    const [, first, second, last] = told(dialogue(USER), [both, stale, 'HTTP/1.1 200 OK\r\n\r\n'])
    expect(first).toContain('Proxy-Authorization: Digest username="Mufasa", realm="r", nonce="n1", uri="gateway.example:443"')
    expect(second).toContain('nonce="n2"')
    expect(second).toContain('nc=00000001, cnonce="nonce of ours"')
    expect(last).toBe('open: ')
  })

  it('RFC 7616 §3.3: nor is a nonce stale for ever', () => {
    const stale = ask('Digest realm="r", nonce="n", qop="auth", stale=true')
    expect(told(dialogue(USER), [stale, stale, stale, stale, stale]).at(-1)).toBe(
      'PROXY_AUTHENTICATION: the proxy http://proxy:3128 asks again and again who we are',
    )
  })

  it('RFC 7616 §5.12: who was told a hash is not told the password', () => {
    const digest = ask('Digest realm="r", nonce="n", qop="auth"')
    const steps = told(dialogue(USER), [digest, ask('Basic realm="r", stale=true')])
    expect(steps.at(-1)).toBe('PROXY_AUTHENTICATION: the proxy http://proxy:3128 does not take the user and the password (407 again)')
    expect(steps.join()).not.toContain('Basic')
  })

  it('nor does a proxy that repeats what we said have it in a message', () => {
    const steps = told(dialogue(USER), [ask('Basic realm="r"'), 'HTTP/1.1 403 TXVmYXNhOkNpcmNsZSBvZiBMaWZl\r\n\r\n'])
    expect(steps.at(-1)).toBe('PROXY_REFUSED: the proxy http://proxy:3128 refuses a connection to gateway.example:443: 403')
  })

  it.each([
    [
      'http://proxy:3128',
      [ask('Basic realm="x"')],
      'asks for a user and a password (407, basic): write them before its name, as in http://user:password@proxy',
    ],
    [USER, [ask('Negotiate'), ask('NTLM')], 'asks for a user by what is not known here (negotiate); Basic and Digest are'],
    [USER, [ask('Basic realm="x"'), 'HTTP/1.1 401 Unauthorized\r\n\r\n'], 'does not take the user and the password (401)'],
    [USER, [ask('Basic realm="x"'), ask('Basic realm="x"')], 'does not take the user and the password (407 again)'],
  ])('%s', (url, answers, why) => {
    expect(told(dialogue(url), answers).at(-1)).toBe(`PROXY_AUTHENTICATION: the proxy http://proxy:3128 ${why}`)
  })
})
