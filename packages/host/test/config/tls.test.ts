import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { HostError, loadClientConfig, loadGatewayConfig } from '../../src/index.ts'
import { dialledCarriers } from '../../src/program/client-carriers.ts'
import { configAsJson, describeClientConfig, describeGatewayConfig } from '../../src/report/config-words.ts'
import { temporaryFile } from '../temporary.ts'

const CLIENT = `[peer]
gateway = "vpn.example.com"
local_id = "alice@example.com"
psk = "0123456789abcdef0123456789abcdef"
`
const GATEWAY = `[[connection]]
name = "people"
local_id = "@gw"
remote_id = "alice@example.com"
psk = "0123456789abcdef-alice"
pool = { ranges = ["10.99.0.2-10.99.0.9"] }
`
const CERT = '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'
const KEY = '-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n'

const complaintOf = (load: () => unknown): string => {
  try {
    load()
  } catch (error) {
    if (error instanceof HostError) return error.message
    throw error
  }
  throw new Error('it was taken')
}

describe('RFC 9329 Appendix A (T-TLS-1, T-TLS-2): a client’s transports', () => {
  it('TLS, and proxies, in text and in tables', () => {
    const { transports, carriers } = loadClientConfig(
      temporaryFile(
        'client.toml',
        `${CLIENT}transports = ["udp", "tls:443", "tls:443 via http://me:secret@proxy:3128", "tcp:4500 via socks5://10.0.0.1", { transport = "tls", port = 444, via = "env", framing = "3gpp-ftt" }]\n`,
      ),
    )
    expect(transports).toEqual([
      { transport: 'udp', port: 500, natPort: 4500 },
      { transport: 'tcp', port: 443, framing: 'rfc9329', carrier: 'tls:443' },
      { transport: 'tcp', port: 443, framing: 'rfc9329', carrier: 'tls:443 via http://proxy:3128' },
      { transport: 'tcp', port: 4500, framing: 'rfc9329', carrier: 'tcp:4500 via socks5://10.0.0.1:1080' },
      { transport: 'tcp', port: 444, framing: '3gpp-ftt', carrier: 'tls:444 via env' },
    ])
    expect(carriers['tls:443 via http://proxy:3128']).toEqual({
      isTls: true,
      via: { protocol: 'http', host: 'proxy', port: 3128, credentials: { username: 'me', password: 'secret' } },
    })
    expect(carriers['tls:444 via env']).toEqual({ isTls: true, via: 'environment' })
  })

  it('a proxy’s password is in nothing that is shown', () => {
    const config = loadClientConfig(temporaryFile('client.toml', `${CLIENT}transports = ["tls:443 via http://me:secret@proxy:3128"]\n`))
    expect(describeClientConfig(config)[0]).toBe('connect to vpn.example.com: tls:443 via http://proxy:3128')
    expect(JSON.stringify(configAsJson(config))).not.toMatch(/secret"|"me"/)
    expect(JSON.stringify(configAsJson(config))).toContain('a user and a password')
  })

  it.each([
    [
      'tls',
      'is not a transport; use "udp", "udp:PORT", "tcp:PORT", "tls:PORT" or "tls:PORT via http://proxy:3128"; did you mean "tls:443"?',
    ],
    ['tls:0', 'has a port out of range'],
    ['udp via http://me:secret@proxy', '"udp via …" asks a proxy for UDP, and proxies carry TCP'],
    ['tls:443 via ftp://me:secret@proxy', 'has a proxy that is none: "…" is no proxy; write "http://host:3128"'],
    ['tls:443 via http://me:secret@proxy/x', 'has something behind host and port'],
    ['tls:443 via me:secret@proxy:3128', '"tls:443 via …" has a proxy that is none'],
    ['tls:443 via http://me:my secret@proxy', 'is not a transport'],
    ['tls:443 http://me:secret@proxy', 'is not a transport'],
  ])('%s', (written, why) => {
    const complaint = complaintOf(() => loadClientConfig(temporaryFile('client.toml', `${CLIENT}transports = ["${written}"]\n`)))
    expect(complaint).toContain(why)
    expect(complaint).not.toContain('secret')
  })

  it('two users of one proxy cannot be told from each other', () => {
    const list = ['http://a:secret@proxy', 'http://b:secret@proxy'].map((proxy) => `"tls:443 via ${proxy}"`).join(', ')
    const complaint = complaintOf(() => loadClientConfig(temporaryFile('client.toml', `${CLIENT}transports = [${list}]\n`)))
    expect(complaint).toContain('peer.transports[1]: is there already, for another user')
    expect(complaint).not.toContain('secret')
  })

  it('T-TLS-6: what the certificate is checked by, or nothing, which weakens no IKE', () => {
    const tlsOf = (more: string, gateway = 'vpn.example.com'): unknown => {
      const file = temporaryFile('client.toml', `${CLIENT.replace('vpn.example.com', gateway)}transports = ["tls:443"]\n${more}`)
      return dialledCarriers(loadClientConfig(file))['tls:443']
    }
    expect(tlsOf('')).toEqual({
      host: 'vpn.example.com',
      via: undefined,
      tls: { servername: 'vpn.example.com', rejectUnauthorized: true, minVersion: 'TLSv1.2' },
    })
    expect(
      tlsOf('[peer.tls]\nverify = "none"\nservername = "www.example.com"\nmin_version = "1.3"\nalpn = ["ike"]\n', '192.0.2.1'),
    ).toEqual({
      host: '192.0.2.1',
      via: undefined,
      tls: { servername: 'www.example.com', rejectUnauthorized: false, minVersion: 'TLSv1.3', alpn: ['ike'] },
    })
    const ca = temporaryFile('ca.pem', CERT)
    expect(tlsOf(`[peer.tls]\nca_file = "${ca}"\n`)).toMatchObject({ tls: { ca: CERT } })
  })

  it.each([
    ['ca_file = "/no/such.pem"', 'peer.tls.ca_file: cannot be read: ENOENT'],
    ['ca_file = "EMPTY"', 'peer.tls.ca_file: has no certificate in PEM in it'],
    ['ca_file = "CA"\nverify = "none"', 'peer.tls.ca_file: is for verify = "ca"'],
    ['verify = "maybe"', 'peer.tls.verify'],
  ])('%j', (written, why) => {
    const named = written.replace('EMPTY', temporaryFile('empty.pem', 'nothing')).replace('CA', temporaryFile('ca.pem', CERT))
    expect(complaintOf(() => loadClientConfig(temporaryFile('client.toml', `${CLIENT}[peer.tls]\n${named}\n`)))).toContain(why)
  })
})

describe('RFC 9329 Appendix A (T-TLS-1): a gateway’s listeners', () => {
  it('plain 4500 and TLS 443, with the certificate beside the file', () => {
    const cert = temporaryFile('cert.pem', CERT)
    const key = temporaryFile('key.pem', KEY)
    const config = loadGatewayConfig(
      temporaryFile('gateway.toml', `[listen]\ntls = [443]\n[tls]\ncert_file = "${cert}"\nkey_file = "${key}"\n${GATEWAY}`),
    )
    expect(dirname(cert)).not.toBe('')
    expect(config.tcp).toEqual([
      { address: undefined, port: 4500, framing: 'rfc9329', isTls: false },
      { address: undefined, port: 443, framing: 'rfc9329', isTls: true },
    ])
    expect(config.tls).toEqual({ cert: CERT, key: KEY, minVersion: 'TLSv1.2' })
    expect(describeGatewayConfig(config)[0]).toBe('listen on UDP port 500, port 4500; on TCP port 4500, port 443 with TLS')
    expect(JSON.stringify(configAsJson(config))).not.toContain('PRIVATE KEY')
  })

  it.each([
    ['[listen]\ntls = [443]\n', 'listen.tls: needs a [tls] with cert_file and key_file'],
    ['[tls]\ncert_file = "/no/such"\nkey_file = "/no/such"\n', 'tls.cert_file: cannot be read: ENOENT'],
    [
      '[listen]\ntcp = [443]\ntls = [443]\n',
      'listen.tls[0]: port 443 is the same as port 443 of listen.tcp[0]: each of TCP and TLS needs a port of its own',
    ],
    ['workers = 2\n[listen]\ntls = [443]\n', 'workers: 2 workers share ports that the system’s sockets listen on'],
  ])('%j', (written, why) => {
    expect(complaintOf(() => loadGatewayConfig(temporaryFile('gateway.toml', `${written}${GATEWAY}`)))).toContain(why.replace('’', "'"))
  })
})
