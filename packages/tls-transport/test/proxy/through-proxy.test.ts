import { createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ProxyServer } from '../../src/index.ts'
import { CLIENT_TLS, closeAll, dial, failureOf, LOOPBACK, SERVER_TLS, type Served, SOCKETS, serve, until, useSockets } from '../streams.ts'
import { httpProxy, socksProxy, type TestProxy } from './proxies.ts'

const proxies: TestProxy[] = []

afterEach(async () => {
  await closeAll()
  for (const proxy of proxies.splice(0)) await proxy.close()
})

const started = async (proxy: Promise<TestProxy>): Promise<TestProxy> => {
  proxies.push(await proxy)
  return proxy
}

const via = (protocol: ProxyServer['protocol'], { port }: TestProxy, user?: string): ProxyServer => {
  const [username = '', password = ''] = user?.split(':') ?? []
  return { protocol, host: LOOPBACK, port, ...(user === undefined ? {} : { credentials: { username, password } }) }
}

/** Nobody but the proxy knows this name. */
const HIDDEN = { host: 'hidden.invalid' }

describe.each(SOCKETS)('through a proxy, %s sockets', (sockets) => {
  beforeEach(() => useSockets(sockets))

  async function carries(served: Served, proxy: ProxyServer, options: object = {}): Promise<void> {
    const { stream, seen } = await dial(443, { ...HIDDEN, via: proxy, ...options })
    stream.write(new Uint8Array(200_000).fill(7))
    await until(() => served.accepted[0]?.seen.octets === 200_000)
    served.accepted[0]?.stream.write(Uint8Array.of(1, 2, 3))
    await until(() => seen.octets === 3)
    expect(seen.data).toEqual([1, 2, 3])
    served.accepted[0]?.stream.end()
    await until(() => seen.events.includes('close'))
    expect(seen.error).toBe(undefined)
  }

  it('RFC 9329 App. A (T-TLS-2): HTTP CONNECT, the name is the proxy’s to resolve', async () => {
    const served = await serve()
    const proxy = await started(httpProxy({ target: () => served.listener.local.port }))
    await carries(served, via('http', proxy))
    expect(proxy.heard).toEqual(['CONNECT hidden.invalid:443 HTTP/1.1\r\nHost: hidden.invalid:443\r\n\r\n'])
  })

  it('RFC 9329 App. A (T-TLS-2): CONNECT first, then TLS, checked against the gateway’s name', async () => {
    const served = await serve({ tls: SERVER_TLS })
    const proxy = await started(httpProxy({ target: () => served.listener.local.port }))
    await carries(served, via('http', proxy), { tls: CLIENT_TLS })
    const wrong = await failureOf(dial(443, { ...HIDDEN, via: via('http', proxy), tls: { ...CLIENT_TLS, servername: 'other.test' } }))
    expect(wrong.code).toBe('CERTIFICATE_INVALID')
  })

  it.each([false, true])('RFC 9110 §11.7: it asks who we are, and closes then: %s', async (closes) => {
    const served = await serve()
    const proxy = await started(httpProxy({ user: 'me:secret', closes, target: () => served.listener.local.port }))
    await carries(served, via('http', proxy, 'me:secret'))
    expect(proxy.connections).toBe(closes ? 2 : 1)
    for (const user of [undefined, 'me:wrong']) {
      const failure = await failureOf(dial(443, { ...HIDDEN, via: via('http', proxy, user) }))
      expect(failure.code).toBe('PROXY_AUTHENTICATION')
      expect(failure.message).not.toContain('wrong')
    }
  })

  it('RFC 9112 §9.3: a connection that is left at its 407 is closed, and its error page is nobody’s', async () => {
    const taken: Socket[] = []
    let isClosed = false
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const isFirst = taken.push(socket) === 1
      socket.on('error', () => {})
      socket.once('close', () => {
        if (isFirst) isClosed = true
      })
      socket.once('data', () => {
        if (isFirst) socket.write('HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 200000\r\n\r\n')
        else {
          taken[0]?.write('<html>'.repeat(2000))
          setTimeout(() => socket.write('HTTP/1.1 200 OK\r\n\r\n'), 50)
        }
      })
    })
    await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const proxy = { protocol: 'http', host: LOOPBACK, port, credentials: { username: 'me', password: 'x' } } as const
    const { stream } = await dial(443, { ...HIDDEN, via: proxy })
    await until(() => isClosed)
    stream.reset()
    for (const socket of taken) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })

  it('RFC 1928, RFC 1929: SOCKS 5 with a user', async () => {
    const served = await serve()
    const proxy = await started(socksProxy({ user: ['me', 'secret'], target: () => served.listener.local.port }))
    await carries(served, via('socks5', proxy, 'me:secret'))
    expect(proxy.heard[0]).toContain('\x03\x0ehidden.invalid\x01\xbb')
    expect((await failureOf(dial(443, { ...HIDDEN, via: via('socks5', proxy, 'me:wrong') }))).code).toBe('PROXY_AUTHENTICATION')
    expect((await failureOf(dial(443, { ...HIDDEN, via: via('socks5', proxy) }))).code).toBe('PROXY_AUTHENTICATION')
  })

  it('RFC 1928: SOCKS 5, then TLS', async () => {
    const served = await serve({ tls: SERVER_TLS })
    const proxy = await started(socksProxy({ target: () => served.listener.local.port }))
    await carries(served, via('socks5', proxy), { tls: CLIENT_TLS })
  })

  it('RFC 9329 App. A (T-TLS-2): nobody listens where the proxy should be, or what is there says nothing, or hangs up', async () => {
    const served = await serve()
    const gone = await started(httpProxy({ target: () => 0 }))
    await gone.close()
    const refused = await failureOf(dial(443, { ...HIDDEN, via: via('http', gone) }))
    expect([refused.code, refused.context.port]).toEqual(['CONNECTION_REFUSED', gone.port])
    // A listener of ours says nothing: whoever dials speaks first.
    const silent = { protocol: 'http', host: LOOPBACK, port: served.listener.local.port } as const
    const late = await failureOf(dial(443, { ...HIDDEN, via: silent, timeout: 100 }))
    expect([late.code, late.message]).toEqual(['TIMED_OUT', 'no connection with hidden.invalid:443 within 100 ms'])
    const hanging = dial(443, { ...HIDDEN, via: silent })
    await until(() => (served.accepted.at(-1)?.seen.octets ?? 0) > 0 && served.accepted.length === 2)
    served.accepted[1]?.stream.end()
    expect((await failureOf(hanging)).message).toContain('closed the connection without a word')
  })

  it('RFC 9329 §5: an attempt is given up while the proxy is asked', async () => {
    const served = await serve()
    const silent = { protocol: 'socks5', host: LOOPBACK, port: served.listener.local.port } as const
    const controller = new AbortController()
    const attempt = dial(443, { ...HIDDEN, via: silent, signal: controller.signal })
    await until(() => served.accepted.length === 1)
    controller.abort()
    expect((await failureOf(attempt)).code).toBe('ABORTED')
    await until(() => served.accepted[0]?.seen.events.includes('close') === true)
    expect((await failureOf(dial(443, { ...HIDDEN, via: silent, signal: controller.signal }))).code).toBe('ABORTED')
  })
})

describe('a proxy that is reached over TLS', () => {
  it('RFC 9110 §9.3.6: its certificate is checked against its name', async () => {
    const served = await serve()
    const proxy = await started(httpProxy({ isTls: true, target: () => served.listener.local.port }))
    // Nobody signed the tests' certificate.
    expect((await failureOf(dial(443, { ...HIDDEN, via: via('https', proxy) }))).code).toBe('CERTIFICATE_INVALID')
    expect(served.accepted.length).toBe(0)
  })
})
