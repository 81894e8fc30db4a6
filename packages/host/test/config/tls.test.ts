import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { certificatePin, hasNullCipher } from '@underpass/tls-transport'
import { describe, expect, it } from 'vitest'
import { type GatewayConfig, HostError, loadClientConfig, loadGatewayConfig, loadOrTell } from '../../src/index.ts'
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
const FIXTURES = new URL('../../../tls-transport/test/fixtures/', import.meta.url)
const fixture = (name: string): string => readFileSync(new URL(`test-only-${name}.pem`, FIXTURES), 'utf8')
const [CERT, KEY, RSA_CERT, RSA_KEY] = [fixture('certificate'), fixture('key'), fixture('rsa-certificate'), fixture('rsa-key')]
const PIN = certificatePin(CERT)

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
    expect(JSON.stringify(configAsJson(config))).not.toMatch(/me:secret|:"secret"|"me"/)
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
    expect(tlsOf(`[peer.tls]\npin = "${PIN}"\n`)).toMatchObject({ tls: { pins: [PIN], rejectUnauthorized: false } })
    const other = certificatePin(RSA_CERT)
    expect(tlsOf(`[peer.tls]\npin = ["${PIN}", "${other}"]\nca_file = "${ca}"\n`)).toMatchObject({
      tls: { pins: [PIN, other], ca: CERT, rejectUnauthorized: true },
    })
    expect(tlsOf(`[peer.tls]\npin = "${PIN}"\nverify = "ca"\n`)).toMatchObject({ tls: { pins: [PIN], rejectUnauthorized: true } })
  })

  it.each([
    ['ca_file = "/no/such.pem"', 'peer.tls.ca_file: cannot be read: ENOENT'],
    ['ca_file = "EMPTY"', 'peer.tls.ca_file: has no certificate in PEM in it'],
    ['ca_file = "CA"\nverify = "none"', 'peer.tls.ca_file: is for verify = "ca"'],
    ['verify = "maybe"', 'peer.tls.verify'],
    ['pin = "PIN"\nverify = "none"', 'peer.tls.pin: verifies, and verify = "none" says that nothing does'],
    ['pin = "sha256/abc"', 'peer.tls.pin: "sha256/abc" is no pin; write "sha256/" and the base64'],
    ['pin = ["PIN", "sha1/AAAA"]', 'peer.tls.pin'],
    ['null_cipher = true', 'peer.tls.null_cipher'],
    ['null_cipher = "NULL-SHA256"\nmin_version = "1.3"', 'peer.tls.null_cipher: is of TLS 1.2'],
  ])('%j', (written, why) => {
    const named = written
      .replace('EMPTY', temporaryFile('empty.pem', 'nothing'))
      .replace('CA', temporaryFile('ca.pem', CERT))
      .replace('PIN', PIN)
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
    expect(config.tls).toEqual({ cert: CERT, key: KEY, files: { cert, key }, minVersion: 'TLSv1.2' })
    expect(describeGatewayConfig(config).slice(0, 2)).toEqual([
      'listen on UDP port 500, port 4500; on TCP port 4500, port 443 with TLS',
      `TLS with the certificate of ${cert}, whose pin is ${PIN}`,
    ])
    expect(JSON.stringify(configAsJson(config))).not.toContain('PRIVATE KEY')
  })

  it('RFC 9329 App. A (T-TLS-11): no TLS where nobody asks for it', () => {
    expect(loadGatewayConfig(temporaryFile('gateway.toml', GATEWAY)).tcp).toEqual([
      { address: undefined, port: 4500, framing: 'rfc9329', isTls: false },
    ])
    const { transports, carriers } = loadClientConfig(temporaryFile('client.toml', CLIENT))
    expect(transports.map(({ transport }) => transport)).toEqual(['udp', 'tcp'])
    expect(carriers).toEqual({})
  })

  const gatewayWith = (listen: string, more = '', pair: readonly [string, string] = [CERT, KEY]): string => {
    const [cert, key] = [temporaryFile('cert.pem', pair[0]), temporaryFile('key.pem', pair[1])]
    return temporaryFile('gateway.toml', `${listen}\n[tls]\ncert_file = "${cert}"\nkey_file = "${key}"\n${more}\n${GATEWAY}`)
  }

  it('TCP and TLS that name one port share it, at each of the addresses', () => {
    const config = loadGatewayConfig(gatewayWith('[listen]\naddress = ["192.0.2.1", "2001:db8::1"]\ntcp = [443, 4500]\ntls = [443]'))
    expect(config.tcp).toEqual([
      { address: '192.0.2.1', port: 4500, framing: 'rfc9329', isTls: false },
      { address: '2001:db8::1', port: 4500, framing: 'rfc9329', isTls: false },
      { address: '192.0.2.1', port: 443, framing: 'rfc9329', isTls: true, alsoPlain: true },
      { address: '2001:db8::1', port: 443, framing: 'rfc9329', isTls: true, alsoPlain: true },
    ])
    expect(describeGatewayConfig(config)[0]).toContain('192.0.2.1:443, with TLS and without')
    const everywhere = loadGatewayConfig(gatewayWith('[listen]\naddress = ["0.0.0.0", "::"]\ntcp = [443]\ntls = [443]'))
    expect(everywhere.tcp.map(({ address, alsoPlain }) => [address, alsoPlain])).toEqual([
      ['0.0.0.0', true],
      ['::', true],
    ])
  })

  it('the proxies whose word is taken', () => {
    const config = loadGatewayConfig(gatewayWith('[listen]\ntls = [443]\nproxy_protocol = ["10.0.0.0/8", "2001:db8::7"]'))
    expect(config.proxies).toEqual(['10.0.0.0/8', '2001:db8::7'])
    expect(describeGatewayConfig(config)).toContain('take the word of proxies at 10.0.0.0/8, 2001:db8::7 for whom a connection is from')
  })

  it('TLS with workers', () => {
    const config = loadGatewayConfig(gatewayWith('workers = 2\n[listen]\ntls = [443]'))
    expect([config.workers, config.tcp.some(({ isTls }) => isTls)]).toEqual([2, true])
  })

  it.each([
    ['a key of another certificate', [CERT, RSA_KEY], '', 'tls.key_file: is of no use: the private key is not that of the certificate'],
    ['half a certificate', [CERT.slice(0, 300), KEY], '', 'tls.cert_file: is of no use: the certificate cannot be read'],
    ['half a key', [CERT, KEY.slice(0, 150)], '', 'tls.key_file: is of no use: the private key cannot be read'],
    ['the NULL cipher for another key', [CERT, KEY], 'null_cipher = "NULL-SHA256"', 'tls.null_cipher: needs a certificate with an RSA key'],
    [
      'the NULL cipher with TLS 1.3',
      [RSA_CERT, RSA_KEY],
      'null_cipher = "NULL-SHA256"\nmin_version = "1.3"',
      'tls.null_cipher: is of TLS 1.2, and min_version is "1.3"',
    ],
    ['another NULL cipher', [RSA_CERT, RSA_KEY], 'null_cipher = "NULL-MD5"', 'tls.null_cipher'],
  ] as const)('%s', (_, pair, more, why) => {
    expect(complaintOf(() => loadGatewayConfig(gatewayWith('[listen]\ntls = [443]', more, pair)))).toContain(why)
  })

  it('RFC 9329 App. A (T-TLS-4): the NULL cipher by its name, on either end, and a clear error where the runtime has none', () => {
    const gateway = (): unknown =>
      loadGatewayConfig(gatewayWith('[listen]\ntls = [443]', 'null_cipher = "NULL-SHA256"', [RSA_CERT, RSA_KEY]))
    const client = (): unknown =>
      loadClientConfig(temporaryFile('client.toml', `${CLIENT}transports = ["tls:443"]\n[peer.tls]\nnull_cipher = "NULL-SHA256"\n`))
    expect(gateway()).toMatchObject({ tls: { nullCipher: true } })
    expect(dialledCarriers(client() as never)['tls:443']).toMatchObject({ tls: { nullCipher: true } })
    for (const [load, key] of [
      [gateway, 'tls.null_cipher'],
      [client, 'peer.tls.null_cipher'],
    ] as const) {
      let told = ''
      const err = { write: (text: string) => (told += text) }
      const loaded = loadOrTell(load as () => GatewayConfig, { json: false, out: err, err })
      if (hasNullCipher()) expect(told).toBe('')
      else {
        expect(loaded).toBe(2)
        expect(told).toContain(`${key}: is of OpenSSL: Node has it; for Bun and Deno install OpenSSL 3 (libssl.so.3)`)
      }
    }
  })

  it.each([
    ['[listen]\ntls = [443]\n', 'listen.tls: needs a [tls] with cert_file and key_file'],
    ['[tls]\ncert_file = "/no/such"\nkey_file = "/no/such"\n', 'tls.cert_file: cannot be read: ENOENT'],
    [
      '[listen]\ntcp = ["192.0.2.1:443"]\ntls = [443]\n',
      'listen.tls[0]: port 443 contains 192.0.2.1:443 of listen.tcp[0]: TCP and TLS share a port where both have the framing "rfc9329" and the same address',
    ],
    [
      '[listen]\ntcp = ["0.0.0.0:443"]\ntls = ["[::]:443"]\n',
      'listen.tls[0]: [::]:443 contains 0.0.0.0:443 of listen.tcp[0]: TCP and TLS share a port',
    ],
    ['[listen]\nframing = "3gpp-ftt"\ntcp = [443]\ntls = [443]\n', 'TCP and TLS share a port where both have the framing "rfc9329"'],
    ['[listen]\nproxy_protocol = ["everybody"]\n', 'listen.proxy_protocol[0]'],
  ])('%j', (written, why) => {
    expect(complaintOf(() => loadGatewayConfig(temporaryFile('gateway.toml', `${written}${GATEWAY}`)))).toContain(why.replace('’', "'"))
  })
})
