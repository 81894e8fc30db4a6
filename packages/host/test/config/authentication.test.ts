import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadClientConfig, loadGatewayConfig } from '../../src/index.ts'
import { configAsJson, describeClientConfig } from '../../src/report/config-words.ts'
import { temporaryDirectory } from '../temporary.ts'

interface Vectors {
  readonly forms: Record<string, { readonly pkcs8: string; readonly encrypted: string; readonly spki: string }>
  readonly pkcs12: { readonly certificates: readonly string[]; readonly today: string }
}

const { forms, pkcs12 } = JSON.parse(
  readFileSync(new URL('../../../certificates/test/vectors/keys.json', import.meta.url), 'utf8'),
) as Vectors
const [own, root] = pkcs12.certificates
const pem = (label: string, base64: string): string => `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`

const CLIENT = '[peer]\ngateway = "vpn.example.com"\nlocal_id = "@gw"\n'
const GATEWAY = '[[connection]]\nname = "staff"\nlocal_id = "@gw"\npool = { ranges = ["10.8.0.10-10.8.0.20"] }\n'

/** A configuration among the files that it may name. */
function written(text: string): string {
  const folder = temporaryDirectory()
  const files: Record<string, string | Uint8Array> = {
    'own.p12': Buffer.from(pkcs12.today, 'base64'),
    'own.pem': pem('CERTIFICATE', own!),
    'root.pem': pem('CERTIFICATE', root!),
    'other.key': forms['ec']!.pkcs8,
    'encrypted.key': forms['ec']!.encrypted,
    'other.pub': pem('PUBLIC KEY', forms['ec']!.spki),
    passphrase: 'secret words\n',
    'nothing.pem': 'nothing\n',
    'config.toml': text,
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content, { mode: 0o600 })
  return join(folder, 'config.toml')
}

describe('RFC 7296 §2.15 how each end proves who it is', () => {
  it('§3.6, §3.7: a certificate and its key from a PKCS#12 file, and the CAs that are asked for', () => {
    const config = loadClientConfig(
      written(
        `${CLIENT}auth = "certificate"\ncertificate = "own.p12"\nkey_passphrase_file = "passphrase"\nca = ["root.pem"]\nrevocation = "hard"\n`,
      ),
    )
    expect(config.peer.auth).toMatchObject({
      local: { kind: 'signature', key: 'vpn.example.com', certificates: [{ encoding: 4 }, { encoding: 4 }] },
      remote: { kind: 'signature', trust: 'vpn.example.com', requests: [{ encoding: 4 }] },
    })
    const { remote } = config.peer.auth
    expect(remote.kind === 'signature' && remote.requests[0]!.authorities).toHaveLength(20)
    expect(Object.keys(config.signatures.keys)).toEqual(['vpn.example.com'])
    expect(config.signatures.trusts['vpn.example.com']).toMatchObject({ revocation: 'hard' })
    expect(config.warnings.join()).toMatch(
      /peer\.local_id: the certificate "CN=direct, O=Example" does not have the identity claimed as a DNS name/,
    )
  })

  it('RFC 7670 §3: without a certificate the public key alone, from an encrypted file', () => {
    const config = loadClientConfig(
      written(`${CLIENT}auth = "certificate"\nkey = "encrypted.key"\nkey_passphrase_file = "passphrase"\npublic_keys = ["other.pub"]\n`),
    )
    expect(config.peer.auth).toMatchObject({
      local: { certificates: [{ encoding: 15, data: new Uint8Array(Buffer.from(forms['ec']!.spki, 'base64')) }] },
      remote: { requests: [{ encoding: 15, authorities: new Uint8Array(0) }] },
    })
  })

  it('§2.15 (C-32): one way each: a gateway that signs, and clients that have a secret', () => {
    const config = loadGatewayConfig(
      written(
        `${GATEWAY}auth = "certificate"\nremote_auth = "psk"\npsk = "0123456789abcdef"\ncertificate = "own.p12"\nkey_passphrase_file = "passphrase"\n`,
      ),
    )
    expect(config.peers[0]!.auth).toMatchObject({ local: { kind: 'signature' }, remote: { kind: 'shared-key' } })
  })

  it('RFC 7619 §2: NULL authentication where it is named', () => {
    expect(
      loadGatewayConfig(written(`${GATEWAY}auth = "psk"\nremote_auth = "null"\npsk = "0123456789abcdef"\n`)).peers[0]!.auth,
    ).toMatchObject({
      local: { kind: 'shared-key' },
      remote: { kind: 'null' },
    })
  })

  it('no key and no secret is in what is shown', () => {
    const config = loadClientConfig(written(`${CLIENT}auth = "certificate"\nkey = "other.key"\npublic_keys = ["other.pub"]\n`))
    const shown = JSON.stringify(configAsJson(config))
    expect(shown).not.toContain(String(Object.values(config.signatures.keys)[0]![40]!).concat(','))
    expect(shown).not.toContain('"signatures"')
    expect(describeClientConfig(config)[1]).toBe(
      '  we are @gw, they are whoever has a certificate (shown by a signature, and a certificate or key; theirs by a signature)',
    )
  })
})

describe('check-config says what is wrong with keys and certificates, and where', () => {
  const SIGNS = `${CLIENT}auth = "certificate"\n`
  it.each([
    ['no key', `${SIGNS}ca = ["root.pem"]\n`, 'config.toml:1: peer.key: is required by auth = "certificate"'],
    ['no CA', `${SIGNS}key = "other.key"\n`, 'peer.ca: is required where the peer signs'],
    ['a file that is not there', `${SIGNS}key = "gone.key"\nca = ["root.pem"]\n`, 'config.toml:5: peer.key: cannot be read: ENOENT'],
    ['a file without a key', `${SIGNS}key = "nothing.pem"\nca = ["root.pem"]\n`, 'peer.key: is of no use: no private key is in it'],
    [
      'a key of another certificate',
      `${SIGNS}certificate = "own.pem"\nkey = "other.key"\nca = ["root.pem"]\n`,
      'peer.certificate: is of another key than key',
    ],
    [
      'an encrypted key and no passphrase',
      `${SIGNS}key = "encrypted.key"\nca = ["root.pem"]\n`,
      'peer.key: is of no use: the private key is encrypted, and no passphrase is given',
    ],
    [
      'another passphrase',
      `${SIGNS}certificate = "own.p12"\nkey_passphrase_file = "nothing.pem"\nca = ["root.pem"]\n`,
      'peer.certificate: is of no use: the PKCS#12 file has another passphrase',
    ],
    [
      'a CA that is none',
      `${SIGNS}key = "other.key"\nca = ["root.pem", "nothing.pem"]\n`,
      'peer.ca[1]: is of no use: no certificate is in it',
    ],
    [
      'a certificate where a secret is used',
      `${CLIENT}psk = "0123456789abcdef"\ncertificate = "own.pem"\n`,
      'peer.certificate: is for auth = "certificate"',
    ],
    ['a CA where nobody signs', `${CLIENT}psk = "0123456789abcdef"\nca = ["root.pem"]\n`, 'peer.ca: is for a peer that signs'],
    ['no secret where one end uses it', `${CLIENT}auth = "certificate"\nremote_auth = "psk"\nkey = "other.key"\n`, 'peer.psk: is required'],
    [
      'a word that is none',
      `${CLIENT}auth = "certificates"\n`,
      'peer.auth: "certificates" is not known here; use "psk", "certificate", "null"',
    ],
    [
      'NULL and an identity',
      `${CLIENT}psk = "0123456789abcdef"\nremote_auth = "null"\nremote_id = "@gw"\n`,
      'NULL authentication proves no identity',
    ],
  ])('%s', (_, text, message) => {
    expect(() => loadClientConfig(written(text))).toThrow(message)
  })
})
