import { describe, expect, it } from 'vitest'
import { describeProxy, parseProxy, proxyFromEnvironment, TransportError } from '../../src/index.ts'

describe('RFC 3986 §3: a proxy in a URL', () => {
  it.each([
    ['http://proxy.example:3128', { protocol: 'http', host: 'proxy.example', port: 3128 }],
    ['HTTP://proxy.example', { protocol: 'http', host: 'proxy.example', port: 80 }],
    ['http://proxy.example:443/', { protocol: 'http', host: 'proxy.example', port: 443 }],
    ['https://proxy.example', { protocol: 'https', host: 'proxy.example', port: 443 }],
    ['socks5://10.0.0.1', { protocol: 'socks5', host: '10.0.0.1', port: 1080 }],
    ['socks5h://[2001:db8::1]:443', { protocol: 'socks5', host: '2001:db8::1', port: 443 }],
    [
      'http://user:p%40ss%3A@10.0.0.1:8080',
      { protocol: 'http', host: '10.0.0.1', port: 8080, credentials: { username: 'user', password: 'p@ss:' } },
    ],
  ])('%s', (text, proxy) => {
    expect(parseProxy(text)).toEqual(proxy)
  })

  it.each([
    ['proxy.example:3128', 'is no proxy; write "http://host:3128"'],
    ['ftp://proxy.example', 'is no proxy'],
    ['socks4://proxy.example', 'is no proxy'],
    ['http://', 'is no proxy'],
    ['http://proxy.example:99999', 'is no proxy'],
    ['http://proxy.example:0', 'has no port'],
    ['http://proxy.example/path', 'has something behind host and port'],
    ['http://user:100%@proxy.example', 'write it as "%25"'],
    ['http://a%3Ab:secret@proxy.example', 'with a colon'],
    ['socks5://user@proxy.example', 'SOCKS has no room for'],
    ['user:secret@proxy:3128', '"…" is no proxy'],
    ['http:/user:secret@proxy', '"…" is no proxy'],
    ['http://user:secret@proxy/x', '"http://…" has something'],
    ['http://user:secret', '"http://…" is no proxy'],
    ['http://user:sec%0aret@proxy', '"http://…" has a control character'],
  ])('%s is refused, its password not told', (text, why) => {
    const attempt = (): unknown => parseProxy(text)
    expect(attempt).toThrow(TransportError)
    expect(attempt).toThrow(why)
    expect(attempt).not.toThrow('secret')
  })

  it('is told without its password', () => {
    expect(describeProxy(parseProxy('http://user:secret@proxy.example'))).toBe('http://proxy.example:80')
    expect(describeProxy(parseProxy('socks5://[2001:db8::1]'))).toBe('socks5://[2001:db8::1]:1080')
  })
})

describe('RFC 9329 App. A (T-TLS-2): a proxy in the environment', () => {
  const chosen = (env: Readonly<Record<string, string>>, host = 'gateway.example', port = 443): string | undefined => {
    const proxy = proxyFromEnvironment(env, host, port)
    return proxy && describeProxy(proxy)
  }

  it('HTTPS_PROXY, or else ALL_PROXY, in either case', () => {
    expect(chosen({ HTTPS_PROXY: 'http://a:1', ALL_PROXY: 'socks5://b:2' })).toBe('http://a:1')
    expect(chosen({ https_proxy: 'http://c:3', HTTPS_PROXY: 'http://a:1' })).toBe('http://c:3')
    expect(chosen({ ALL_PROXY: 'socks5h://b:2', HTTPS_PROXY: '' })).toBe('socks5://b:2')
    expect(chosen({ HTTPS_PROXY: 'a:1' })).toBe('http://a:1')
    expect(chosen({ HTTP_PROXY: 'http://a:1' })).toBe(undefined)
    expect(() => chosen({ HTTPS_PROXY: 'ftp://a' })).toThrow('is no proxy')
  })

  it.each([
    ['*', 'gateway.example', true],
    ['example', 'gateway.example', true],
    ['.example', 'gateway.example', true],
    ['*.example', 'gateway.example', true],
    ['way.example', 'gateway.example', false],
    ['other, GATEWAY.example.', 'gateway.example.', false],
    ['other, GATEWAY.example', 'gateway.example.', true],
    ['gateway.example:443', 'gateway.example', true],
    ['gateway.example:4500', 'gateway.example', false],
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['2001:db8::/32', '2001:db8::5', true],
    ['[2001:db8::5]:443', '2001:db8::5', true],
    ['10.0.0.0/99', '10.1.2.3', false],
    ['', 'gateway.example', false],
  ])('NO_PROXY=%s: %s is exempt: %s', (list, host, isExempt) => {
    expect(chosen({ HTTPS_PROXY: 'http://a:1', NO_PROXY: list }, host) === undefined).toBe(isExempt)
  })
})
