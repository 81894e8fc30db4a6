import { describe, expect, it } from 'vitest'
import { inEnvironment, isThroughProxy, transportsTo } from '../../src/config/transports.ts'
import { type ClientConfig, dialledCarriers, type HostError, loadClientConfig } from '../../src/index.ts'
import { temporaryFile } from '../temporary.ts'

const [IPV6, IPV4] = ['2001:db8::9', '192.0.2.9']
const BOTH = [{ address: IPV6 }, { address: IPV4 }]

describe('RFC 8305 §5: a list of transports and a list of addresses', () => {
  it('is each transport to each address, the preferred transport first', () => {
    expect(transportsTo(BOTH, config('["udp", "tcp:4500"]'))).toEqual([
      { transport: 'udp', port: 500, natPort: 4500, address: IPV6 },
      { transport: 'udp', port: 500, natPort: 4500, address: IPV4 },
      { transport: 'tcp', port: 4500, framing: 'rfc9329', address: IPV6 },
      { transport: 'tcp', port: 4500, framing: 'rfc9329', address: IPV4 },
    ])
  })

  it('RFC 1928 §4: what goes through a proxy is there once, with the name for the proxy to resolve', () => {
    const list = transportsTo(BOTH, config('["udp", "tls:443 via socks5://proxy:1080"]'))
    expect(list.map((one) => [one.transport, one.address])).toEqual([
      ['udp', IPV6],
      ['udp', IPV4],
      ['tcp', undefined],
    ])
    expect(transportsTo([], config('["udp", "tls:443 via socks5://proxy:1080"]'))).toHaveLength(1)
  })
})

describe('RFC 2782: a list of transports and the places of SRV records', () => {
  const places = [
    { address: IPV6, transport: 'udp', port: 4501 },
    { address: IPV4, transport: 'tcp', port: 4502 },
  ] as const

  it('goes to their hosts and, where no list is written, to their ports', () => {
    expect(transportsTo(places, config())).toEqual([
      { transport: 'udp', port: 4501, natPort: 4501, address: IPV6 },
      { transport: 'tcp', port: 4502, framing: 'rfc9329', address: IPV4 },
    ])
    expect(transportsTo(places, config('["udp", "tcp:4500"]')).map(({ port, address }) => [port, address])).toEqual([
      [500, IPV6],
      [4500, IPV4],
    ])
  })
})

describe('srv = true', () => {
  const complaint = (peer: string): string => {
    try {
      loadClientConfig(
        temporaryFile('client.toml', `[peer]\nlocal_id = "@me"\npsk = "0123456789abcdef"\nsrv = true\n${peer}`),
        '/nowhere/policy.toml',
      )
    } catch (error) {
      return (error as HostError).message
    }
    return ''
  }

  it('is of a domain, and of what needs no proxy', () => {
    expect(complaint('gateway = "example.com"\n')).toBe('')
    expect(complaint('gateway = "192.0.2.9"\n')).toMatch(
      /:4: peer\.srv: asks for the SRV records of a domain, and 192\.0\.2\.9 is an address$/,
    )
    expect(complaint('gateway = "example.com"\ntransports = ["udp", "tls:443 via env"]\n')).toMatch(
      /:6: peer\.transports\[1\]: goes through a proxy, which knows nothing of SRV records \(srv\)$/,
    )
  })
})

it.each([
  ['["udp", "tcp:4500", "tcp:4500"]', 2, 'tcp:4500', 1],
  ['["udp", "tcp:4500", "udp:500"]', undefined, '', 0],
  ['["udp", "tcp:4500", "udp"]', 2, 'udp:500 (4500 where a NAT is found)', 0],
  ['["tls:443", { transport = "tls", port = 443, framing = "rfc9329" }]', 1, 'tls:443', 0],
  ['["tcp:4500", { transport = "tcp", port = 4500, framing = "3gpp-ftt" }]', undefined, '', 0],
] as const)('transports = %s: what stands there twice is an error that names both', (transports, at, name, before) => {
  const load = (): ClientConfig => config(transports)
  if (at === undefined) expect(load).not.toThrow()
  else
    expect(load).toThrow(
      `client.toml:5: peer.transports[${at}]: ${name} is the same as ${name} of peer.transports[${before}]: leave one of them out`,
    )
})

describe('"via env"', () => {
  const written = (): ClientConfig => config('["tls:443 via env", "udp"]')
  const inIt = (env: Record<string, string>): ClientConfig => ({ ...written(), ...inEnvironment(written(), 'gw.example', env) })
  const named = (env: Record<string, string>): string[] =>
    inIt(env).transports.map((one) => ('carrier' in one ? one.carrier! : one.transport))

  it('says which proxy that is, without user and password', () => {
    const env = { HTTPS_PROXY: 'http://me:secret@proxy:3128' }
    expect(named(env)).toEqual(['tls:443 via http://proxy:3128 (env)', 'udp'])
    const found = inIt(env)
    expect(isThroughProxy(found.transports[0]!, found)).toBe(true)
    expect(dialledCarriers(found)).toMatchObject({
      'tls:443 via http://proxy:3128 (env)': { host: 'gw.example', via: { host: 'proxy', port: 3128 } },
    })
  })

  it('says that NO_PROXY has the gateway, or that there is no proxy; then it goes to each address', () => {
    expect(named({ ALL_PROXY: 'socks5://proxy:1080', NO_PROXY: '.example' })).toEqual(['tls:443 (no proxy, says NO_PROXY)', 'udp'])
    expect(named({})).toEqual(['tls:443 (no proxy in the environment)', 'udp'])
    const found = inIt({})
    expect(transportsTo(BOTH, found).map(({ address }) => address)).toEqual([IPV6, IPV4, IPV6, IPV4])
    expect(dialledCarriers(found)).toMatchObject({
      'tls:443 (no proxy in the environment)': { via: undefined, tls: { servername: 'gw.example' } },
    })
  })

  it('that is no proxy is an error, which does not repeat it', () => {
    try {
      named({ HTTPS_PROXY: 'ftp://me:secret@proxy' })
      expect.unreachable()
    } catch (error) {
      expect((error as HostError).code).toBe('BAD_ENVIRONMENT')
      expect((error as HostError).message).toMatch(/^HTTPS_PROXY or ALL_PROXY of the environment: /)
      expect((error as HostError).message).not.toContain('secret')
    }
  })
})

function config(transports?: string): ClientConfig {
  const peer = `[peer]\ngateway = "gw.example"\nlocal_id = "@me"\npsk = "0123456789abcdef"\n${transports === undefined ? '' : `transports = ${transports}\n`}`
  return loadClientConfig(temporaryFile('client.toml', peer), '/nowhere/policy.toml')
}
