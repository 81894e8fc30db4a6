import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadClientConfig, loadGatewayConfig } from '../../src/index.ts'
import { configAsJson, describeClientConfig, describeGatewayConfig } from '../../src/report/config-words.ts'
import { temporaryDirectory } from '../temporary.ts'

const { pkcs12 } = JSON.parse(readFileSync(new URL('../../../certificates/test/vectors/keys.json', import.meta.url), 'utf8')) as {
  pkcs12: { certificates: readonly string[]; today: string }
}
const ROOT = `-----BEGIN CERTIFICATE-----\n${pkcs12.certificates[1]}\n-----END CERTIFICATE-----\n`
const CLIENT = '[peer]\ngateway = "192.0.2.1"\nlocal_id = "anna@example.org"\nauth = "eap"\nca = ["root.pem"]\n'
const GATEWAY =
  '[listen]\naddress = ["192.0.2.1"]\n[[connection]]\nname = "road"\nlocal_id = "@gw"\nremote_id = "any"\nauth = "certificate"\ncertificate = "own.p12"\nkey_passphrase_file = "passphrase"\nremote_auth = "eap"\npool = { ranges = ["10.8.0.10-10.8.0.20"] }\n'
const USERS =
  '[[user]]\nname = "anna"\npassword = "of anna, and long"\n[[user]]\nname = "bert"\nnt_hash = "0x0102030405060708090A0b0c0d0e0f10"\n'
const EAP = 'eap = { method = "mschapv2", identity = "anna", password = "of anna, and long" }\n'

function written(text: string, users = USERS): string {
  const folder = temporaryDirectory()
  const files = {
    'root.pem': ROOT,
    'own.p12': Buffer.from(pkcs12.today, 'base64'),
    passphrase: 'secret words\n',
    'users.toml': users,
    'config.toml': text,
    word: 'by file\n',
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content, { mode: 0o600 })
  return join(folder, 'config.toml')
}

const client = (text: string): ReturnType<typeof loadClientConfig> => loadClientConfig(written(text))
const gateway = (text: string, users?: string): ReturnType<typeof loadGatewayConfig> => loadGatewayConfig(written(text, users))

describe('RFC 7296 §2.16 (C-23) eap of a client', () => {
  it('(C-23): with EAP of its own the gateway has to show a certificate', () => {
    const config = client(`${CLIENT}${EAP}`)
    expect(config.peer.auth).toMatchObject({
      local: { kind: 'eap', name: '192.0.2.1', allowsKeyless: false },
      remote: { kind: 'signature', trust: '192.0.2.1' },
    })
    expect(config.signatures.eap).toEqual({
      '192.0.2.1': { kind: 'peer', method: 'mschapv2', identity: 'anna', password: 'of anna, and long' },
    })
  })

  it('a password may be in a file of its own', () => {
    const config = client(`${CLIENT}eap = { method = "mschapv2", identity = "anna", password_file = "word" }\n`)
    expect(config.signatures.eap['192.0.2.1']).toMatchObject({ password: 'by file' })
  })

  it('no password is shown', () => {
    const config = client(`${CLIENT}${EAP}`)
    const shown = `${JSON.stringify(configAsJson(config))}${describeClientConfig(config).join('\n')}`
    expect(shown).toContain('EAP')
    expect(shown).not.toContain('of anna')
  })

  it.each([
    ['', /config\.toml:\d+: peer\.eap: is required by auth = "eap"/],
    ['eap = { method = "mschapv2", identity = "anna" }', /:6: peer\.eap\.password: is required \(or password_file\)/],
    [
      'eap = { method = "mschapv2", identity = "anna", password = "a", password_file = "b" }',
      /password_file: cannot stand beside password/,
    ],
    ['eap = { method = "mschapv2", identity = "anna", password_file = "nowhere" }', /password_file: cannot be read/],
    ['eap = { method = "mschap2", identity = "anna", password = "a" }', /"mschap2" is not known here.*did you mean "mschapv2"/],
    ['eap = { method = "md5", identity = "anna", password = "a" }', /peer\.eap\.method: "md5" makes no key.*keyless = true/],
    [`remote_auth = "eap"\n${EAP}`, /peer\.eap\.method: "mschapv2" does not prove who the gateway is \(RFC 5998 §4\)/],
    [`remote_auth = "null"\n${EAP}`, /remote_auth: cannot be "null" beside EAP: the gateway has to show a certificate/],
  ])('RFC 7296 §2.16, RFC 5998: %s is refused with its line', (lines, words) => {
    expect(() => client(`${CLIENT}${lines}\n`)).toThrow(words)
  })

  it('RFC 7296 §2.16: eap without auth = "eap" is refused', () => {
    expect(() => client(`[peer]\ngateway = "192.0.2.1"\nlocal_id = "@me"\npsk = "0123456789abcdef-secret"\n${EAP}`)).toThrow(
      /peer\.eap: is for auth = "eap"/,
    )
  })

  it('RFC 7296 §2.16: "md5" with keyless = true is warned of', () => {
    const config = client(`${CLIENT}eap = { method = "md5", identity = "anna", password = "a", keyless = true }\n`)
    expect(config.warnings.join()).toMatch(/"md5" makes no key: somebody in the middle/)
    expect(config.peer.auth.local).toMatchObject({ allowsKeyless: true })
  })
})

describe('RFC 7296 §2.16 (C-23) eap of a connection', () => {
  it('(C-23): users of its own, by password and by NT hash', () => {
    const config = gateway(`${GATEWAY}eap = { users_file = "users.toml" }\n`)
    expect(config.peers[0]!.auth).toMatchObject({ local: { kind: 'signature' }, remote: { kind: 'eap', name: 'road' } })
    const { road } = config.signatures.eap
    expect(road).toMatchObject({ kind: 'server', methods: ['mschapv2'], name: '@gw' })
    expect(road?.kind === 'server' && road.users['bert']!.ntHash).toEqual(Uint8Array.from({ length: 16 }, (_, i) => i + 1))
    expect(road?.kind === 'server' && Buffer.from(road.users['anna']!.password!).toString()).toBe('of anna, and long')
    expect(`${JSON.stringify(configAsJson(config))}${describeGatewayConfig(config).join()}`).not.toMatch(/of anna|0102030405/)
  })

  it('RFC 2865 §3: RADIUS servers in order, with the port that is theirs', () => {
    const config = gateway(
      `${GATEWAY}eap = { radius = true }\n[[radius]]\naddress = "192.0.2.5"\npsk = "0123456789abcdef-shared"\nnas_identifier = "gw"\n[[radius]]\naddress = "2001:db8::5"\nport = 1645\npsk_file = "word"\n`,
    )
    expect(config.signatures.eap).toEqual({ road: { kind: 'relay' } })
    expect(config.signatures.radius).toMatchObject([
      { address: '192.0.2.5', port: 1812, nasIdentifier: 'gw' },
      { address: '2001:db8::5', port: 1645, secret: new Uint8Array(Buffer.from('by file')) },
    ])
    expect(JSON.stringify(configAsJson(config))).not.toContain('shared')
    expect(config.warnings.join()).toMatch(/radius\[1\]\.psk_file: has 7 octets/)
  })

  it('RFC 5998 §3: auth = "eap" is a gateway with nothing to sign with, which RADIUS alone can have', () => {
    const only = GATEWAY.replace('auth = "certificate"\ncertificate = "own.p12"\nkey_passphrase_file = "passphrase"\n', 'auth = "eap"\n')
    const config = gateway(`${only}eap = { radius = true }\n[[radius]]\naddress = "192.0.2.5"\npsk = "0123456789abcdef-shared"\n`)
    expect(config.peers[0]!.auth).toMatchObject({ local: { kind: 'eap-only' }, remote: { kind: 'eap' } })
    expect(() => gateway(`${only}eap = { users_file = "users.toml" }\n`)).toThrow(
      /auth: cannot be "eap": mschapv2 does not prove who we are/,
    )
  })

  it.each([
    ['', /connection\[0\]\.eap: is required by remote_auth = "eap"/],
    ['eap = { radius = true }', /eap\.radius: needs a server to ask: add \[\[radius\]\]/],
    ['eap = { users_file = "nowhere" }', /users_file: cannot be read/],
    ['eap = { users_file = "users.toml", methods = ["md5"] }', /methods: "md5" makes no key/],
    [
      'eap = { users_file = "users.toml", radius = true }\n[[radius]]\naddress = "192.0.2.5"\npsk = "0123456789abcdef-shared"',
      /users_file: cannot stand beside radius/,
    ],
    [
      'eap = { radius = true }\n[[radius]]\naddress = "radius.example"\npsk = "x"',
      /radius\[0\]\.address: "radius\.example" is not an IP address/,
    ],
    ['eap = { radius = true }\n[[radius]]\naddress = "192.0.2.5"', /radius\[0\]\.psk: is required/],
    ['eap = { radius = true }\nradius = "192.0.2.5"', /radius.*is not a key here/],
  ])('RFC 7296 §2.16: %s is refused with its line', (lines, words) => {
    expect(() => gateway(`${GATEWAY}${lines}\n`)).toThrow(words)
  })

  it('RFC 7296 §2.16: a gateway that would show a shared secret is refused', () => {
    expect(() =>
      gateway(
        '[listen]\naddress = ["192.0.2.1"]\n[[connection]]\nname = "road"\nlocal_id = "@gw"\npsk = "0123456789abcdef-secret"\nremote_auth = "eap"\npool = { ranges = ["10.8.0.10-10.8.0.20"] }\neap = { users_file = "users.toml" }\n',
      ),
    ).toThrow(/auth: cannot be "psk" beside EAP/)
  })

  it.each([
    ['user = "anna"', /users\.toml:1: user: is not a list of tables; write \[\[user\]\]/],
    ['[[user]]\nname = "anna"\n', /users\.toml:1: user\[0\]: needs one of password and nt_hash/],
    ['[[user]]\nname = "anna"\nnt_hash = "0102"\n', /users\.toml:3: user\[0\]\.nt_hash: is no NT hash/],
    ['[[user]]\nname = "anna"\npasword = "a"\n', /users\.toml:3: user\[0\]\.pasword: is not a key here; did you mean "password"/],
    [`${USERS}[[user]]\nname = "bert"\npassword = "x"\n`, /users\.toml:8: user\[2\]\.name: "bert" is there already/],
    ['[[user]\n', /users\.toml:1: is not TOML/],
  ])('a users file of %j is refused with its own line', (users, words) => {
    expect(() => gateway(`${GATEWAY}eap = { users_file = "users.toml" }\n`, users)).toThrow(words)
  })

  it('no password is in what is said of a users file that is wrong', () => {
    const users = '[[user]]\nname = "anna"\npassword = 7\nnt_hash = "deadbeef"\n[[user]]\nname = "b"\npassword = "hush'
    for (const text of [users, users.replace('"hush', '"hush"')])
      expect(() => gateway(`${GATEWAY}eap = { users_file = "users.toml" }\n`, text)).toThrow(
        expect.objectContaining({ message: expect.not.stringMatching(/deadbeef|hush/) }),
      )
  })
})
